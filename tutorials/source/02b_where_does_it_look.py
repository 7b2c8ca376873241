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
# In 2015 Xu and others showed photographs with captions, and below each word the place
# at which the network had looked: a bright spot on the frisbee for "frisbee". The
# pictures are convincing. Are they right? For photographs nobody can tell exactly. For
# our drawn moles we can: we know which pixels make a mole lobed or give it colours.
#
# You will write hard attention with numpy, train captioners with **soft** and **hard**
# attention, and a soft one with borrowed eyes, and measure where each looks.
#
# The moles are drawn, the language has nine words, and nothing here is for diagnosis.
#
# You need: tutorial 2. You will be able to: measure a gaze against a mask, and test
# whether the words depend on it.

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
# A caption tells the shape, and the colours beyond the browns of any mole. What else
# lies there, hairs, bubbles, a ruler, goes untold.

# %%
train = draw_images("dermoscopy", range(1600), split="train")
test = draw_images("dermoscopy", range(300))
texts, test_texts = caption_texts(train), caption_texts(test)
images_figure(
    [test["image"][i] / 255 for i in range(4)],
    [test_texts[i].replace(" with ", "\nwith ") for i in range(4)],
)

# %% [markdown]
# ## All places a little, or one place?
#
# Both attentions score each place $a_i$ for the word to come, and the scores $s_i$ sum
# to one. **Soft** attention answers with the mean,
#
# $$y = \sum_i s_i a_i,$$
#
# **hard** attention takes the scores as chances, draws *one* place, and answers with
# its vector alone.
#
# ### Exercise 1
#
# Write the hard answer. `scores` is `(places,)`, `values` `(places, dim)`, and `luck`
# a number in [0, 1), from which the place follows: lay the scores end to end from 0 to
# 1, and take the place into whose stretch `luck` falls. Return `(dim,)`.


# %% tags=["solution"]
def hard_answer(scores, values, luck):
    """Returns the value of the place that luck draws, `(dim,)`."""
    return values[np.argmax(np.cumsum(scores) > luck)]


# %%
check("02b.hard_answer", hard_answer)

# %%
rng = np.random.default_rng(0)
scores, values = rng.dirichlet(np.ones(5)), rng.normal(size=(5, 1))
draws = [hard_answer(scores, values, luck)[0] for luck in rng.random(20_000)]
mean = np.cumsum(draws) / np.arange(1, 20_001)
lines_figure(
    {
        "mean of the hard answers so far": (range(50, 20_000, 500), mean[49::500]),
        "the soft answer": ([0, 20_000], [scores @ values[:, 0]] * 2),
    },
    x="draws",
    y="answer",
)

# %% [markdown]
# On average hard attention *is* soft attention. But a draw has no derivative: nudge a
# score, and mostly the same place is drawn. Xu et al. estimated the gradient by
# REINFORCE; the library's layer goes **straight through**: forwards one place,
# backwards as if it had been the mean. That is biased, and simple.
#
# ## Three captioners
#
# The **eyes** turn a mole into a map of 8 x 8 fields, 64 places with a vector each. An
# LSTM writes, and asks the places before each word. Two captioners learn their eyes
# together with their words. The third borrows those of a network that was trained to
# tell malignant from benign, and which stay as they are.
#
# A captioner is kept in two parts, so that another gaze can be put between them later:
# `ask` makes the writer's states and the places' vectors, `say` turns states and
# answers into words.

# %%
START, UNITS = WORDS.index("<start>"), 48
reader = load_zoo_model("micro_resnet", dataset="dermoscopy")
reader = keras.Model(reader.input, reader.get_layer("conv3_block1_out").output)


def views(drawn):
    """Returns what own and borrowed eyes get, `{eyes: (moles, ...)}`."""
    images = drawn["image"].astype("float32") / 255
    maps = reader.predict(images, verbose=0)
    return {"own": images, "borrowed": maps.reshape(len(maps), 64, -1)}


def eyes(kind):
    """Builds what turns a view into 64 places, `(moles, 64, UNITS)`."""
    view = keras.Input(seen[kind].shape[1:])
    if kind == "borrowed":
        return keras.Model(view, layers.Dense(UNITS, activation="relu")(view))
    x = layers.Rescaling(4.0, -2.0)(view)
    for width, kernel in ((16, 5), (32, 3), (UNITS, 3)):
        x = layers.Conv2D(width, kernel, 2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return keras.Model(view, layers.Reshape((64, UNITS))(x))


def shifted(rows):
    """What the writer has written so far, before each word."""
    first = np.full((len(rows), 1), START, "int32")
    return np.concatenate([first, rows[:, :-1]], axis=1)


def captioner(attention, kind):
    """Builds a captioner around an attention layer: the whole, and its two parts."""
    look, written = eyes(kind), keras.Input((LONGEST,), dtype="int32")
    states = layers.Embedding(len(WORDS), 24)(written)
    states = layers.LSTM(UNITS, return_sequences=True)(states)
    ask = keras.Model([look.input, written], [states, look.output])
    parts = keras.Input((LONGEST, UNITS)), keras.Input((LONGEST, UNITS))
    hidden = layers.Dense(64, activation="relu")(layers.Concatenate()(parts))
    say = keras.Model(parts, layers.Dense(len(WORDS))(hidden))
    answers = attention([states, look.output])
    return keras.Model(ask.input, say([states, answers])), ask, say


# %%
seen, test_seen = views(train), views(test)
words, test_words = (word_numbers(t, WORDS, LONGEST) for t in (texts, test_texts))
captioners = {
    "soft": (SoftAttention(units=32), "own"),
    "hard": (HardAttention(units=32, seed=0), "own"),
    "borrowed": (SoftAttention(units=32), "borrowed"),
}
for name, (attention, kind) in captioners.items():
    keras.utils.set_random_seed(0)
    whole, ask, say = captioner(attention, kind)
    captioners[name] = attention, kind, whole, ask, say
    rate = keras.optimizers.schedules.CosineDecay(3e-3, 16 * len(words) // 32)
    whole.compile(
        keras.optimizers.Adam(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    found = whole.fit([seen[kind], shifted(words)], words, 32, epochs=16, verbose=0)
    print(f"{name:>8}, loss by pass: {np.round(found.history['loss'][::3], 2)}")

# %% [markdown]
# ## Are the captions right?
#
# Alone, from its own words, each captioner writes 300 captions. A caption is scored by
# what it claims: is *black* in it, if the mole has black, and not, if it has none?


# %%
def write(name):
    """Writes captions word by word, each from those before."""
    _, kind, whole, _, _ = captioners[name]
    done = np.full((len(test_texts), LONGEST), START, "int32")
    for word in range(LONGEST):
        inputs = [test_seen[kind], shifted(done)]
        found = whole.predict(inputs, verbose=0, batch_size=100)
        done[:, word] = found[:, word].argmax(axis=-1)
    return [read_words(row, WORDS) for row in done]


captions = {name: write(name) for name in captioners}
for word in ("lobed", *COLOURS):
    there = np.array([word in text.split() for text in test_texts])
    said = {
        name: np.mean(np.array([word in text.split() for text in found]) == there)
        for name, found in captions.items()
    }
    said["always the same"] = max(there.mean(), 1 - there.mean())
    line = ", ".join(f"{name} {right:.0%}" for name, right in said.items())
    print(f"{word:>6} right: {line}")
for i in range(3):
    print("truth:", test_texts[i])
    for name, found in captions.items():
        print(f"{name:>10}: {found[i]}")

# %% [markdown]
# ## Where did they look?
#
# ### Exercise 2
#
# Write how much of a gaze lies in a mask: `scores`, `(rows, columns)`, one a field,
# and `mask`, `(height, width)`, bool, finer by whole numbers. A field's score is shared
# evenly by its pixels. Return the share of the whole.


# %% tags=["solution"]
def mass_in_mask(scores, mask):
    """Returns the share of a gaze that lies inside a mask."""
    height, width = np.array(mask.shape) // scores.shape
    fine = np.kron(scores, np.ones((height, width)))
    return (fine * mask).sum() / fine.sum()


# %%
check("02b.mass_in_mask", mass_in_mask)

# %% [markdown]
# We take the gaze at each word that speaks of evidence, `lobed` or a colour, with the
# true caption up to there, and the mask of what the word speaks of. For the hard
# captioner it is the one place that it takes.
#
# **Predict first.** All three name most colours rightly. The pixels of the colours
# cover about 4% of these images. How many per cent of its gaze has the soft captioner
# there, while it writes a colour? And the one with borrowed eyes?

# %%
my_guess = {"soft": None, "borrowed": None}  # per cent


# %%
def gaze(name, rows):
    """Returns what each word takes of each place, `(moles, LONGEST, 8, 8)`."""
    attention, kind, _, ask, _ = captioners[name]
    scores = attention.scores(ask.predict([test_seen[kind], shifted(rows)], verbose=0))
    if name == "hard":
        scores = attention.choose(scores)
    scores = keras.ops.convert_to_numpy(scores)
    return scores.reshape(*scores.shape[:2], 8, 8)


gazes = {name: gaze(name, test_words) for name in captioners}
noise = np.random.default_rng(0).dirichlet(np.ones(64), gazes["soft"].shape[:2])
gazes["random"] = noise.reshape(gazes["soft"].shape)


def shares(name, spoken):
    """Returns the share in the mask of each mole's words, `(moles,)`, in per cent."""
    numbers, found = [WORDS.index(word) for word in spoken], []
    masks = word_evidence(test, spoken[0])
    for row, maps, mask in zip(test_words, gazes[name], masks, strict=True):
        at = np.flatnonzero(np.isin(row, numbers))
        if len(at):
            found.append(100 * np.mean([mass_in_mask(maps[t], mask) for t in at]))
    return np.array(found)


luck = np.random.default_rng(0)
for title, spoken in (("colours", COLOURS), ("lobed", ("lobed",))):
    masks = word_evidence(test, spoken[0])
    masks = masks[[any(w in t.split() for w in spoken) for t in test_texts]]
    best = masks.reshape(-1, 8, 8, 8, 8).mean(axis=(2, 4)).max(axis=(1, 2))
    print(
        f"{title}: area {100 * masks.mean():.1f}%, best field {100 * best.mean():.0f}%"
    )
    for name in gazes:
        share = shares(name, spoken)
        again = luck.choice(share, size=(2000, len(share))).mean(axis=1)
        low, high = np.percentile(again, [2.5, 97.5])
        print(f"  {name:>8}: {share.mean():.1f}% in the mask [{low:.1f}, {high:.1f}]")
for name in my_guess:
    share = shares(name, COLOURS).mean()
    print(reveal(my_guess[name], share, what=f"{name}, colours", unit="%"))

# %% [markdown]
# Each share needs three numbers beside it: the **area**, which an even gaze would have;
# a **random** gaze, which has the same, on average; and the **best field**, since 64
# fields are too coarse to reach 100%. Nor is a gaze beside the mask a blind one: a
# field sees farther than its own borders. The intervals are over moles, not over
# starts: when this lesson was written, the soft captioner, begun from other weights,
# once had 53% of its gaze on the colours.
#
# Now look at the third mole above, at the first colour of its caption.

# %%
one = 2
at = test_texts[one].split().index("with") + 1
maps_figure(
    [None, *[test["image"][one] / 255] * 4],
    [
        word_evidence(test, COLOURS[0])[one],
        *[gazes[name][one, at] / gazes[name][one, at].max() for name in gazes],
    ],
    ["evidence", *gazes],
    label="attention, in parts of its largest",
)

# %% [markdown]
# Each map is drawn in parts of its own largest value, or the soft one would hardly be
# seen.
#
# ## Do the words need the gaze?
#
# A map of attention says what was weighed, not what it was good for. So **intervene**:
# leave the captioner as it is and put another gaze between its two parts, a flat one.
# Then ask for the next word after each true beginning. (`mole` is left out, since it
# always comes second.)


# %%
def next_words_right(name, scores):
    """Returns the share of next words that are right, with a given gaze."""
    _, kind, _, ask, say = captioners[name]
    states, values = ask.predict([test_seen[kind], shifted(test_words)], verbose=0)
    answers = scores.reshape(*scores.shape[:2], -1) @ values
    found = say.predict([states, answers], verbose=0).argmax(axis=-1)
    begun = shifted(test_words) != WORDS.index("<end>")
    asked = begun & (test_words != WORDS.index("mole"))
    return np.mean((found == test_words)[asked])


flat = np.full_like(gazes["soft"], 1 / 64)
for name in captioners:
    own, even = (next_words_right(name, g) for g in (gazes[name], flat))
    print(f"{name:>8}, next words right: {own:.0%}; with a flat gaze {even:.0%}")

# %% [markdown]
# What a captioner loses under the flat gaze, it owed to looking, or to surprise: the
# hard one has never seen a mean before. And a captioner that loses little can still
# draw a map, which was then beside the point: a mean over all fields holds what one
# field shows, only fainter.
#
# Compare `soft` and `borrowed`. Their attention is the same layer; where it looks
# depends on what the places have to tell. The borrowed eyes were trained for another
# question, and each of their fields sees 25 x 25 pixels, one of the own eyes 17 x 17.
# We changed both at once, so this lesson cannot say which of the two matters more.
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
# *Where does a captioner look when it writes a word?* Your numbers say it for these two
# and one seed: how much of each gaze lies on what the word speaks of, beside the area
# and the best that 64 fields allow; and whether the words change when only the gaze
# does. A right word with a spread gaze is no contradiction. Show no map of attention
# without these numbers.
