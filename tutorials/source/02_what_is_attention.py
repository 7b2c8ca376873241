# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 2. What is attention, before it is drawn on an image?
#
# In 2015 a network that translated sentences had to squeeze each sentence into one
# vector before it could write the first word of the translation. Long sentences did not
# fit. Bahdanau, Cho and Bengio let the writer *look back* at the words, and decide anew
# for each word which of them matter. That is attention: **a weighted sum, whose weights
# are computed from what is there.**
#
# You will write additive and local attention with numpy, train the same translator with
# additive, global and local attention, and watch where each looks. Its language is
# small: written dates, such as `march 3, 2021`, become `2021-03-03`. For such dates
# everybody knows where one *ought* to look. Attention on an image is tutorial 2b.
#
# You need: matrix products, softmax, roughly what an LSTM is. You will be able to:
# place any attention block in a taxonomy of four questions.

# %%
import keras
import numpy as np
from keras import layers

from medattn import list_layers
from medattn.layers import BahdanauAttention, LuongAttention, LuongLocalAttention
from medattn.teaching import check, lines_figure, matrix_figure, quiz, reveal
from medattn.teaching.dates import LONGEST, STANDARD, WRITTEN, draw_dates, letters

# %% [markdown]
# ## A soft dictionary
#
# A Python dictionary answers a query with the value of the one key that is equal. Soft
# attention answers with *all* values, each weighed by how well it fits:
#
# $$a_s = \frac{e^{f_s}}{\sum_r e^{f_r}}, \qquad y = \sum_s a_s h_s.$$
#
# What differs between papers is mostly how the **fit** $f_s$ is computed. Bahdanau's is
# a small network of the query $q$ (the state of the writer) and each value $h_s$ (a
# word):
#
# $$f_s = v \cdot \tanh(Wq + Uh_s).$$
#
# ### Exercise 1
#
# Write the scores for one query. `query` is `(channels,)`, `values` `(words, dim)`, `W`
# `(channels, units)`, `U` `(dim, units)`, `v` `(units,)`. Return `(words,)`, summing to
# one.


# %% tags=["solution"]
def additive_scores(query, values, W, U, v):
    """Returns how much a query takes from each value, `(words,)`."""
    fit = np.tanh(query @ W + values @ U) @ v
    weight = np.exp(fit - fit.max())
    return weight / weight.sum()


# %%
check("02.additive_scores", additive_scores)

# %% [markdown]
# The library's layer, with its own weights, on the same numbers:

# %%
rng = np.random.default_rng(0)
query, values = rng.normal(size=(1, 1, 4)), rng.normal(size=(1, 6, 5))
layer = BahdanauAttention(units=3)
layer.build([query.shape, values.shape])
by_layer = keras.ops.convert_to_numpy(layer.scores([query, values]))[0, 0]
W, U = layer.query.kernel.numpy(), layer.key.kernel.numpy()
v = layer.vector.kernel.numpy()[:, 0]
by_hand = additive_scores(query[0, 0], values[0], W, U, v)
print("library:", by_layer.round(4))
print("by hand:", by_hand.round(4))

# %% [markdown]
# ## Everywhere, or near a place?
#
# Global attention looks at all words, each time. Luong's **local** attention first says
# *where*, a place $p$, and then looks only at the words in a window of $D$ to either
# side:
#
# $$a_s = \mathrm{softmax}_{|s-p| \le D}(f_s) \; e^{-(s-p)^2 / (2 (D/2)^2)}.$$
#
# ### Exercise 2
#
# Write it, given the fits `(words,)`, the place `p` (a float, counted from 0) and `D`.
# Words outside the window get 0; the softmax is over the window only.


# %% tags=["solution"]
def local_scores(fit, p, D):
    """Returns local scores, `(words,)`; zero outside the window."""
    distance = np.arange(len(fit)) - p
    near = np.abs(distance) <= D
    weight = np.where(near, np.exp(fit - fit[near].max()), 0)
    return weight / weight.sum() * np.exp(-(distance**2) / (2 * (D / 2) ** 2))


# %%
check("02.local_scores", local_scores)

# %%
fit = rng.normal(size=18)
everywhere = np.exp(fit) / np.exp(fit).sum()
lines_figure(
    {
        "global": (range(18), everywhere),
        "local, p = 6.5, D = 3": (range(18), local_scores(fit, 6.5, 3)),
        "local, p = 12, D = 5": (range(18), local_scores(fit, 12.0, 5)),
    },
    x="word",
    y="score",
)

# %% [markdown]
# The bell is there so that $p$ can be learnt: a window alone has no slope.
#
# ## A translator of dates
#
# An LSTM reads the letters in both directions; another writes, and looks back before
# each letter. Half of the dates begin with the day and half with the month, so the
# place to look at cannot be learnt by heart.

# %%
read, write = draw_dates(3000, seed=0)
for pair in zip(read[:3], write[:3], strict=True):
    print("{:>20}  ->  {}".format(*pair))
START = STANDARD.index(">")


def shifted(rows):
    """What the writer has written so far, before each letter."""
    first = np.full((len(rows), 1), START, "int32")
    return np.concatenate([first, rows[:, :-1]], axis=1)


def translator(attention, units=48):
    """Builds a translator around an attention layer."""
    read = keras.Input((LONGEST,), dtype="int32")
    written = keras.Input((10,), dtype="int32")
    values = layers.Embedding(len(WRITTEN), 24)(read)
    values = layers.Bidirectional(layers.LSTM(units, return_sequences=True))(values)
    queries = layers.Embedding(len(STANDARD), 16)(written)
    queries = layers.LSTM(2 * units, return_sequences=True)(queries)
    context = attention([queries, values])
    both = layers.Concatenate()([queries, context])
    hidden = layers.Dense(64, activation="tanh")(both)
    return keras.Model([read, written], layers.Dense(len(STANDARD))(hidden))


# %% [markdown]
# Three ways to look, in the same translator, from the same seed, in as many steps:
#
# - **additive**: Bahdanau's, the one of exercise 1;
# - **global**: Luong's, $f_s = q \cdot W h_s$, a product in place of a network;
# - **local**: the one of exercise 2. Luong's *local-p* names its place by itself, from
#   the writer's state alone: $p = S\,\sigma(v \cdot \tanh(Wq))$ in a text of $S$
#   places.

# %%
attentions = {
    "additive": BahdanauAttention(),
    "global": LuongAttention("general"),
    "local": LuongLocalAttention(window=3, centre="predicted"),
}
X, Y = letters(read, WRITTEN, LONGEST), letters(write, STANDARD, 10)
models = {}
for name, attention in attentions.items():
    keras.utils.set_random_seed(0)
    models[name] = translator(attention)
    models[name].compile(
        keras.optimizers.Adam(6e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    found = models[name].fit([X, shifted(Y)], Y, 64, epochs=8, verbose=0)
    passes = np.round(found.history["accuracy"], 2)
    print(f"{name:>9}, letters right, by pass: {passes}")

# %% [markdown]
# Each letter was trained with the right letters before it. Alone, a translator has to
# go on from its own.
#
# **Predict first.** Additive and global attention can look anywhere. The local one sees
# seven of the eighteen places, around one that it names before it has looked. Of 200
# unseen dates, how many per cent will the *local* translator get right as a whole?

# %%
my_guess = None  # per cent


# %%
def translate(model, texts):
    """Writes translations letter by letter, each from those before."""
    rows = letters(texts, WRITTEN, LONGEST)
    done = np.full((len(texts), 10), START, "int32")
    for place in range(10):
        logits = model.predict([rows, shifted(done)], verbose=0, batch_size=256)
        done[:, place] = logits[:, place].argmax(axis=-1)
    return ["".join(STANDARD[number] for number in row) for row in done]


unseen, truth = draw_dates(200, seed=1)
mine = {name: translate(model, unseen) for name, model in models.items()}
right = {
    name: 100 * np.mean([a == b for a, b in zip(found, truth, strict=True)])
    for name, found in mine.items()
}
print(reveal(my_guess, right["local"], what="local, whole dates right", unit="%"))
for name, score in right.items():
    print(f"{name:>9}: {score:.0f}% of whole dates right")
for line in list(zip(unseen, mine["local"], truth, strict=True))[:4]:
    print("{:>20}  -> local: {}  (right: {})".format(*line))

# %% [markdown]
# ## Where does each look?
#
# When a translator writes the first digit of the **year**, which part of its attention
# lies on the four digits of the year in the text?


# %%
def looks(name, texts, standard):
    """Returns the attention matrix of each text, `(texts, 10, letters)`."""
    look = keras.Model(models[name].inputs, attentions[name].input)
    rows = letters(texts, WRITTEN, LONGEST)
    written = shifted(letters(standard, STANDARD, 10))
    inputs = look.predict([rows, written], verbose=0)
    return keras.ops.convert_to_numpy(attentions[name].scores(inputs))


for name in attentions:
    on_year = [
        row[0, len(text) - 4 : len(text)].sum() / row[0].sum()
        for row, text in zip(looks(name, unseen, truth), unseen, strict=True)
    ]
    print(f"{name:>9}: {np.mean(on_year):.0%} of the attention on the year")

# %%
date = ["7 may 2043"], ["2043-05-07"]
matrix_figure(
    [looks(name, *date)[0, :, : len(date[0][0])] for name in attentions],
    [list(date[1][0])] * 3,
    [list(date[0][0].replace(" ", "·"))] * 3,
    list(attentions),
    x="what it reads",
    y="what it writes",
)

# %% [markdown]
# Where does the local one put its window? For each letter that it writes, here is its
# place $p$ in eight texts.

# %%
local = attentions["local"]
look = keras.Model(models["local"].inputs, local.input)
eight = letters(unseen[:8], WRITTEN, LONGEST), letters(truth[:8], STANDARD, 10)
centres = local.centres(*look([eight[0], shifted(eight[1])]))
centres = keras.ops.convert_to_numpy(centres)[..., 0]
print("first digit of the year:", centres[:, 0].round(1))
print("first digit of the day: ", centres[:, 8].round(1))
print("where the year begins:  ", [len(text) - 4 for text in unseen[:8]])

# %% [markdown]
# For the first letter it names the same place in every text, since the writer has
# written nothing yet and so knows nothing of *this* text: the year begins at place 6 in
# one date and at 14 in another. A window is a wager that one can tell where to look
# before looking. Between English and German, which go on in nearly the same order, it
# is a good one, and Luong et al. also fed each answer back to the writer; ours gets
# none back. The wider the window, the less is at stake: try `window=5`, which got 90%
# of the whole dates right when this lesson was written.
#
# Read a row as: *when it wrote this letter, it took so much from each place*. Some rows
# of the additive and the global one are as you would do it. Others look one letter
# beside, since each place of the LSTM also knows its neighbours; rows that seem empty
# look at the blanks behind the text, which are cut off here. **The place of attention
# need not be the place of the evidence**, even where the answer is right. Keep this in
# mind when attention is drawn on an image, as in tutorial 2b.
#
# ## Four questions
#
# The taxonomy of Chaudhari et al. asks of any attention: on how many **levels** does it
# work; at how many **positions** does it look (all: soft or global; one: hard; a
# window: local); how many **representations** does it weigh; and how many **sequences**
# take part? Here are all layers of the library in it.

# %%
for name, row in list_layers().items():
    print(
        f"{name:>18}: {row['positions']:<12} {row['representations']:<24} "
        f"{row['sequences']:<15} {row['sentence']}"
    )

# %% [markdown]
# Find the two that look at one place or at a window, and the one that has several
# representations. Which rows would change if a lesion could be looked at only once?
#
# ## Quiz

# %%
quiz("02_what_is_attention")

# %% [markdown]
# ## Read more
#
# - D. Bahdanau, K. Cho, Y. Bengio, Neural machine translation by jointly learning to
#   align and translate, ICLR, 2015. <https://arxiv.org/abs/1409.0473>
# - M.-T. Luong, H. Pham, C. D. Manning, Effective approaches to attention-based neural
#   machine translation, EMNLP, 2015. <https://doi.org/10.18653/v1/D15-1166>
# - K. Xu et al., Show, attend and tell: neural image caption generation with visual
#   attention, ICML, 2015. <https://arxiv.org/abs/1502.03044>
# - S. Chaudhari et al., An attentive survey of attention models, ACM TIST, 2021.
#   <https://doi.org/10.1145/3465055>

# %% [markdown]
# ## The answer
#
# *What is attention?* A weighted sum whose weights are computed from what is there.
# Papers differ in how the fit is computed, in how many places may be looked at, and in
# who looks at whom; what may not be looked at has to be guessed, as your local
# translator showed. Its weights are real numbers of the computation; that they point at
# the reason is a hope, which can be tested where the reason is known.
