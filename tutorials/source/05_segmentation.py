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
# lesions, choose their settings without a look at the test images, and ask whether
# their difference is one.
#
# You need: convolutions, tutorial 3. You will be able to: measure a segmentation, tune
# rivals fairly, read a gate, and compare with an interval.

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
test = draw_images("fundus", range(140, 280))  # why not from 0, see below


def diseased(drawn):
    """Takes the images with lesions, and their masks."""
    some = drawn["evidence"].any(axis=(1, 2))
    return drawn["image"][some].astype("float32") / 255, drawn["evidence"][some]


all_images, all_masks = diseased(train)
held = np.arange(len(all_images)) % 4 == 0  # every fourth, to choose the settings by
images, masks = all_images[~held], all_masks[~held]
val_images, val_masks = all_images[held], all_masks[held]
test_images, test_masks = diseased(test)
print(f"{len(images)} images to learn from, {len(val_images)} to choose by, ", end="")
print(f"{len(test_images)} to test on")
nothing = np.zeros_like(val_masks)
print(f"finding nothing: accuracy {np.mean(nothing == val_masks):.3f}, ", end="")
print(f"Dice {dice(nothing, val_masks).mean():.3f}")

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
# ## Three U-Nets, three tries each
#
# Somebody has to choose the settings, and whoever chooses by the test images reports
# the luck of the choice with the result. So the notebook holds back every fourth
# training image and chooses by those. **Each kind gets the same tries**, and may choose
# another one. They differ in how large the steps are, and in how likely a pixel is
# lesion before anything was learnt: one half (`prior=0.5`, what a bias of zero says) or
# 5%.
#
# The same trunk, the same seed, as many steps, the same images in the same order.

# %%
TRIES = [(1e-2, 0.5), (1e-2, 0.05), (3e-3, 0.05)]  # (largest step, prior)
PASSES = 8
steps = -(-len(images) // 16)  # a pass


def trained(kind, largest, prior):
    """Returns a network and its loss after each pass over the images."""
    keras.utils.set_random_seed(0)
    network = unet(kind, prior=prior)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, PASSES * steps - 15, warmup_target=largest, warmup_steps=15
    )
    network.compile(keras.optimizers.Adam(rate), dice_loss, jit_compile=False)
    found = network.fit(images, masks, 16, epochs=PASSES, verbose=0)
    return network, found.history["loss"]


tried = {(kind, *a_try): trained(kind, *a_try) for kind in KINDS for a_try in TRIES}
validation = {}
for key, (network, _) in tried.items():
    found = network.predict(val_images, verbose=0) > 0
    validation[key] = dice(found, val_masks).mean()
print("Dice on the validation images")
for largest, prior in TRIES:
    row = [f"{kind} {validation[kind, largest, prior]:.3f}" for kind in KINDS]
    print(f"step {largest:<5} prior {prior:<4}: {'   '.join(row)}")

# %%
chosen = {kind: max(TRIES, key=lambda t: validation[kind, *t]) for kind in KINDS}
networks = {kind: tried[kind, *chosen[kind]][0] for kind in KINDS}
for kind, (largest, prior) in chosen.items():
    cost = complexity(networks[kind])
    print(
        f"{kind:>11}: step {largest}, prior {prior}; "
        f"{cost['parameters']['total']:,} parameters, "
        f"{cost['multiply_adds']['total'] / 1e6:.1f} M multiply-adds"
    )
lines_figure(
    {kind: (range(1, PASSES + 1), tried[kind, *chosen[kind]][1]) for kind in KINDS},
    x="pass over the images",
    y="loss in training, chosen settings",
)

# %% [markdown]
# Now, and only now, the test images: **once**, with three networks.
#
# **Predict first.** By how many points (hundredths) of Dice will the gates be better
# than the plain network, on images that neither has seen? Negative if worse.

# %%
my_guess = None  # points

# %%
drawn = {k: n.predict(test_images, verbose=0) > 0 for k, n in networks.items()}
scores = {kind: dice(found, test_masks) for kind, found in drawn.items()}
for kind, values in scores.items():
    missed = np.mean(values == 0)
    print(
        f"{kind:>11}: test Dice {values.mean():.3f} (when it was chosen "
        f"{validation[kind, *chosen[kind]]:.3f}), finds nothing right in {missed:.0%}"
    )
gain = 100 * (scores["gates"] - scores["plain"]).mean()
print(reveal(my_guess, gain, what="gates − plain", unit="points"))

# %% [markdown]
# The Dice in brackets belongs to the images that chose, so it is a little too kind: of
# three tries the luckiest was taken. That is what the test images are for.
#
# **What we did wrong ourselves.** The first version of this lesson had no validation
# images. Its author changed the steps, their number and the prior until the Dice looked
# well, on the first 140 images of the test split, and then reported the Dice of those
# very images. So they are spoilt, and the test above takes the next 140, which nobody
# had looked at when these settings were fixed. Widths, number of passes, batch and
# augmentation (none) are still those of the first version. And if you now change a
# setting and run the last cell again, you are doing what we did: change it above, by
# the validation images, and look here once.

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
# Suppose that only our favourite had been tuned, and its rival left at the first try,
# which is what the framework's bias of zero gives. The table of tries tells it:

# %%
default = TRIES[0]
print("gates − plain, points of Dice on the validation images")
for words, mine, rival in (
    ("both tuned", chosen["gates"], chosen["plain"]),
    ("gates tuned, plain by default", chosen["gates"], default),
    ("plain tuned, gates by default", default, chosen["plain"]),
    ("both by default", default, default),
):
    gain = 100 * (validation["gates", *mine] - validation["plain", *rival])
    print(f"{words:>30}: {gain:+5.1f}")

# %% [markdown]
# The trunk, the data and the seed are the same in all four lines, and nobody has
# cheated in any of them. A prior is one number in the last layer. When you read that a
# gate won by some points, look for the line that says how the rival was tuned.
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
# plain U-Net, tuned with the same care on images that are not those of the test, is a
# rival that many papers did not give a fair chance.
