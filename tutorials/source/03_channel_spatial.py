# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 3. What do a channel gate and a spatial gate let through?
#
# "Attention" in an image classifier is often simple: numbers between 0 and 1 that
# multiply the feature maps. A block that does this is called a **gate**. You will build
# the two best-known gates line by line:
#
# - **Squeeze-and-Excitation (SE)**: one number for each *channel*.
# - **CBAM**: one number for each channel, and then one for each *position*.
#
# Then you put them into a network with one call, and compare what trained gates really
# let through with the evidence, which we know to the pixel.
#
# You need: what a convolution is. You will be able to: write a gate, insert it into a
# network, count its parameters, and say what its picture shows and what it does not.

# %%
import keras
import numpy as np

from medattn import attach, load_zoo_model
from medattn.data import draw_images
from medattn.explain import gate_maps, pointing_game, relevance_mass
from medattn.layers import CBAM, SpatialAttention, SqueezeExcite
from medattn.teaching import (
    bars_figure,
    check,
    images_figure,
    maps_figure,
    quiz,
    reveal,
)

# %% [markdown]
# ## Feature maps to work on
#
# Here are a drawn retina and its feature maps after the first stage of a trained
# network: 16 x 16 positions, 32 channels. We show four channels, each on its own scale.

# %%
synthetic = draw_images("fundus", range(40))
images = synthetic["image"].astype("float32") / 255
network = load_zoo_model("cbam_micro_resnet")
gate = network.get_layer("conv2_block1_cbam")
features_of = keras.Model(network.input, gate.input)
features = keras.ops.convert_to_numpy(features_of(images[17:18]))
x = features[0]
print("feature maps:", x.shape)
channels = np.argsort(-x.var(axis=(0, 1)))[:4]
scaled = [(x[..., c] - x[..., c].min()) / np.ptp(x[..., c]) for c in channels]
images_figure([images[17], *scaled], ["image", *[f"channel {c}" for c in channels]])

# %% [markdown]
# ## Squeeze, then excite
#
# SE computes how important each channel is for this image:
#
# 1. **Squeeze**: the mean of each channel over all positions, $C$ numbers.
# 2. **Excite**: $W_1$ (to $C/r$ numbers), ReLU, $W_2$ (back to $C$), sigmoid.
# 3. **Scale**: multiply channel $c$ by its score $s_c$.
#
# $$s = \sigma\big(W_2\,\mathrm{relu}(W_1\,\mathrm{mean}_{hw}(x))\big)$$
#
# The bottleneck of $C/r$ units makes the gate cheap, and each score depends on all
# channels.
#
# ### Exercise 1
#
# Write it for one image: `x` is `(height, width, C)`, `W1` `(C, C/r)`, `W2` `(C/r, C)`,
# without biases. Return the scores, `(C,)`. Three lines are enough.


# %% tags=["solution"]
def squeeze_excite(x, W1, W2):
    """Returns one score for each channel, `(channels,)`."""
    squeezed = x.mean(axis=(0, 1))
    hidden = np.maximum(squeezed @ W1, 0)
    return 1 / (1 + np.exp(-(hidden @ W2)))


# %%
check("03.squeeze_excite", squeeze_excite)

# %% [markdown]
# The library's layer with the same weights must give the same scores. Every attention
# layer of medattn has a method `scores(x)`; its `call` multiplies by these scores.

# %%
keras.utils.set_random_seed(0)
layer = SqueezeExcite(ratio=8)
layer.build(features.shape)
by_layer = keras.ops.convert_to_numpy(layer.scores(features))
W1, W2 = layer.get_weights()
by_hand = squeeze_excite(x, W1, W2)
print("library:", by_layer[0, 0, 0, :5].round(4))
print("by hand:", by_hand[:5].round(4))
print(f"largest difference {np.abs(by_layer[0, 0, 0] - by_hand).max():.1e}")

# %% [markdown]
# ## CBAM: which channels, and where
#
# CBAM's channel gate is SE with two squeezes, mean **and** maximum, through the same
# small network. Then comes the spatial gate: the maximum and the mean over channels
# give two maps; a 7 x 7 convolution combines them in the neighbourhood of each
# position; then a sigmoid.
#
# $$M(x) = \sigma\big(\mathrm{conv}_{7\times7}[\max_c x;\ \mathrm{mean}_c x]\big)$$
#
# ### Exercise 2
#
# Write the spatial scores for one image `x`, `(height, width, C)`, and a kernel
# `(k, k, 2)`: channel 0 of the kernel belongs to the maximum, channel 1 to the mean.
# Pad with zeros, so that the result is `(height, width)`. A double loop is fine.


# %% tags=["solution"]
def spatial_scores(x, kernel):
    """Returns one score for each position, `(height, width)`."""
    pooled = np.stack([x.max(axis=-1), x.mean(axis=-1)], axis=-1)
    k = len(kernel)
    padded = np.pad(pooled, ((k // 2, k // 2), (k // 2, k // 2), (0, 0)))
    z = np.zeros(x.shape[:2])
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            z[i, j] = (padded[i : i + k, j : j + k] * kernel).sum()
    return 1 / (1 + np.exp(-z))


# %%
check("03.spatial_scores", spatial_scores)

# %% [markdown]
# Again we compare with the library's layer. It has a batch norm (as the authors' code
# has, but not the formula in the paper), which is untrained here and changes almost
# nothing: it divides by $\sqrt{1 + 10^{-5}}$.

# %%
layer = SpatialAttention(kernel_size=7)
layer.build(features.shape)
by_layer = keras.ops.convert_to_numpy(layer.scores(features))[0, ..., 0]
by_hand = spatial_scores(x, layer.get_weights()[0][..., 0])
print(f"largest difference {np.abs(by_layer - by_hand).max():.1e}")

# %% [markdown]
# ## Put it into a network
#
# `attach` inserts a block after chosen layers of *any* functional Keras model; the new
# model shares all weights of the old one. A gate with the start `"identity"` has score
# 1 everywhere, so the network computes exactly the same as before. With the papers'
# start the scores are about one half: after three gates in a row, one eighth of the
# signal is left.

# %%
plain = load_zoo_model("micro_resnet")
before = plain.predict(images[:4], verbose=0)
for start in ("identity", "paper"):
    gated = attach(plain, CBAM(ratio=8, start=start), "conv*_block1_3_bn")
    after = gated.predict(images[:4], verbose=0)
    added = gated.count_params() - plain.count_params()
    print(
        f"{start:>8}: logits change by up to {np.abs(after - before).max():.3f}, "
        f"{added} more parameters"
    )

# %% [markdown]
# This is why pretraining and attention are easily confounded. If a new block changes
# the input of the trained layers after it, the network has to be trained again. In the
# survey that we follow, three of the four networks with gates were trained from
# scratch, and the others started from ImageNet weights.
#
# ## What do trained gates let through?
#
# Back to the trained CBAM network. It has three gates, at resolutions 16 x 16, 8 x 8
# and 4 x 4.
#
# **Predict first.** Lesions cover about 3% of these images. If spatial gates "attend to
# the lesion", their scores should be large there. What percentage of the first gate's
# total score will lie inside the evidence?

# %%
my_guess = None  # per cent

# %%
diseased = np.flatnonzero(synthetic["label"] == 1)
evidence = synthetic["evidence"][diseased]
gates = gate_maps(network, images[diseased], kind="spatial")
large = {
    name: np.kron(scores[..., 0], np.ones((64 // scores.shape[1],) * 2))
    for name, scores in gates.items()
}
first = next(iter(large))
inside = 100 * np.nanmean(relevance_mass(large[first], evidence))
area = 100 * evidence.mean()
print(reveal(my_guess, inside, what="inside the evidence", unit="%"))
print(f"the evidence covers {area:.1f} % of the image, as a uniform gate would score")

# %%
index = list(diseased).index(17)
maps_figure(
    [None, *[images[17]] * 3],
    [synthetic["evidence"][17], *[large[name][index] for name in large]],
    ["evidence", *[name.split("_cbam")[0] for name in large]],
    label="score of the position",
    low=0,
    high=1,
)

# %% [markdown]
# A gate is a **dimmer, not a spotlight**. Its scores do not sum to one. A position with
# score 0.3 is not ignored: its features are three times weaker, and the next batch norm
# may undo that. And the gate does not show *what* the features contain, only by how
# much they are multiplied.
#
# Let us measure. The relevance mass is the fraction of the total score inside the
# evidence; the pointing game tests whether the largest score lies there.

# %%
bars_figure(
    {
        name.split("_cbam")[0]: 100 * np.nanmean(relevance_mass(large[name], evidence))
        for name in large
    },
    label=f"score inside the evidence, % (mean of {len(diseased)} drawings)",
    line=area,
    line_label="a uniform gate",
)

# %%
for name in large:
    hits = np.nanmean(pointing_game(large[name], evidence))
    print(f"{name}: the maximum lies on evidence in {100 * hits:.0f}% of the images")

# %% [markdown]
# ## And the channels?
#
# A channel gate has no positions to draw. Does it at least depend on the image? SE
# promises to recalibrate the channels *by the input*. Compare the standard deviation of
# its scores between images with that between channels.

# %%
channel = gate_maps(network, images, kind="channel")
for name, scores in channel.items():
    scores = scores[:, 0, 0]  # (images, channels)
    between_images = scores.std(axis=0).mean()
    between_channels = scores.mean(axis=0).std()
    print(
        f"{name}: between channels {between_channels:.2f}, "
        f"between images {between_images:.2f}"
    )

# %% [markdown]
# If the second number is much smaller than the first, the gate is nearly a constant: it
# increases the same channels and decreases the same others in every image. It could be
# folded into the convolution before it, at no cost. Papers seldom report this; now you
# can measure it.
#
# ## What to do next
#
# - In the app, open *Explore*, set **attention** to SE and to CBAM on the same image.
# - Attach `EfficientChannelAttention` or `CoordinateAttention` (`list_layers()` has
#   fourteen) and repeat the measurements above.
#
# ## Quiz

# %%
quiz("03_channel_spatial")

# %% [markdown]
# ## Read more
#
# - J. Hu, L. Shen, G. Sun, Squeeze-and-excitation networks, CVPR, 2018.
#   <https://doi.org/10.1109/CVPR.2018.00745>
# - S. Woo et al., CBAM: convolutional block attention module, ECCV, 2018.
#   <https://doi.org/10.1007/978-3-030-01234-2_1>
# - Q. Wang et al., ECA-Net: efficient channel attention for deep convolutional neural
#   networks, CVPR, 2020. <https://arxiv.org/abs/1910.03151>
# - S. Jain, B. C. Wallace, Attention is not explanation, NAACL, 2019.
#   <https://arxiv.org/abs/1902.10186>

# %% [markdown]
# ## The answer
#
# *What do a channel gate and a spatial gate let through?* A channel gate multiplies
# each feature map by a score that it computes from means and maxima; a spatial gate
# does the same with each position. Both are dimmers. The distance of your bars from the
# line of the uniform gate says how much this gate attends to the lesion. The picture of
# a gate shows one part of the computation exactly, but it does not explain the
# prediction.
