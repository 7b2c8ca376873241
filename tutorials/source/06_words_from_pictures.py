# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 6. Which words look where?
#
# A radiologist writes a report. Could a network? It has to do two things: find words
# that fit the picture, and say them in an order. With attention it looks at other
# regions for other words, and one can watch it. "Effusion *left*" should be written
# while looking left. Should it?
#
# You will train a tiny writer of reports on drawn chest films, whose truth we know word
# by word, measure where it looks, and align whole reports with whole pictures.
#
# Nothing here reads real films, and nothing here is for diagnosis: "left" is the left
# of the *picture*, and the language has ten words.
#
# You need: tutorial 2. You will be able to: read attention over regions, and test
# whether it is where the evidence is.

# %%
import keras
import numpy as np
from keras import layers

from medattn import load_zoo_model
from medattn.data import draw_images
from medattn.layers import SoftAttention
from medattn.models.deit import PositionEmbedding
from medattn.teaching import check, images_figure, maps_figure, quiz, reveal
from medattn.teaching.reports import (
    LONGEST,
    WORDS,
    read_words,
    report_texts,
    word_numbers,
)

# %% [markdown]
# ## Films and their reports

# %%
train = draw_images("chest", range(400), split="train")
test = draw_images("chest", range(120))
texts, test_texts = report_texts(train), report_texts(test)
images_figure(
    [test["image"][i] / 255 for i in range(4)],
    [test_texts[i].replace(" and ", "\nand ") for i in range(4)],
)

# %% [markdown]
# The pictures are read by a network that was trained to tell films with an effusion
# from those without: its 8 x 8 feature map gives 64 **regions**. It stays as it is;
# only the writer learns. So the features can be computed once.

# %%
reader = load_zoo_model("micro_resnet", dataset="chest")
regions_of = keras.Model(reader.input, reader.get_layer("conv3_block1_out").output)


def regions(drawn):
    """Returns the regions of each film, `(films, 64, channels)`."""
    maps = regions_of.predict(drawn["image"] / 255.0, verbose=0)
    return maps.reshape(len(maps), 64, -1)


seen, test_seen = regions(train), regions(test)
print("regions:", seen.shape)

# %% [markdown]
# ## A writer that looks
#
# Before each word the writer (an LSTM) asks all regions and gets their weighted mean:
# Xu et al.'s soft attention. A learnt position is added to each region, or it could not
# know left from right.

# %%
START = WORDS.index("<start>")


def shifted(rows):
    """What the writer has written so far, before each word."""
    first = np.full((len(rows), 1), START, "int32")
    return np.concatenate([first, rows[:, :-1]], axis=1)


keras.utils.set_random_seed(0)
places = keras.Input(seen.shape[1:])
written = keras.Input((LONGEST,), dtype="int32")
values = PositionEmbedding(name="position")(layers.Dense(48)(places))
states = layers.Embedding(len(WORDS), 24)(written)
states = layers.LSTM(48, return_sequences=True)(states)
attention = SoftAttention(units=32, name="attention")
context = attention([states, values])
both = layers.Concatenate()([states, context])
logits = layers.Dense(len(WORDS))(layers.Dense(48, activation="relu")(both))
writer = keras.Model([places, written], logits)
writer.compile(
    keras.optimizers.Adam(5e-3),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    jit_compile=False,
)
words = word_numbers(texts)
losses = writer.fit([seen, shifted(words)], words, 32, epochs=40, verbose=0)
print("loss:", np.round(losses.history["loss"][::8], 2))


def write(places):
    """Writes reports word by word, each from those before."""
    done = np.full((len(places), LONGEST), START, "int32")
    for word in range(LONGEST):
        inputs = [places, shifted(done)]
        found = writer.predict(inputs, verbose=0, batch_size=128)
        done[:, word] = found[:, word].argmax(axis=-1)
    return [read_words(row) for row in done]


# %% [markdown]
# ## Is the report right?
#
# Word overlap flatters: "medium effusion left" and "medium effusion right" share two
# words of three, and one of them sends the needle to the wrong side. So score the
# **findings**.
#
# ### Exercise 1
#
# Write the share of films in which a report names the right sides. `reports` and
# `truths` are lists of texts; the sides of a report are the set of `"left"` and
# `"right"` in it (empty for "no effusion"), and a film counts if both sets are equal.


# %% tags=["solution"]
def sides_right(reports, truths):
    """Returns the share of reports that name exactly the right sides."""
    sides = [
        [{word for word in text.split() if word in ("left", "right")} for text in both]
        for both in (reports, truths)
    ]
    return np.mean([a == b for a, b in zip(*sides, strict=True)])


# %%
check("06.sides_right", sides_right)

# %% [markdown]
# **Predict first.** In what share of new films, in per cent, will the writer name the
# right sides? Always saying "no effusion" would be right in a bit less than half.

# %%
my_guess = None  # per cent

# %%
reports = write(test_seen)
stamp = ["no effusion"] * len(reports)
whole = np.mean([a == b for a, b in zip(reports, test_texts, strict=True)])
score = 100 * sides_right(reports, test_texts)
print(reveal(my_guess, score, what="right sides", unit="%"))
print(f"always 'no effusion': {sides_right(stamp, test_texts):.0%} right sides")
print(f"whole report right, sizes and all: {whole:.0%}")
for mine, truth in list(zip(reports, test_texts, strict=True))[:5]:
    print(f"  wrote: {mine:<48} truth: {truth}")

# %% [markdown]
# ## Where did it look?
#
# For films with an effusion on one side, we take the writer's attention while it writes
# the word `left` or `right`, with the true report up to there.

# %%
look = keras.Model(writer.input, attention.input)


def looks(places, texts):
    """Returns attention of each word to each region, `(films, LONGEST, 8, 8)`."""
    rows = shifted(word_numbers(texts))
    inputs = look.predict([places, rows], verbose=0)
    scores = keras.ops.convert_to_numpy(attention.scores(inputs))
    return scores.reshape(len(scores), LONGEST, 8, 8)


one_side = [i for i, t in enumerate(test_texts) if t.split()[-1] in ("left", "right")]
one_side = [i for i in one_side if "and" not in test_texts[i]]
gaze = looks(test_seen[one_side], [test_texts[i] for i in one_side])
first = one_side[0]
maps_figure(
    [None, *[test["image"][first] / 255] * 3],
    [test["evidence"][first] * gaze[0].max(), *gaze[0, :3]],
    ["evidence", *[f"while writing\n{word!r}" for word in test_texts[first].split()]],
    label="attention to the region",
)

# %%
side_word = np.kron(gaze[:, 2], np.ones((8, 8)))  # as large as the film
masks = test["evidence"][one_side]
share = (side_word * masks).sum(axis=(1, 2)) / side_word.sum(axis=(1, 2))
left_half = gaze[:, 2, :, :4].sum(axis=(1, 2))
is_left = np.array([test_texts[i].endswith("left") for i in one_side])
print(f"attention on the evidence: {share.mean():.0%}, an even gaze {masks.mean():.0%}")
print(f"in the left half while writing 'left':  {left_half[is_left].mean():.0%}")
print(f"in the left half while writing 'right': {left_half[~is_left].mean():.0%}")

# %% [markdown]
# Read the last two lines together. If both are alike, the writer does not decide the
# side by where it looks: a region's features can tell of the other side, too, by their
# *absence*, and the state of the LSTM remembers what it saw before. The report can be
# right and the gaze elsewhere.
#
# ## Aligning whole pictures with whole reports
#
# The other way to bring words and pictures together is **contrastive**: put both into
# one space, so that a film is nearer to its own report than to the others of the batch.
#
# ### Exercise 2
#
# Write the loss for a batch: `pictures` and `words` are `(n, d)` with rows of length
# one. Similarities are all products, divided by `temperature`. The loss of film $i$ is
# the cross-entropy of choosing report $i$ among all; return the mean over films.


# %% tags=["solution"]
def contrastive_loss(pictures, words, temperature=0.1):
    """Returns the mean cross-entropy of finding each film's own report."""
    fit = pictures @ words.T / temperature
    fit = fit - fit.max(axis=1, keepdims=True)
    log_share = fit - np.log(np.exp(fit).sum(axis=1, keepdims=True))
    return -np.mean(np.diag(log_share))


# %%
check("06.contrastive_loss", contrastive_loss)

# %%
rng = np.random.default_rng(0)
pictures = rng.normal(size=(16, 8))
pictures /= np.linalg.norm(pictures, axis=1, keepdims=True)
print(f"reports that fit:   {contrastive_loss(pictures, pictures):.2f}")
print(f"reports mixed up:   {contrastive_loss(pictures, pictures[::-1]):.2f}")
alike = pictures[:1].repeat(16, axis=0)
print(f"all reports alike:  {contrastive_loss(pictures, alike):.2f}")
print(f"log of 16:          {np.log(16):.2f}")

# %% [markdown]
# One catch is seen at once in *our* reports: many films have the very same text.

# %%
same = np.mean([texts.count(text) - 1 for text in texts]) / (len(texts) - 1)
print(f"two films drawn at random have the same report in {same:.0%} of the cases")

# %% [markdown]
# The loss then punishes a film for being near to another film's identical report. Such
# **false negatives** are common in radiology, where most findings are normal; it is one
# reason why contrastive training there needs care.
#
# ## Quiz

# %%
quiz("06_words_from_pictures")

# %% [markdown]
# ## Read more
#
# - K. Xu et al., Show, attend and tell: neural image caption generation with visual
#   attention, ICML, 2015. <https://arxiv.org/abs/1502.03044>
# - B. Jing, P. Xie, E. Xing, On the automatic generation of medical imaging reports,
#   ACL, 2018. <https://doi.org/10.18653/v1/P18-1240>
# - Y. Zhang et al., Contrastive learning of medical visual representations from paired
#   images and text, MLHC, 2022. <https://arxiv.org/abs/2010.00747>
# - A. Radford et al., Learning transferable visual models from natural language
#   supervision, ICML, 2021. <https://arxiv.org/abs/2103.00020>

# %% [markdown]
# ## The answer
#
# *Which words look where?* Your numbers say it for this writer: how much of its gaze
# lies on the evidence, and whether the gaze moves with the side it names. A right word
# does not prove a right gaze, nor a right gaze a right word; both can be measured, and
# reports should be scored by their findings.
