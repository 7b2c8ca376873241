# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 1. Why should a network explain itself, and what is an explanation not?
#
# A network reads an image and says "diseased, 0.97". For some tasks such answers are as
# good as people's. What they lack is a reason that a person can check. Three families
# of remedies are known, by *when* they act:
#
# - **pre-model**: understand the data before anything is trained,
# - **in-model**: use a model that can be read,
# - **post-model**: keep the black box, and question it afterwards.
#
# You will do one of each on the same drawings, and see what each one costs.
#
# You need: Python and numpy. You will be able to: name the three strategies, measure
# the first, and write the simplest explanation of the third kind, in ten lines.

# %%
import numpy as np
from sklearn.linear_model import LogisticRegression

from medattn import load_zoo_model
from medattn.data import draw_images
from medattn.teaching import (
    bars_figure,
    check,
    images_figure,
    maps_figure,
    quiz,
    reveal,
)

# %% [markdown]
# ## A black box
#
# The images are drawings of a retina; "diseased" means that lesions were drawn into it.
# They are nobody's eyes, and nothing here is for diagnosis. The network saw 4,000 of
# them; these 160 it has never seen.

# %%
drawn = draw_images("fundus", range(160))
images, labels = drawn["image"].astype("float32") / 255, drawn["label"]
network = load_zoo_model("micro_resnet")


def predict(batch):
    """Returns the probability of 'diseased', one number an image."""
    logits = network.predict(np.asarray(batch, "float32"), verbose=0)
    return 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))


chance = predict(images)
print(f"right in {np.mean((chance > 0.5) == labels):.0%} of {len(labels)} images")
words = ["healthy", "diseased"]
images_figure(
    list(images[:6]),
    [f"says {c:.2f}\nis {words[y]}" for c, y in zip(chance[:6], labels, strict=False)],
)

# %% [markdown]
# It is nearly always right. Why, then, ask for reasons? Because "right on these" is a
# statement about these. The network may look at the lesions, or at something that went
# with them *in this collection*: the camera, the light, a mark. Both would score alike,
# here.
#
# ## Pre-model: look before you train
#
# A first question costs nothing: **how much does a single stupid number tell?** If the
# mean brightness of an image already separates the classes, a network will find it.
#
# ### Exercise 1
#
# Write the area under the ROC curve (AUROC) of one number an image, `feature`, with
# `labels` 0 and 1. It is the share of all pairs (one diseased, one healthy image) in
# which the diseased one has the larger number; equal numbers count half. 0.5 is chance.


# %% tags=["solution"]
def no_network(feature, labels):
    """Returns the AUROC of one number an image, in [0, 1]."""
    diseased, healthy = feature[labels == 1], feature[labels == 0]
    larger = diseased[:, None] > healthy[None, :]
    equal = diseased[:, None] == healthy[None, :]
    return np.mean(larger + 0.5 * equal)


# %%
check("01.no_network", no_network)

# %% [markdown]
# **Predict first.** Lesions are dark red or yellow. What AUROC will the *spread* of the
# green channel inside the field of view reach, without any network?

# %%
my_guess = None  # 0.5 is chance, 1 is perfect

# %%
inside = images.max(axis=-1) > 0.15  # the black border is not the eye
green = np.where(inside, images[..., 1], np.nan)
features = {
    "mean brightness": np.nanmean(green, axis=(1, 2)),
    "spread of green": np.nanstd(green, axis=(1, 2)),
    "darkest hundredth": -np.nanpercentile(green, 1, axis=(1, 2)),
    "brightest hundredth": np.nanpercentile(green, 99, axis=(1, 2)),
}
alone = {name: no_network(feature, labels) for name, feature in features.items()}
print(reveal(my_guess, alone["spread of green"], what="AUROC", digits=2))

# %%
bars_figure(
    {**alone, "the network": no_network(chance, labels)},
    label="AUROC on 160 drawings",
    line=0.5,
    line_label="chance",
)

# %% [markdown]
# This is pre-model interpretability: no explanation of a network, but knowledge of what
# a network could use. A feature that scores well and has no medical sense is a warning.
#
# ## In-model: a model that can be read
#
# Put the four numbers into a logistic regression. Its four weights are not *about* the
# model: they are the model. Whoever reads them has read everything.

# %%
table = np.stack(list(features.values()), axis=1)
table = (table - table.mean(axis=0)) / table.std(axis=0)
half = len(labels) // 2
readable = LogisticRegression().fit(table[:half], labels[:half])
score = readable.decision_function(table[half:])
print(f"readable model: AUROC {no_network(score, labels[half:]):.2f}")
print(f"black box:      AUROC {no_network(chance[half:], labels[half:]):.2f}")
for name, weight in zip(features, readable.coef_[0], strict=True):
    print(f"  {weight:+.2f} per standard deviation of {name}")

# %% [markdown]
# The price stands in the first two lines. Whether it must be paid is a question for
# each task, and many papers pay for the black box without having asked.
#
# ## Post-model: question the box
#
# Cover a part of the image with grey and look how much the prediction drops. That needs
# nothing of the model but its answers, and is called **occlusion**.
#
# ### Exercise 2
#
# Write `occlusion(predict, image, size)`. Cut the image into squares of `size` pixels;
# for each, copy the image, set the square to 0.5, and note the drop: prediction of the
# whole image *minus* that of the covered one. Return the drops, one a square. `predict`
# takes a batch; asking once for all squares is quicker than asking for each.


# %% tags=["solution"]
def occlusion(predict, image, size):
    """Returns how much the prediction drops, `(height / size, width / size)`."""
    rows, columns = image.shape[0] // size, image.shape[1] // size
    covered = []
    for i in range(rows):
        for j in range(columns):
            copy = image.copy()
            copy[i * size : (i + 1) * size, j * size : (j + 1) * size] = 0.5
            covered.append(copy)
    whole = predict(image[None])[0]
    return (whole - predict(np.stack(covered))).reshape(rows, columns)


# %%
check("01.occlusion", occlusion)

# %% [markdown]
# A drawing with few lesions, so that covering one of them should matter.

# %%
few = drawn["evidence"].sum(axis=(1, 2))
chosen = np.flatnonzero((labels == 1) & (chance > 0.6) & (chance < 0.99))
chosen = chosen[np.argmin(few[chosen])]
drops = {size: occlusion(predict, images[chosen], size) for size in (8, 4)}
print(f"drawing {chosen}: the network says {chance[chosen]:.2f}")
top = max(d.max() for d in drops.values())
maps_figure(
    [None, images[chosen], images[chosen]],
    [top * drawn["evidence"][chosen], *[np.maximum(d, 0) for d in drops.values()]],
    ["evidence", "squares of 8 pixels", "squares of 4 pixels"],
    label="drop of the probability",
)

# %% [markdown]
# ## What an explanation is not
#
# **It is not the model.** Two sizes of square ask two questions and get two answers, on
# the same network and image. Here is where each is strongest:

# %%
for size, drop in drops.items():
    row, column = np.unravel_index(drop.argmax(), drop.shape)
    top, left = row * size, column * size
    hit = drawn["evidence"][chosen][top : top + size, left : left + size].any()
    print(
        f"size {size}: at row {top}, column {left}, drop "
        f"{drop.max():.2f}; {'evidence' if hit else 'no evidence'} lies there; "
        f"{np.mean(drop < -0.01):.0%} of the squares speak against"
    )

# %% [markdown]
# **It is not a proof of sight.** A grey square is something that the network has never
# seen. The drop mixes "a lesion has gone" with "a strange square has come".
#
# **It is not unique.** Another network, as good as this one, may have other reasons:

# %%
other = load_zoo_model("cbam_micro_resnet")


def predict_other(batch):
    logits = other.predict(np.asarray(batch, "float32"), verbose=0)
    return 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))


second = occlusion(predict_other, images[chosen], 8)
says = predict_other(images[chosen][None])[0]
print(f"it says {says:.2f}, the first {chance[chosen]:.2f}")
like = np.corrcoef(second.ravel(), drops[8].ravel())[0, 1]
print(f"correlation of their two maps: {like:.2f}")

# %% [markdown]
# **It is not the truth about the disease.** It says what moved the model. For drawings
# we can compare with the truth, and the rest of this course does; for photographs we
# rarely can.
#
# ## Quiz

# %%
quiz("01_why_explain")

# %% [markdown]
# ## Read more
#
# - C. Rudin, Stop explaining black box machine learning models for high stakes
#   decisions and use interpretable models instead, Nature Machine Intelligence, 2019.
#   <https://doi.org/10.1038/s42256-019-0048-x>
# - M. D. Zeiler, R. Fergus, Visualizing and understanding convolutional networks, ECCV,
#   2014. <https://doi.org/10.1007/978-3-319-10590-1_53>
# - Z. C. Lipton, The mythos of model interpretability, 2016.
#   <https://arxiv.org/abs/1606.03490>
# - T. Gonçalves et al., A survey on attention mechanisms for medical applications,
#   IEEE Access, 2022. <https://doi.org/10.1109/ACCESS.2022.3206449>

# %% [markdown]
# ## The answer
#
# *Why should a network explain itself?* Because being right on a test set does not say
# for which reasons, and reasons decide whether it will be right elsewhere. *What is an
# explanation not?* Not the model, not unique, not a proof, and never a diagnosis. Know
# the data first; take a readable model where it is good enough; and question the box
# with methods whose own faults you know.
