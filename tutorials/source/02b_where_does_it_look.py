# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 2b. Where does a captioner look when it writes a word?
#
# In 2015 Xu and others published photographs with captions, and for each word the
# region to which the network attended: a bright spot on the frisbee for "frisbee". The
# pictures are convincing. Are they right? For photographs we cannot test it exactly.
# For our drawn moles we can: we know which pixels make a mole lobed or give it colours.
#
# You will write hard attention in numpy, train captioners with **soft** and **hard**
# attention, and a soft one on a frozen image encoder, and measure where each attends.
#
# The moles are synthetic, the language has nine words, and nothing here is for
# diagnosis.
#
# You need: tutorial 2. You will be able to: compare attention with a mask, and test
# whether the words depend on the attention.

# %%
import keras
import numpy as np
from keras import layers

from medattn import load_zoo_model
from medattn.data import draw_images
from medattn.layers import HardAttention, SoftAttention
from medattn.teaching import (
    check,
    images_figure,
    lines_figure,
    maps_figure,
    quiz,
    reveal,
)
from medattn.teaching.captions import (
    COLOURS,
    LONGEST,
    WORDS,
    caption_texts,
    word_evidence,
)
from medattn.teaching.reports import read_words, word_numbers

# %% [markdown]
# ## Moles and their captions
#
# A caption describes the shape, and the colours besides brown, which every mole has. It
# does not mention hairs, bubbles or a ruler.

# %%
train = draw_images("dermoscopy", range(1600), split="train")
test = draw_images("dermoscopy", range(300))
texts, test_texts = caption_texts(train), caption_texts(test)
images_figure(
    [test["image"][i] / 255 for i in range(4)],
    [test_texts[i].replace(" with ", "\nwith ") for i in range(4)],
)

# %% [markdown]
# ## All positions, or one?
#
# Both kinds of attention give each position, with its vector $a_i$, a score $s_i$ for
# the next word, and the scores sum to one. **Soft** attention returns the weighted
# mean,
#
# $$y = \sum_i s_i a_i,$$
#
# **hard** attention uses the scores as probabilities, samples *one* position, and
# returns its vector alone.
#
# ### Exercise 1
#
# Write the hard answer. `scores` is `(positions,)`, `values` `(positions, dim)`, and
# `u` a random number in [0, 1), which decides the position: put the scores end to end
# from 0 to 1, and take the position into whose interval `u` falls. Return `(dim,)`.


# %% tags=["solution"]
def hard_answer(scores, values, u):
    """Returns the value of the position that u selects, `(dim,)`."""
    return values[np.argmax(np.cumsum(scores) > u)]


# %%
check("02b.hard_answer", hard_answer)

# %%
rng = np.random.default_rng(0)
scores, values = rng.dirichlet(np.ones(5)), rng.normal(size=(5, 1))
samples = [hard_answer(scores, values, u)[0] for u in rng.random(20_000)]
mean = np.cumsum(samples) / np.arange(1, 20_001)
lines_figure(
    {
        "mean of the hard answers so far": (range(50, 20_000, 500), mean[49::500]),
        "the soft answer": ([0, 20_000], [scores @ values[:, 0]] * 2),
    },
    x="samples",
    y="answer",
)

# %% [markdown]
# On average hard attention *is* soft attention. But a sample has no derivative: after a
# small change of a score, mostly the same position is sampled. Xu et al. estimated the
# gradient with REINFORCE. The library's layer uses the **straight-through** gradient:
# forward it takes one position, backward it acts as if it had taken the mean. This is
# simple, but biased.
#
# ## Three captioners
#
# An **encoder** turns a mole into a map of 8 x 8 cells: 64 positions with a vector
# each. An LSTM, the decoder, writes, and attends to the positions before each word. Two
# captioners train their encoder together with the decoder. The third uses a frozen
# encoder: layers of a network that was trained to distinguish malignant from benign
# moles, and that do not change any more.
#
# We build a captioner in two parts, so that we can later replace the attention between
# them: `before` computes the decoder's states and the vectors of the positions, `after`
# turns states and attention outputs into words.

# %%
START, UNITS = WORDS.index("<start>"), 48
classifier = load_zoo_model("micro_resnet", dataset="dermoscopy")
frozen = keras.Model(classifier.input, classifier.get_layer("conv3_block1_out").output)


def encoder_inputs(synthetic):
    """Returns the input of each encoder, `{"trained": images, "frozen": features}`."""
    images = synthetic["image"].astype("float32") / 255
    features = frozen.predict(images, verbose=0)
    return {"trained": images, "frozen": features.reshape(len(features), 64, -1)}


def encoder(kind):
    """Builds the model that computes 64 positions, `(moles, 64, UNITS)`."""
    inputs = keras.Input(train_inputs[kind].shape[1:])
    if kind == "frozen":
        return keras.Model(inputs, layers.Dense(UNITS, activation="relu")(inputs))
    x = layers.Rescaling(4.0, -2.0)(inputs)
    for width, kernel in ((16, 5), (32, 3), (UNITS, 3)):
        x = layers.Conv2D(width, kernel, 2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return keras.Model(inputs, layers.Reshape((64, UNITS))(x))


def shifted(rows):
    """Returns the decoder's input: what was written before each word."""
    first = np.full((len(rows), 1), START, "int32")
    return np.concatenate([first, rows[:, :-1]], axis=1)


def captioner(attention, kind):
    """Builds a captioner around an attention layer, and its two parts."""
    encode, written = encoder(kind), keras.Input((LONGEST,), dtype="int32")
    states = layers.Embedding(len(WORDS), 24)(written)
    states = layers.LSTM(UNITS, return_sequences=True)(states)
    before = keras.Model([encode.input, written], [states, encode.output])
    parts = keras.Input((LONGEST, UNITS)), keras.Input((LONGEST, UNITS))
    hidden = layers.Dense(64, activation="relu")(layers.Concatenate()(parts))
    after = keras.Model(parts, layers.Dense(len(WORDS))(hidden))
    answers = attention([states, encode.output])
    return keras.Model(before.input, after([states, answers])), before, after


# %%
train_inputs, test_inputs = encoder_inputs(train), encoder_inputs(test)
words, test_words = (word_numbers(t, WORDS, LONGEST) for t in (texts, test_texts))
captioners = {
    "soft": (SoftAttention(units=32), "trained"),
    "hard": (HardAttention(units=32, seed=0), "trained"),
    "frozen": (SoftAttention(units=32), "frozen"),
}
for name, (attention, kind) in captioners.items():
    keras.utils.set_random_seed(0)
    model, before, after = captioner(attention, kind)
    captioners[name] = attention, kind, model, before, after
    rate = keras.optimizers.schedules.CosineDecay(3e-3, 16 * len(words) // 32)
    model.compile(
        keras.optimizers.Adam(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    inputs = [train_inputs[kind], shifted(words)]
    losses = model.fit(inputs, words, 32, epochs=16, verbose=0).history["loss"]
    print(f"{name:>8}, loss at every third epoch: {np.round(losses[::3], 2)}")

# %% [markdown]
# ## Are the captions right?
#
# Each captioner writes 300 captions, each word from its own words before. A caption is
# scored by its statements: does it contain *black* if, and only if, the mole has black?


# %%
def write(name):
    """Writes captions, each word from the words before it."""
    _, kind, model, _, _ = captioners[name]
    written = np.full((len(test_texts), LONGEST), START, "int32")
    for position in range(LONGEST):
        inputs = [test_inputs[kind], shifted(written)]
        logits = model.predict(inputs, verbose=0, batch_size=100)
        written[:, position] = logits[:, position].argmax(axis=-1)
    return [read_words(row, WORDS) for row in written]


captions = {name: write(name) for name in captioners}
for word in ("lobed", *COLOURS):
    true = np.array([word in text.split() for text in test_texts])
    accuracy = {
        name: np.mean(np.array([word in text.split() for text in found]) == true)
        for name, found in captions.items()
    }
    accuracy["majority class"] = max(true.mean(), 1 - true.mean())
    line = ", ".join(f"{name} {value:.0%}" for name, value in accuracy.items())
    print(f"{word:>6}, accuracy: {line}")
for i in range(3):
    print("truth:", test_texts[i])
    for name, found in captions.items():
        print(f"{name:>10}: {found[i]}")

# %% [markdown]
# ## Where did they attend?
#
# ### Exercise 2
#
# Write how much of the attention lies in a mask. `scores`, `(rows, columns)`, has one
# score for each cell; `mask`, `(height, width)`, bool, is larger by whole factors. A
# cell's score is divided evenly among its pixels. Return the fraction inside the mask.


# %% tags=["solution"]
def mass_in_mask(scores, mask):
    """Returns the fraction of attention that lies inside a mask."""
    height, width = np.array(mask.shape) // scores.shape
    fine = np.kron(scores, np.ones((height, width)))
    return (fine * mask).sum() / fine.sum()


# %%
check("02b.mass_in_mask", mass_in_mask)

# %% [markdown]
# We take the attention at each word that describes evidence, `lobed` or a colour, after
# the true beginning of the caption, and the mask of what the word describes. For the
# hard captioner we take the one position with the highest score.
#
# **Predict first.** All three name most colours correctly. The pixels of the colours
# cover about 4% of these images. What percentage of the soft captioner's attention is
# there, while it writes a colour? And with the frozen encoder?

# %%
my_guess = {"soft": None, "frozen": None}  # per cent


# %%
def attention_maps(name, rows):
    """Returns the attention of each word, `(moles, LONGEST, 8, 8)`."""
    attention, kind, _, before, _ = captioners[name]
    inputs = before.predict([test_inputs[kind], shifted(rows)], verbose=0)
    scores = attention.scores(inputs)
    if name == "hard":
        scores = attention.choose(scores)
    scores = keras.ops.convert_to_numpy(scores)
    return scores.reshape(*scores.shape[:2], 8, 8)


attended = {name: attention_maps(name, test_words) for name in captioners}
noise = np.random.default_rng(0).dirichlet(np.ones(64), attended["soft"].shape[:2])
attended["random"] = noise.reshape(attended["soft"].shape)


def percent_in_mask(name, described):
    """Returns the attention in the mask of each mole's words, `(moles,)`, in %."""
    numbers, found = [WORDS.index(word) for word in described], []
    masks = word_evidence(test, described[0])
    for row, maps, mask in zip(test_words, attended[name], masks, strict=True):
        positions = np.flatnonzero(np.isin(row, numbers))
        if len(positions):
            inside = [mass_in_mask(maps[position], mask) for position in positions]
            found.append(100 * np.mean(inside))
    return np.array(found)


rng = np.random.default_rng(0)
for title, described in (("colours", COLOURS), ("lobed", ("lobed",))):
    masks = word_evidence(test, described[0])
    masks = masks[[any(w in t.split() for w in described) for t in test_texts]]
    best = masks.reshape(-1, 8, 8, 8, 8).mean(axis=(2, 4)).max(axis=(1, 2))
    print(
        f"{title}: area {100 * masks.mean():.1f}%, best cell {100 * best.mean():.0f}%"
    )
    for name in attended:
        inside = percent_in_mask(name, described)
        resampled = rng.choice(inside, size=(2000, len(inside))).mean(axis=1)
        low, high = np.percentile(resampled, [2.5, 97.5])
        print(f"  {name:>8}: {inside.mean():.1f}% in the mask [{low:.1f}, {high:.1f}]")
for name in my_guess:
    inside = percent_in_mask(name, COLOURS).mean()
    print(reveal(my_guess[name], inside, what=f"{name}, colours", unit="%"))

# %% [markdown]
# Compare each fraction with three numbers: the **area** of the mask, which uniform
# attention would have; **random** attention, which has the same on average; and the
# **best cell**, since 64 cells are too coarse to reach 100%. Attention next to the mask
# may still use it, because a cell's receptive field is larger than the cell. The
# intervals are over moles, not over seeds: when this lesson was written, the soft
# captioner, trained from other initial weights, once had 53% of its attention on the
# colours.
#
# Here is the third mole from above, at the first colour of its caption.

# %%
mole = 2
position = test_texts[mole].split().index("with") + 1
maps_figure(
    [None, *[test["image"][mole] / 255] * 4],
    [
        word_evidence(test, COLOURS[0])[mole],
        *[
            maps[mole, position] / maps[mole, position].max()
            for maps in attended.values()
        ],
    ],
    ["evidence", *attended],
    label="attention, divided by its maximum",
)

# %% [markdown]
# Each map is divided by its own maximum; otherwise the soft map would be hardly
# visible.
#
# ## Do the words need the attention?
#
# An attention map shows the weights, not their effect. So we **intervene**: we leave
# the captioner as it is and replace the attention between its two parts by a uniform
# one. Then we let it predict the next word after each true beginning. (We leave out
# `mole`, since it always comes second.)


# %%
def next_words_right(name, scores):
    """Returns the fraction of next words that are right, with the given attention."""
    _, kind, _, before, after = captioners[name]
    inputs = [test_inputs[kind], shifted(test_words)]
    states, values = before.predict(inputs, verbose=0)
    answers = scores.reshape(*scores.shape[:2], -1) @ values
    found = after.predict([states, answers], verbose=0).argmax(axis=-1)
    unfinished = shifted(test_words) != WORDS.index("<end>")
    counted = unfinished & (test_words != WORDS.index("mole"))
    return np.mean((found == test_words)[counted])


uniform = np.full_like(attended["soft"], 1 / 64)
for name in captioners:
    own, flat = (next_words_right(name, maps) for maps in (attended[name], uniform))
    print(f"{name:>8}, next words right: {own:.0%}; uniform attention {flat:.0%}")

# %% [markdown]
# If a captioner gets worse with uniform attention, it needed its attention, or it does
# not know such an input: the hard captioner has never received a mean before. A
# captioner that loses little still has an attention map, but this map does not explain
# its words: a mean over all cells contains what one cell shows, only weaker.
#
# Compare `soft` and `frozen`. Their attention layer is the same; where it attends
# depends on the features at each position. The frozen encoder was trained for another
# task, and each of its cells has a receptive field of 25 x 25 pixels; in the trained
# encoder it is 17 x 17. We changed both at once, so this lesson cannot say which of the
# two matters more.
#
# ## Quiz

# %%
quiz("02b_where_does_it_look")

# %% [markdown]
# ## Read more
#
# - K. Xu et al., Show, attend and tell: neural image caption generation with visual
#   attention, ICML, 2015. <https://arxiv.org/abs/1502.03044>
# - R. J. Williams, Simple statistical gradient-following algorithms for connectionist
#   reinforcement learning, Machine Learning, 1992. <https://doi.org/10.1007/BF00992696>
# - Y. Bengio, N. Léonard, A. Courville, Estimating or propagating gradients through
#   stochastic neurons for conditional computation, 2013.
#   <https://arxiv.org/abs/1308.3432>
# - S. Jain, B. C. Wallace, Attention is not explanation, NAACL, 2019.
#   <https://doi.org/10.18653/v1/N19-1357>

# %% [markdown]
# ## The answer
#
# *Where does a captioner look when it writes a word?* Your numbers say it for these
# three captioners and one seed: how much of the attention lies on what the word
# describes, compared with the area and with the best that 64 cells allow; and whether
# the words change when only the attention changes. A right word with widespread
# attention is no contradiction. Do not show an attention map without these numbers.
