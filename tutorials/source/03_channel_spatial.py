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
# "Attention" in an image classifier is often a small thing: numbers between 0 and 1
# that multiply the feature maps. You will build the two best-known ones line by line:
#
# - **Squeeze-and-Excitation (SE)**: one number a *channel*.
# - **CBAM**: one number a channel, and then one a *place*.
#
# Then you put them into a network with one call, and look at what trained gates really
# let through, beside the evidence that we know to the pixel.
#
# You need: what a convolution is. You will be able to: write a gate, place it, count
# it, and say what its picture does and does not show.

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
# A drawn retina, and the feature maps that the first stage of a trained network makes
# of it: 16 x 16 places, 32 channels. We show four channels, each on its own scale.

# %%
drawn = draw_images("fundus", range(40))
images = drawn["image"].astype("float32") / 255
network = load_zoo_model("cbam_micro_resnet")
gate = network.get_layer("conv2_block1_cbam")
features_of = keras.Model(network.input, gate.input)
features = keras.ops.convert_to_numpy(features_of(images[17:18]))
x = features[0]
print("feature maps:", x.shape)
some = np.argsort(-x.var(axis=(0, 1)))[:4]
shown = [(x[..., c] - x[..., c].min()) / np.ptp(x[..., c]) for c in some]
images_figure([images[17], *shown], ["image", *[f"channel {c}" for c in some]])

# %% [markdown]
# ## Squeeze, then excite
#
# SE asks of each channel: *are you worth it for this image?*
#
# 1. **Squeeze**: the mean of each channel over all places, $C$ numbers.
# 2. **Excite**: $W_1$ (to $C/r$ numbers), ReLU, $W_2$ (back to $C$), sigmoid.
# 3. **Scale**: multiply channel $c$ by its score $s_c$.
#
# $$s = \sigma\big(W_2\,\mathrm{relu}(W_1\,\mathrm{mean}_{hw}(x))\big)$$
#
# The bottleneck $C/r$ makes it cheap, and makes channels compete for what is passed on.
#
# ### Exercise 1
#
# Write it for one image: `x` is `(height, width, C)`, `W1` `(C, C/r)`, `W2` `(C/r, C)`,
# without biases. Return the scores, `(C,)`. Three lines.


# %% tags=["solution"]
def squeeze_excite(x, W1, W2):
    """Returns one score a channel, `(channels,)`."""
    squeezed = x.mean(axis=(0, 1))
    hidden = np.maximum(squeezed @ W1, 0)
    return 1 / (1 + np.exp(-(hidden @ W2)))


# %%
check("03.squeeze_excite", squeeze_excite)

# %% [markdown]
# The library's layer must agree, weight for weight. Every attention layer of medattn
# has `scores(x)`, the very numbers that its `call` multiplies with.

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
# small network. Then comes the spatial gate: at each place take the maximum and the
# mean over channels, two maps; a 7 x 7 convolution looks at the surroundings; then a
# sigmoid.
#
# $$M(x) = \sigma\big(\mathrm{conv}_{7\times7}[\max_c x;\ \mathrm{mean}_c x]\big)$$
#
# ### Exercise 2
#
# Write the spatial scores for one image `x`, `(height, width, C)`, and a kernel
# `(k, k, 2)`: channel 0 of the kernel meets the maximum, channel 1 the mean. Pad with
# zeros, so that the result is `(height, width)`. A double loop is fine.


# %% tags=["solution"]
def spatial_scores(x, kernel):
    """Returns one score a place, `(height, width)`."""
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
# Again beside the library's layer. Its batch norm (which stands in the authors' code,
# not in the paper's formula) is fresh here and changes almost nothing: it divides by
# $\sqrt{1 + 10^{-5}}$.

# %%
layer = SpatialAttention(kernel_size=7)
layer.build(features.shape)
by_layer = keras.ops.convert_to_numpy(layer.scores(features))[0, ..., 0]
by_hand = spatial_scores(x, layer.get_weights()[0][..., 0])
print(f"largest difference {np.abs(by_layer - by_hand).max():.1e}")

# %% [markdown]
# ## Put it into a network
#
# `attach` puts a block behind chosen layers of *any* functional Keras model and shares
# all its weights. A gate that starts as `"identity"` scores 1 everywhere, so that the
# network computes exactly what it did. The papers' own start is about one half: three
# gates in a row, and an eighth of the signal is left.

# %%
plain = load_zoo_model("micro_resnet")
before = plain.predict(images[:4], verbose=0)
for start in ("identity", "paper"):
    gated = attach(plain, CBAM(ratio=8, start=start), "conv*_block1_3_bn")
    after = gated.predict(images[:4], verbose=0)
    added = gated.count_params() - plain.count_params()
    print(
        f"{start:>8}: logits move by up to {np.abs(after - before).max():.3f},", end=""
    )
    print(f" {added} parameters more")

# %% [markdown]
# This is why pretraining and attention are easily confused. A block that upsets the
# trained network behind it has to be trained anew; in the survey that we follow, three
# of the four networks with gates were trained from scratch and their rivals from
# ImageNet.
#
# ## What do trained gates let through?
#
# Back to the trained CBAM network. It has three gates, at 16, 8 and 4 places a side.
#
# **Predict first.** Lesions cover about 3% of these images. If spatial gates "attend to
# the lesion", their weight should concentrate on it. What share of the first gate's
# total weight, in per cent, will lie inside the evidence?

# %%
my_guess = None  # per cent

# %%
diseased = np.flatnonzero(drawn["label"] == 1)
evidence = drawn["evidence"][diseased]
gates = gate_maps(network, images[diseased], kind="spatial")
large = {
    name: np.kron(scores[..., 0], np.ones((64 // scores.shape[1],) * 2))
    for name, scores in gates.items()
}
first = next(iter(large))
inside = 100 * np.nanmean(relevance_mass(large[first], evidence))
area = 100 * evidence.mean()
print(reveal(my_guess, inside, what="inside the evidence", unit="%"))
print(f"the evidence covers {area:.1f} % of the image: what an even gate would score")

# %%
place = list(diseased).index(17)
maps_figure(
    [None, *[images[17]] * 3],
    [drawn["evidence"][17], *[large[name][place] for name in large]],
    ["evidence", *[name.split("_cbam")[0] for name in large]],
    label="weight of the place",
    low=0,
    high=1,
)

# %% [markdown]
# A gate is a **dimmer, not a spotlight**. Its weights do not sum to one; a place with
# weight 0.3 is not ignored, its features are three times weaker, and the next batch
# norm may undo that. And what is *in* the features that pass is another matter: the
# gate says how much, never what.
#
# Let us measure instead of looking. Relevance mass is the share of weight inside the
# evidence; the pointing game asks whether the largest weight lies there.

# %%
bars_figure(
    {
        name.split("_cbam")[0]: 100 * np.nanmean(relevance_mass(large[name], evidence))
        for name in large
    },
    label=f"weight inside the evidence, % (mean of {len(diseased)} drawings)",
    line=area,
    line_label="an even gate",
)

# %%
for name in large:
    hits = np.nanmean(pointing_game(large[name], evidence))
    print(f"{name}: the strongest place is evidence in {100 * hits:.0f}% of the images")

# %% [markdown]
# ## And the channels?
#
# A channel gate has no place to draw. Does it at least depend on the image? SE's
# promise is that it *recalibrates by input*. Compare the spread of its scores between
# images with the spread between channels.

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
# Where the second number is small beside the first, the gate is nearly a constant: the
# same channels up and the same down, whatever the image. It could be folded into the
# convolution before it, at no cost. Papers seldom print this; now you can.
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
# *What do a channel gate and a spatial gate let through?* A channel gate turns whole
# feature maps up and down, from their means and maxima; a spatial gate does so with
# places. Both are dimmers. How far your bars stand from the line of the even gate says
# how much this attention attends to the lesion. The picture of a gate is a part of the
# computation, exactly right as such, and no explanation of the prediction.
