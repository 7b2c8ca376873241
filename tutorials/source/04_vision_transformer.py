# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 4. What does a vision transformer look at, and why do few images hurt it?
#
# A convolution knows before it has seen anything that neighbours belong together, and
# that a spot is a spot wherever it lies. A vision transformer knows neither. It cuts
# the image into patches, and lets every patch look at every other.
#
# You will cut the patches and write self-attention with numpy, check it against the
# library, see where a small trained DeiT looks, and measure what its ignorance costs
# when there are few images.
#
# You need: matrix products, softmax. You will be able to: write an attention head, read
# a rollout, and say what such a picture is worth.

# %%
import keras
import numpy as np

from medattn import load_zoo_model
from medattn.data import draw_images
from medattn.explain import (
    attention_heads,
    class_token_maps,
    explainer,
    pixel_map,
    relevance_mass,
)
from medattn.layers import MultiHeadSelfAttention
from medattn.study.analyse.scores import auroc
from medattn.teaching import (
    check,
    images_figure,
    lines_figure,
    maps_figure,
    quiz,
    reveal,
)
from medattn.zoo import list_zoo_models

# %% [markdown]
# ## An image as a row of words
#
# We work on drawn skin lesions. What makes one malignant here is drawn into it, and
# known to the pixel.
#
# ### Exercise 1
#
# Cut `image`, `(height, width, channels)`, into squares of `size` pixels, row by row,
# and lay each out flat: `(patches, size * size * channels)`. With `reshape` and
# `swapaxes` it is two lines; loops are fine.


# %% tags=["solution"]
def patches(image, size):
    """Cuts an image into flat patches, `(patches, size * size * channels)`."""
    height, width, channels = image.shape
    grid = image.reshape(height // size, size, width // size, size, channels)
    return grid.swapaxes(1, 2).reshape(-1, size * size * channels)


# %%
check("04.patches", patches)

# %%
test = draw_images("dermoscopy", range(160))
images, labels = test["image"].astype("float32") / 255, test["label"]
words = patches(images[0], 8)
print("words:", words.shape, "of", images[0].shape)
mixed = np.random.default_rng(0).permutation(64)
shown = [words.reshape(8, 8, 8, 8, 3), words[mixed].reshape(8, 8, 8, 8, 3)]
shown = [grid.swapaxes(1, 2).reshape(64, 64, 3) for grid in shown]
images_figure(shown, ["patches in order", "patches mixed"])

# %% [markdown]
# To attention alone both are the same picture: it treats words as a *set*. Where a
# patch lies it is told by a learnt position, added to each word.
#
# ## One head
#
# Each word $x_i$ makes a query $q_i$ (what do I look for?), a key $k_i$ (what am I?)
# and a value $v_i$ (what do I have to say?), each by a matrix. How well key $j$ fits
# query $i$ decides how much of value $j$ goes to $i$:
#
# $$A = \mathrm{softmax}\Big(\frac{QK^T}{\sqrt{d}}\Big), \qquad Y = AV,$$
#
# with the softmax along each row, so that each word shares out exactly one.
#
# ### Exercise 2
#
# Write one head. `x` is `(tokens, dim)`, the three matrices `(dim, d)`. Return the
# scores $A$ and the answers $Y$. Take the largest of a row away before `exp`, or large
# numbers overflow.


# %% tags=["solution"]
def attention_head(x, W_query, W_key, W_value):
    """Returns scores, `(tokens, tokens)`, and answers, `(tokens, d)`."""
    query, key, value = x @ W_query, x @ W_key, x @ W_value
    fit = query @ key.T / np.sqrt(query.shape[-1])
    weight = np.exp(fit - fit.max(axis=1, keepdims=True))
    scores = weight / weight.sum(axis=1, keepdims=True)
    return scores, scores @ value


# %%
check("04.attention_head", attention_head)

# %% [markdown]
# Several heads are several such matrices side by side, each on its share of the
# channels. The library's layer with two heads, and ours called twice:

# %%
keras.utils.set_random_seed(0)
layer = MultiHeadSelfAttention(heads=2, use_bias=False)
tokens = np.random.default_rng(1).normal(size=(1, 5, 8)).astype("float32")
layer.build(tokens.shape)
by_layer = keras.ops.convert_to_numpy(layer.scores(tokens))[0]
query, key, value = (w.kernel.numpy() for w in (layer.query, layer.key, layer.value))
for head in range(2):
    share = slice(4 * head, 4 * head + 4)
    ours, _ = attention_head(tokens[0], query[:, share], key[:, share], value[:, share])
    print(f"head {head}: largest difference {np.abs(ours - by_layer[head]).max():.1e}")

# %% [markdown]
# ## Few images
#
# The shipped networks were trained on 1, 10, 50 and 100% of the drawn moles, the same
# number of steps each, so that fewer images do not also mean less training. We test a
# micro DeiT and a micro ResNet on 160 drawings that they have not seen.
#
# **Predict first.** With 1% of the images, what AUROC will the *transformer* reach? 0.5
# is chance.

# %%
my_guess = None

# %%
regimes = (0.01, 0.1, 0.5, 1.0)
trained = {
    (name, regime): load_zoo_model(name, dataset="dermoscopy", regime=regime)
    for name in ("micro_resnet", "micro_deit")
    for regime in regimes
}
scores = {}
for key, model in trained.items():
    logits = model.predict(images, verbose=0)
    scores[key] = auroc(labels == 1, logits[:, 1] - logits[:, 0])
print(reveal(my_guess, scores["micro_deit", 0.01], what="DeiT, 1%", digits=2))

# %%
seen = {
    record["trial"]["regime"]: record["measured"]["train_images"]
    for record in list_zoo_models("dermoscopy")
}
lines_figure(
    {
        name: (range(4), [scores[name, regime] for regime in regimes])
        for name in ("micro_resnet", "micro_deit")
    },
    x="training images",
    y="AUROC on 160 drawings",
    ticks=[str(seen[regime]) for regime in regimes],
)

# %% [markdown]
# One seed, one data set, 160 test images: the distance of two points has an interval
# that is not drawn. What can be said is which of the two depends more on the number of
# images. Tutorial 8 shows how to say more.
#
# ## Where does it look?
#
# The logit is read from the **class token**, an extra word. Its row of $A$ says how
# much each patch is worth to it, in each layer and head.

# %%
model = trained["micro_deit", 1.0]
malignant = np.flatnonzero((labels == 1) & test["evidence"].any(axis=(1, 2)))
one = malignant[0]
looks = class_token_maps(model, images[one : one + 1])[0]  # (layers, heads, 64, 64)
names = [f"layer {i}, head {j}" for i in range(3) for j in range(2)]
maps_figure(
    [images[one]] * 6,
    list(looks.reshape(6, 64, 64)),
    names,
    label="the class token's attention to the patch",
    columns=3,
)

# %% [markdown]
# Two heads of one layer rarely look at the same. And each layer looks at words that
# have already taken from others, so that a patch's *word* is no longer that patch's
# *image*. **Rollout** follows the attention through all layers by multiplying the
# matrices, with half of each kept for the residual connection.

# %%
heads = attention_heads(model, images[one : one + 1])[0]
roll = np.eye(65)
for layer_scores in heads:
    roll = (layer_scores.mean(axis=0) + np.eye(65)) / 2 @ roll
by_hand = roll[0, 1:]
print(f"rollout by hand: {by_hand.sum():.2f} of the class token's 1.00 go to patches")
print(f"the most watched patch gets {by_hand.max():.3f}, an even share {1 / 64:.3f}")

# %%
some = malignant[:24]
evidence = test["evidence"][some]
found = {
    "rollout": pixel_map(explainer("attention.rollout", 1)(model)(images[some])),
    "attention x gradient": pixel_map(
        explainer("attention.transformer", 1)(model)(images[some])
    ),
}
area = 100 * evidence.mean()
for name, maps in found.items():
    inside = 100 * np.nanmean(relevance_mass(maps, evidence))
    print(f"{name:>20}: {inside:.0f}% inside the evidence, an even map {area:.0f}%")
maps_figure(
    [None, images[one], images[one]],
    [test["evidence"][one], *[m[0] / m[0].max() for m in found.values()]],
    ["evidence", *found],
    label="share of the map's largest value",
)

# %% [markdown]
# Rollout has no class in it: it is the same map for "benign" and for "malignant". It
# shows where information *could have come from*, not what it said. A map that is the
# same for two opposite answers explains neither.
#
# ## Quiz

# %%
quiz("04_vision_transformer")

# %% [markdown]
# ## Read more
#
# - A. Vaswani et al., Attention is all you need, NeurIPS, 2017.
#   <https://arxiv.org/abs/1706.03762>
# - A. Dosovitskiy et al., An image is worth 16x16 words: transformers for image
#   recognition at scale, ICLR, 2021. <https://arxiv.org/abs/2010.11929>
# - H. Touvron et al., Training data-efficient image transformers and distillation
#   through attention, ICML, 2021. <https://arxiv.org/abs/2012.12877>
# - S. Abnar, W. Zuidema, Quantifying attention flow in transformers, ACL, 2020.
#   <https://arxiv.org/abs/2005.00928>

# %% [markdown]
# ## The answer
#
# *What does a vision transformer look at?* At every patch, in every head, to a degree
# that its scores say exactly; what it *saw* there the scores do not say. *Why do few
# images hurt it?* It has to learn what a convolution is built with: that neighbours
# belong together, and that a spot may lie anywhere. Your curves say what that cost
# here.
