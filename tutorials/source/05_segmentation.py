# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 5. Does attention help a U-Net to find small things?
#
# Classification asks *whether*, segmentation asks *where*: each pixel gets an answer.
# The U-Net goes down to a coarse map, which knows what is in the image, and up again to
# full size, and takes the fine detail from **skip connections** on the way.
#
# Two ideas put attention into it:
#
# - an **attention gate** in each skip connection: the coarse map says which places of
#   the fine one are worth passing on, since most of a fundus is healthy;
# - a **transformer block** at the narrowest place, where every place can look at every
#   other (TransUNet and its many relatives).
#
# You will write the measure and the gate with numpy, train three small U-Nets on drawn
# lesions, and ask whether their difference is one.
#
# You need: convolutions, tutorial 3. You will be able to: measure a segmentation, read
# a gate, and compare with an interval.

# %%
import keras
import numpy as np

from medattn.data import draw_images
from medattn.models import complexity
from medattn.teaching import (
    check,
    images_figure,
    lines_figure,
    maps_figure,
    quiz,
    reveal,
)
from medattn.teaching.unet import KINDS, SkipGate, dice_loss, unet

# %% [markdown]
# ## How good is an outline?
#
# ### Exercise 1
#
# **Dice** counts twice the pixels that both call lesion, over all that either calls so:
#
# $$D = \frac{2\,|P \cap M|}{|P| + |M|}.$$
#
# Write it for batches of bool masks, `(images, height, width)`; return `(images,)`.
# Where both are empty nothing was missed: 1.


# %% tags=["solution"]
def dice(predicted, truth):
    """Returns Dice's coefficient of each image, `(images,)`."""
    both = (predicted & truth).sum(axis=(1, 2))
    size = predicted.sum(axis=(1, 2)) + truth.sum(axis=(1, 2))
    return np.where(size > 0, 2 * both / np.maximum(size, 1), 1.0)


# %%
check("05.dice", dice)

# %% [markdown]
# Why not accuracy? Lesions cover about 3% of these images: whoever finds nothing is
# right in 97% of the pixels, and has a Dice of 0.

# %%
train = draw_images("fundus", range(500), split="train")
test = draw_images("fundus", range(140))


def diseased(drawn):
    """Takes the images with lesions, and their masks."""
    some = drawn["evidence"].any(axis=(1, 2))
    return drawn["image"][some].astype("float32") / 255, drawn["evidence"][some]


images, masks = diseased(train)
test_images, test_masks = diseased(test)
nothing = np.zeros_like(test_masks)
print(f"{len(images)} images to learn from, {len(test_images)} to test on")
print(f"finding nothing: accuracy {np.mean(nothing == test_masks):.3f}, ", end="")
print(f"Dice {dice(nothing, test_masks).mean():.3f}")

# %% [markdown]
# ## The gate in the skip connection
#
# At each place, $x$ is the fine feature, $g$ the coarse one, enlarged to the same size:
#
# $$s = \sigma\big(v \cdot \mathrm{relu}(W_x x + W_g g + b) + c\big), \qquad y = s\,x.$$
#
# It is Bahdanau's additive attention with a sigmoid: the coarse map is the query.
#
# ### Exercise 2
#
# Write the scores: `x` is `(height, width, channels)`, `g` `(height, width, others)`,
# `W_x` `(channels, units)`, `W_g` `(others, units)`, `b` and `v` `(units,)`, `c` a
# number. Return `(height, width)`.


# %% tags=["solution"]
def skip_scores(x, g, W_x, W_g, b, v, c):
    """Returns one score a place, `(height, width)`."""
    hidden = np.maximum(x @ W_x + g @ W_g + b, 0)
    return 1 / (1 + np.exp(-(hidden @ v + c)))


# %%
check("05.skip_scores", skip_scores)

# %% [markdown]
# ## Three U-Nets
#
# The same trunk, the same seed, the same steps, the same images in the same order. All
# start from the belief that 5% of the pixels are lesion (`prior`); remember this line.

# %%
networks, history = {}, {}
steps = -(-len(images) // 16)  # a pass
for kind in KINDS:
    keras.utils.set_random_seed(0)
    network = unet(kind)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, 8 * steps - 15, warmup_target=1e-2, warmup_steps=15
    )
    network.compile(keras.optimizers.Adam(rate), dice_loss, jit_compile=False)
    found = network.fit(images, masks, 16, epochs=8, verbose=0)
    networks[kind], history[kind] = network, found.history["loss"]
    cost = complexity(network)
    print(
        f"{kind:>11}: {cost['parameters']['total']:,} parameters, "
        f"{cost['multiply_adds']['total'] / 1e6:.1f} M multiply-adds"
    )
lines_figure(
    {kind: (range(1, 9), values) for kind, values in history.items()},
    x="pass over the images",
    y="loss in training",
)

# %% [markdown]
# **Predict first.** By how many points (hundredths) of Dice will the gates be better
# than the plain network, on images that neither has seen? Negative if worse.

# %%
my_guess = None  # points

# %%
drawn = {k: n.predict(test_images, verbose=0) > 0 for k, n in networks.items()}
scores = {kind: dice(found, test_masks) for kind, found in drawn.items()}
for kind, values in scores.items():
    missed = np.mean(values == 0)
    print(f"{kind:>11}: Dice {values.mean():.3f}, finds nothing right in {missed:.0%}")
gain = 100 * (scores["gates"] - scores["plain"]).mean()
print(reveal(my_guess, gain, what="gates − plain", unit="points"))

# %% [markdown]
# ## Is it a difference?
#
# The images are the same, so compare **image by image**. How much would the mean
# difference move if other images had been drawn? The bootstrap draws from ours, with
# repetition, again and again.

# %%
chance = np.random.default_rng(0)
for kind in KINDS[1:]:
    d = 100 * (scores[kind] - scores["plain"])
    again = chance.choice(d, size=(4000, len(d))).mean(axis=1)
    low, high = np.percentile(again, [2.5, 97.5])
    print(f"{kind:>11} − plain: {d.mean():+.1f} points [{low:+.1f}, {high:+.1f}]")

# %% [markdown]
# This interval knows of other *images*, not of other *seeds*: it says what these two
# trained networks are worth, not what their kinds are worth. For that, train each with
# several seeds and take the difference a seed as one number, as in tutorial 8.
#
# ## How to win with attention
#
# When this lesson was written, the networks first started **without** the prior, from
# "every pixel is lesion with a chance of one half". After the same steps, seed 0, the
# plain network had a Dice of 0.598 and the one with gates 0.853, on 65 test images: a
# gain of 25 points. With the prior it was 0.877 and 0.869. The gates had
# learnt quickly to switch the healthy pixels off, which one number in the last layer
# does as well. Nobody had cheated; the rival had only been left with a bad start.
#
# Try it: `unet(kind, prior=0.5)`.
#
# ## What do the gates let through?

# %%
gated = networks["gates"]
inputs = [layer.input for layer in gated.layers if isinstance(layer, SkipGate)]
gates = [layer for layer in gated.layers if isinstance(layer, SkipGate)]
read = keras.Model(gated.input, inputs)
one = int(np.argsort(test_masks.sum(axis=(1, 2)))[len(test_masks) // 2])
seen = read.predict(test_images[one : one + 1], verbose=0)
shown = [
    keras.ops.convert_to_numpy(gate.scores(pair))[0, ..., 0]
    for gate, pair in zip(gates, seen, strict=True)
]
maps_figure(
    [None] * 4,
    [test_masks[one], *shown],
    ["truth", *[f"gate at {len(map_)} x {len(map_)}" for map_ in shown]],
    label="weight of the place",
    low=0,
    high=1,
)

# %%
images_figure(
    [test_images[one], test_masks[one].astype(float)]
    + [drawn[kind][one].astype(float) for kind in KINDS],
    ["image", "truth", *[f"{k}: Dice {scores[k][one]:.2f}" for k in KINDS]],
)

# %% [markdown]
# Where the finest gate lights up on the lesions it makes a convincing picture. And yet
# the plain network, which has no such picture to show, outlines them as well: look at
# the intervals. **A beautiful gate does not show that the gate was needed.** Nor does a
# dark one show that the network is blind: what a gate passes is multiplied by weights
# that were learnt with it, and one factor of a product is no importance.
#
# ## Quiz

# %%
quiz("05_segmentation")

# %% [markdown]
# ## Read more
#
# - O. Ronneberger, P. Fischer, T. Brox, U-Net: convolutional networks for biomedical
#   image segmentation, MICCAI, 2015. <https://arxiv.org/abs/1505.04597>
# - O. Oktay et al., Attention U-Net: learning where to look for the pancreas, 2018.
#   <https://arxiv.org/abs/1804.03999>
# - J. Chen et al., TransUNet: transformers make strong encoders for medical image
#   segmentation, 2021. <https://arxiv.org/abs/2102.04306>
# - F. Isensee et al., nnU-Net: a self-configuring method for deep learning-based
#   biomedical image segmentation, Nature Methods, 2021.
#   <https://doi.org/10.1038/s41592-020-01008-z>

# %% [markdown]
# ## The answer
#
# *Does attention help a U-Net to find small things?* Read it from your two intervals:
# if zero lies inside, these images cannot tell, and if not, one seed cannot tell. The
# plain U-Net, tuned with the same care, is a rival that many papers did not give a fair
# chance.
