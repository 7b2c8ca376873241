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
# Two assumptions are built into a convolution: neighbouring pixels belong together, and
# a spot is a spot wherever it lies. A vision transformer has neither. It cuts the image
# into patches, and lets every patch attend to every other.
#
# You will cut the patches and write self-attention in numpy, check it against the
# library, see where a small trained DeiT attends, and measure what the missing
# assumptions cost when there are few images.
#
# You need: matrix products, softmax. You will be able to: write an attention head, read
# a rollout map, and say what such a map shows and what it does not.

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
# ## An image as a sequence of tokens
#
# We work on drawn skin lesions. We know to the pixel what makes a drawing malignant. A
# transformer reads a sequence of vectors, its **tokens**; here each patch becomes a
# token.
#
# ### Exercise 1
#
# Cut `image`, `(height, width, channels)`, into squares of `size` pixels, row by row,
# and flatten each: `(patches, size * size * channels)`. With `reshape` and `swapaxes`
# it is two lines; loops are fine.


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
flat = patches(images[0], 8)
print("patches:", flat.shape, "of an image:", images[0].shape)
order = np.random.default_rng(0).permutation(64)
grids = [flat.reshape(8, 8, 8, 8, 3), flat[order].reshape(8, 8, 8, 8, 3)]
pictures = [grid.swapaxes(1, 2).reshape(64, 64, 3) for grid in grids]
images_figure(pictures, ["patches in order", "patches shuffled"])

# %% [markdown]
# For attention alone both are the same picture: it treats the tokens as a *set*. A
# learnt **position embedding**, added to each token, says where its patch lies.
#
# ## One head
#
# From each token $x_i$, three matrices compute a query $q_i$ (what does this token look
# for?), a key $k_i$ (what does it offer?) and a value $v_i$ (what does it pass on?).
# How well key $j$ fits query $i$ decides how much of value $j$ goes to token $i$:
#
# $$A = \mathrm{softmax}\Big(\frac{QK^T}{\sqrt{d}}\Big), \qquad Y = AV,$$
#
# with the softmax along each row, so that the weights of each token sum to one.
#
# ### Exercise 2
#
# Write one head. `x` is `(tokens, dim)`, the three matrices `(dim, d)`. Return the
# scores $A$ and the answers $Y$. Subtract the maximum of each row before `exp`;
# otherwise large numbers overflow.


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
# Several heads are several such matrices in parallel, each for a part of the channels.
# Here are the library's layer with two heads, and your head called twice:

# %%
keras.utils.set_random_seed(0)
layer = MultiHeadSelfAttention(heads=2, use_bias=False)
tokens = np.random.default_rng(1).normal(size=(1, 5, 8)).astype("float32")
layer.build(tokens.shape)
by_layer = keras.ops.convert_to_numpy(layer.scores(tokens))[0]
query, key, value = (w.kernel.numpy() for w in (layer.query, layer.key, layer.value))
for head in range(2):
    part = slice(4 * head, 4 * head + 4)
    ours, _ = attention_head(tokens[0], query[:, part], key[:, part], value[:, part])
    print(f"head {head}: largest difference {np.abs(ours - by_layer[head]).max():.1e}")

# %% [markdown]
# ## Few images
#
# The shipped networks were trained on 1, 10, 50 and 100% of the drawn moles, with the
# same number of steps each, so that fewer images do not also mean less training. We
# test a micro DeiT and a micro ResNet on 160 new drawings.
#
# **Predict first.** With 1% of the images, which AUROC does the *transformer* reach? A
# random guess has 0.5.

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
training_images = {
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
    ticks=[str(training_images[regime]) for regime in regimes],
)

# %% [markdown]
# This is one seed, one data set and 160 test images: the difference between two points
# has an interval, which is not drawn. We can only say which of the two depends more on
# the number of images. Tutorial 8 shows how to say more.
#
# ## Where does it attend?
#
# The logit is computed from the **class token**, an extra token. Its row of $A$ says
# how much attention it gives to each patch, in each layer and head.

# %%
model = trained["micro_deit", 1.0]
malignant = np.flatnonzero((labels == 1) & test["evidence"].any(axis=(1, 2)))
one = malignant[0]
token_maps = class_token_maps(model, images[one : one + 1])[0]
names = [f"layer {i}, head {j}" for i in range(3) for j in range(2)]
maps_figure(
    [images[one]] * 6,
    list(token_maps.reshape(6, 64, 64)),  # from (layers, heads, 64, 64)
    names,
    label="the class token's attention to the patch",
    columns=3,
)

# %% [markdown]
# Two heads of one layer rarely attend to the same patches. And after the first layer
# each token already contains values of other tokens, so a patch's *token* no longer
# describes only that *patch*. **Rollout** follows the attention through all layers by
# multiplying the matrices; the average with the identity matrix stands for the residual
# connection.

# %%
heads = attention_heads(model, images[one : one + 1])[0]
rollout = np.eye(65)
for layer_scores in heads:
    rollout = (layer_scores.mean(axis=0) + np.eye(65)) / 2 @ rollout
by_hand = rollout[0, 1:]
print(f"rollout by hand: {by_hand.sum():.2f} of the class token's 1.00 on the patches")
print(f"maximum {by_hand.max():.3f}; uniform over patches would be {1 / 64:.3f}")

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
    print(f"{name:>20}: {inside:.0f}% inside the evidence, a uniform map {area:.0f}%")
maps_figure(
    [None, images[one], images[one]],
    [test["evidence"][one], *[m[0] / m[0].max() for m in found.values()]],
    ["evidence", *found],
    label="map, divided by its maximum",
)

# %% [markdown]
# Rollout does not depend on the class: it is the same map for "benign" and for
# "malignant". It shows where information *could have come from*, not what the
# information was. A map that is the same for two opposite predictions explains neither.
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
# *What does a vision transformer look at?* At every patch, in every head; the scores
# say exactly how much, but not what information it takes from there. *Why do few images
# hurt it?* It has to learn what is built into a convolution: that neighbours belong
# together, and that a spot may lie anywhere. Your curves show what that cost here.
