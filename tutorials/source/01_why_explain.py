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
# A network reads an image and predicts "diseased, 0.97". For some tasks such
# predictions are as good as those of experts. But they come without a reason that a
# person can check. There are three strategies, which differ in *when* they act:
#
# - **pre-model**: understand the data before anything is trained,
# - **in-model**: use a model that is readable itself,
# - **post-model**: keep the black box, and explain it afterwards.
#
# You will try one of each on the same drawings, and see what each one costs.
#
# You need: Python and numpy. You will be able to: name the three strategies, apply the
# first, and write the simplest explanation of the third kind in ten lines.

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
# The images are synthetic drawings of a retina; "diseased" means that a drawing
# contains lesions. They show no real eye, and nothing here is for diagnosis. The
# network was trained on 4,000 of them; the 160 below are new to it.

# %%
synthetic = draw_images("fundus", range(160))
images, labels = synthetic["image"].astype("float32") / 255, synthetic["label"]
network = load_zoo_model("micro_resnet")


def predict(batch):
    """Returns the probability of 'diseased' for each image."""
    logits = network.predict(np.asarray(batch, "float32"), verbose=0)
    return 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))


probability = predict(images)
accuracy = np.mean((probability > 0.5) == labels)
print(f"accuracy on {len(labels)} images: {accuracy:.0%}")
classes = ["healthy", "diseased"]
images_figure(
    list(images[:6]),
    [
        f"predicts {p:.2f}\nis {classes[y]}"
        for p, y in zip(probability[:6], labels[:6], strict=True)
    ],
)

# %% [markdown]
# It is nearly always right. Why, then, ask for reasons? Because its accuracy is
# measured on these images only. The network may use the lesions, or something that is
# correlated with them *in this collection*: the camera, the light, a mark. On these
# images both would give the same accuracy.
#
# ## Pre-model: look before you train
#
# A first question costs nothing: **how well does a single simple feature separate the
# classes?** If the mean brightness of an image already does, a network will use it.
#
# ### Exercise 1
#
# Write the area under the ROC curve (AUROC) of one number per image, `feature`, with
# `labels` 0 and 1. It is the fraction of all pairs (one diseased, one healthy image) in
# which the diseased image has the larger number; equal numbers count half. A random
# feature has 0.5.


# %% tags=["solution"]
def no_network(feature, labels):
    """Returns the AUROC of one number per image, in [0, 1]."""
    diseased, healthy = feature[labels == 1], feature[labels == 0]
    larger = diseased[:, None] > healthy[None, :]
    equal = diseased[:, None] == healthy[None, :]
    return np.mean(larger + 0.5 * equal)


# %%
check("01.no_network", no_network)

# %% [markdown]
# **Predict first.** Lesions are dark red or yellow. Which AUROC does the *contrast*
# (the standard deviation) of the green channel inside the field of view have, without
# any network?

# %%
my_guess = None  # 0.5 is random, 1 is perfect

# %%
inside = images.max(axis=-1) > 0.15  # the black border is not the eye
green = np.where(inside, images[..., 1], np.nan)
features = {
    "mean brightness": np.nanmean(green, axis=(1, 2)),
    "contrast of green": np.nanstd(green, axis=(1, 2)),
    "darkest percentile": -np.nanpercentile(green, 1, axis=(1, 2)),
    "brightest percentile": np.nanpercentile(green, 99, axis=(1, 2)),
}
single = {name: no_network(feature, labels) for name, feature in features.items()}
print(reveal(my_guess, single["contrast of green"], what="AUROC", digits=2))

# %%
bars_figure(
    {**single, "the network": no_network(probability, labels)},
    label="AUROC on 160 drawings",
    line=0.5,
    line_label="random",
)

# %% [markdown]
# This is pre-model interpretability: it does not explain a network, but shows what a
# network could use. A feature with a high AUROC and no medical meaning is a warning.
#
# ## In-model: a model that can be read
#
# Fit a logistic regression to the four features. Its four weights do not only describe
# the model: they are the model.

# %%
table = np.stack(list(features.values()), axis=1)
table = (table - table.mean(axis=0)) / table.std(axis=0)
half = len(labels) // 2
readable = LogisticRegression().fit(table[:half], labels[:half])
score = readable.decision_function(table[half:])
print(f"readable model: AUROC {no_network(score, labels[half:]):.2f}")
print(f"black box:      AUROC {no_network(probability[half:], labels[half:]):.2f}")
for name, weight in zip(features, readable.coef_[0], strict=True):
    print(f"  {weight:+.2f} per standard deviation of {name}")

# %% [markdown]
# The first two lines show how much AUROC the readable model loses. Whether that is
# acceptable depends on the task. Many papers use a black box without testing a readable
# model first.
#
# ## Post-model: explain the black box
#
# Cover a part of the image with grey and measure how much the prediction drops. This
# method is called **occlusion**, and it needs only the predictions of the model.
#
# ### Exercise 2
#
# Write `occlusion(predict, image, size)`. Cut the image into squares of `size` pixels;
# for each, copy the image, set the square to 0.5, and compute the drop: the prediction
# of the intact image *minus* that of the covered one. Return the drops, one for each
# square. `predict` takes a batch; one call for all squares is faster than one for each.


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
    intact = predict(image[None])[0]
    return (intact - predict(np.stack(covered))).reshape(rows, columns)


# %%
check("01.occlusion", occlusion)

# %% [markdown]
# We choose a drawing with few lesions, so that covering one of them should matter.

# %%
pixels = synthetic["evidence"].sum(axis=(1, 2))  # of the lesions
uncertain = (probability > 0.6) & (probability < 0.99)
candidates = np.flatnonzero((labels == 1) & uncertain)
chosen = candidates[np.argmin(pixels[candidates])]
drops = {size: occlusion(predict, images[chosen], size) for size in (8, 4)}
print(f"drawing {chosen}: the network predicts {probability[chosen]:.2f}")
top = max(d.max() for d in drops.values())
maps_figure(
    [None, images[chosen], images[chosen]],
    [top * synthetic["evidence"][chosen], *[np.maximum(d, 0) for d in drops.values()]],
    ["evidence", "squares of 8 pixels", "squares of 4 pixels"],
    label="drop of the probability",
)

# %% [markdown]
# ## What an explanation is not
#
# **It is not the model.** Two sizes of square give two different maps of the same
# network and image. Here is the maximum of each:

# %%
for size, drop in drops.items():
    row, column = np.unravel_index(drop.argmax(), drop.shape)
    top, left = row * size, column * size
    hit = synthetic["evidence"][chosen][top : top + size, left : left + size].any()
    print(
        f"size {size}: at row {top}, column {left}, drop "
        f"{drop.max():.2f}; {'with' if hit else 'without'} evidence; "
        f"in {np.mean(drop < -0.01):.0%} of the squares the prediction rises"
    )

# %% [markdown]
# **It is not a proof of what the network sees.** The network has never seen a grey
# square. So the drop has two causes: a lesion is gone, and an unknown object is there.
#
# **It is not unique.** Another network with the same accuracy may have other reasons:

# %%
other = load_zoo_model("cbam_micro_resnet")


def predict_other(batch):
    logits = other.predict(np.asarray(batch, "float32"), verbose=0)
    return 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))


second = occlusion(predict_other, images[chosen], 8)
prediction = predict_other(images[chosen][None])[0]
print(f"it predicts {prediction:.2f}, the first {probability[chosen]:.2f}")
correlation = np.corrcoef(second.ravel(), drops[8].ravel())[0, 1]
print(f"correlation of their two maps: {correlation:.2f}")

# %% [markdown]
# **It is not the truth about the disease.** It shows what moved the model. For drawings
# we can compare it with the truth, and the rest of this course does; for photographs we
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
# *Why should a network explain itself?* Because accuracy on a test set does not show
# why a network is right, and the reasons decide whether it will be right elsewhere.
# *What is an explanation not?* It is not the model, not unique, not a proof, and never
# a diagnosis. Study the data first; use a readable model if it is good enough; and
# explain a black box with methods whose weaknesses you know.
