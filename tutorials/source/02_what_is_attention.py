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
# Before 2015 a network that translated sentences had to compress each sentence into one
# vector before it wrote the first word of the translation. Long sentences did not fit.
# Bahdanau, Cho and Bengio let the decoder, the part that writes, *look back* at the
# words of the input and weight them anew for each word that it writes. That is
# attention: **a weighted sum whose weights are computed from the input.**
#
# You will write additive and local attention in numpy, train the same translator with
# additive, global and local attention, and see where each attends. The task is small:
# written dates, such as `march 3, 2021`, become `2021-03-03`. For such dates we know
# where attention *should* be. Attention on an image is the topic of tutorial 2b.
#
# You need: matrix products, softmax, roughly what an LSTM is. You will be able to:
# classify any attention block by a taxonomy of four questions.

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
# attention answers with *all* values, each weighted by how well it fits the query:
#
# $$a_s = \frac{e^{f_s}}{\sum_r e^{f_r}}, \qquad y = \sum_s a_s h_s.$$
#
# What differs between papers is mostly how the **fit** $f_s$ is computed. Bahdanau's is
# a small network of the query $q$ (the state of the decoder) and each value $h_s$ (a
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
    """Returns the score of each value for one query, `(words,)`."""
    fit = np.tanh(query @ W + values @ U) @ v
    weight = np.exp(fit - fit.max())
    return weight / weight.sum()


# %%
check("02.additive_scores", additive_scores)

# %% [markdown]
# The same computation by the library's layer, with the same weights:

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
# ## Everywhere, or near one position?
#
# Global attention weights all words at each step. Luong's **local** attention first
# chooses a position $p$, and then weights only the words in a window of $D$ on either
# side:
#
# $$a_s = \mathrm{softmax}_{|s-p| \le D}(f_s) \; e^{-(s-p)^2 / (2 (D/2)^2)}.$$
#
# ### Exercise 2
#
# Write it, given the fits `(words,)`, the position `p` (a float, counted from 0) and
# `D`. Words outside the window get 0; the softmax is over the window only.


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
global_scores = np.exp(fit) / np.exp(fit).sum()
lines_figure(
    {
        "global": (range(18), global_scores),
        "local, p = 6.5, D = 3": (range(18), local_scores(fit, 6.5, 3)),
        "local, p = 12, D = 5": (range(18), local_scores(fit, 12.0, 5)),
    },
    x="word",
    y="score",
)

# %% [markdown]
# The Gaussian makes $p$ learnable: a window alone has no gradient with respect to $p$.
#
# ## A translator of dates
#
# One LSTM, the encoder, reads the letters in both directions. A second one, the
# decoder, writes, and attends to the input before each letter. Half of the dates begin
# with the day and half with the month, so attention cannot always use the same
# positions.

# %%
read, write = draw_dates(3000, seed=0)
for pair in zip(read[:3], write[:3], strict=True):
    print("{:>20}  ->  {}".format(*pair))
START = STANDARD.index(">")


def shifted(rows):
    """Returns the decoder's input: what was written before each letter."""
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
# Three kinds of attention, in the same translator, with the same seed and number of
# steps:
#
# - **additive**: Bahdanau's, the one of exercise 1;
# - **global**: Luong's, $f_s = q \cdot W h_s$, a product instead of a network;
# - **local**: the one of exercise 2. Luong's *local-p* predicts the position from the
#   decoder's state alone: $p = S\,\sigma(v \cdot \tanh(Wq))$ in a text of $S$
#   positions.

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
    history = models[name].fit([X, shifted(Y)], Y, 64, epochs=8, verbose=0).history
    accuracy = np.round(history["accuracy"], 2)
    print(f"{name:>9}, accuracy of letters by epoch: {accuracy}")

# %% [markdown]
# In training, the decoder received the correct letters before each letter. When it
# translates a new text, it has to continue from its own letters.
#
# **Predict first.** Additive and global attention can use all positions. Local
# attention uses seven of the eighteen, around a position that it predicts before it has
# seen the text. For what percentage of 200 new dates will the *local* translator write
# the whole date correctly?

# %%
my_guess = None  # per cent


# %%
def translate(model, texts):
    """Writes translations, each letter from the letters before it."""
    rows = letters(texts, WRITTEN, LONGEST)
    written = np.full((len(texts), 10), START, "int32")
    for position in range(10):
        logits = model.predict([rows, shifted(written)], verbose=0, batch_size=256)
        written[:, position] = logits[:, position].argmax(axis=-1)
    return ["".join(STANDARD[number] for number in row) for row in written]


unseen, truth = draw_dates(200, seed=1)
translations = {name: translate(model, unseen) for name, model in models.items()}
correct = {
    name: 100 * np.mean([a == b for a, b in zip(found, truth, strict=True)])
    for name, found in translations.items()
}
print(reveal(my_guess, correct["local"], what="local, whole dates right", unit="%"))
for name, percent in correct.items():
    print(f"{name:>9}: {percent:.0f}% of whole dates right")
for line in list(zip(unseen, translations["local"], truth, strict=True))[:4]:
    print("{:>20}  -> local: {}  (right: {})".format(*line))

# %% [markdown]
# ## Where does each attend?
#
# When a translator writes the first digit of the **year**, how much of its attention is
# on the four digits of the year in the text?


# %%
def attention_scores(name, texts, standard):
    """Returns the attention matrix of each text, `(texts, 10, letters)`."""
    inputs_of = keras.Model(models[name].inputs, attentions[name].input)
    rows = letters(texts, WRITTEN, LONGEST)
    written = shifted(letters(standard, STANDARD, 10))
    inputs = inputs_of.predict([rows, written], verbose=0)
    return keras.ops.convert_to_numpy(attentions[name].scores(inputs))


for name in attentions:
    on_year = [
        row[0, len(text) - 4 : len(text)].sum() / row[0].sum()
        for row, text in zip(attention_scores(name, unseen, truth), unseen, strict=True)
    ]
    print(f"{name:>9}: {np.mean(on_year):.0%} of the attention on the year")

# %%
date = ["7 may 2043"], ["2043-05-07"]
matrix_figure(
    [attention_scores(name, *date)[0, :, : len(date[0][0])] for name in attentions],
    [list(date[1][0])] * 3,
    [list(date[0][0].replace(" ", "·"))] * 3,
    list(attentions),
    x="letter read",
    y="letter written",
)

# %% [markdown]
# Where does local attention put its window? Here is its position $p$ in eight texts,
# for two of the letters that it writes.

# %%
local = attentions["local"]
inputs_of = keras.Model(models["local"].inputs, local.input)
eight = letters(unseen[:8], WRITTEN, LONGEST), letters(truth[:8], STANDARD, 10)
centres = local.centres(*inputs_of([eight[0], shifted(eight[1])]))
centres = keras.ops.convert_to_numpy(centres)[..., 0]
print("p at the year's first digit:", centres[:, 0].round(1))
print("p at the day's first digit: ", centres[:, 8].round(1))
print("position of the year:       ", [len(text) - 4 for text in unseen[:8]])

# %% [markdown]
# For the first letter it predicts the same position in every text. The decoder has
# written nothing yet, so its state contains nothing about *this* text; but the year
# begins at position 6 in one date and at 14 in another. Local attention assumes that
# the position can be predicted before the text is seen. Between English and German,
# whose words are in nearly the same order, this works well; Luong et al. also fed each
# attention output back to the decoder, which we do not. A wider window depends less on
# the prediction: try `window=5`, which got 90% of the whole dates right when this
# lesson was written.
#
# Each row of the matrices above shows *how much attention each letter of the text
# received when this letter was written*. Some rows of additive and global attention are
# as expected. Others are one letter off, because each state of the encoder also
# contains its neighbours; in rows that seem empty, attention is on the padding after
# the text, which is not shown. **Attention need not be at the position of the
# evidence**, even if the answer is right. Remember this when attention is drawn on an
# image, as in tutorial 2b.
#
# ## Four questions
#
# The taxonomy of Chaudhari et al. asks four questions about any attention: on how many
# **levels** does it work; how many **positions** does it use (all: soft or global; one:
# hard; a window: local); how many **representations** does it weight; and how many
# **sequences** are involved? Here are all layers of the library in this taxonomy.

# %%
for name, row in list_layers().items():
    print(
        f"{name:>18}: {row['positions']:<12} {row['representations']:<24} "
        f"{row['sequences']:<15} {row['sentence']}"
    )

# %% [markdown]
# Find the two that use one position or a window, and the one that has several
# representations.
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
# *What is attention?* A weighted sum whose weights are computed from the input. Papers
# differ in how the fit is computed, in how many positions are used, and in which
# sequence attends to which. What lies outside a local window is lost, as your local
# translator showed. The weights are a part of the computation. That they point at the
# reason for a prediction is an assumption, which can be tested where the reason is
# known.
