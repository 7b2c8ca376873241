# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 9. Are the maps right?
#
# A saliency map always seems to show something. The survey that we follow compared maps
# by eye and concluded that such a comparison is highly subjective, since *there does
# not exist an objective ground truth*. For drawings there is one: we know which pixels
# make an image diseased, because each retina was drawn twice, with and without them.
#
# Four questions can be asked about any map, each answered by a number:
#
# 1. Does it lie on the **evidence** more than maps that do not depend on the network?
# 2. Does it depend on the **model**?
# 3. Does the **prediction** change when the most relevant pixels are removed?
# 4. Does it reveal a **shortcut**?
#
# You need: tutorial 7, or trust that LRP adds up. You will be able to: measure a map,
# and say what could mislead each metric.

# %%
import keras
import numpy as np

from medattn import create_analyzer, create_model, load_zoo_model
from medattn.data import draw_images
from medattn.explain import (
    deletion,
    edge_map,
    explainer,
    pixel_map,
    randomisation_check,
    shortcut_share,
)
from medattn.figures import explanation_grid, pixel_relevance
from medattn.teaching import (
    bars_figure,
    check,
    images_figure,
    lines_figure,
    quiz,
    reveal,
)

# %% [markdown]
# ## An image and its twin
#
# Both have the same vessels, light, dust and drusen. The evidence is exactly where they
# differ. Everything else could be covered, and the label would stay the same.

# %%
synthetic = draw_images("fundus", range(60))
diseased = np.flatnonzero(synthetic["label"] == 1)[:16]
images = synthetic["image"][diseased].astype("float32") / 255
evidence = synthetic["evidence"][diseased]
twins = synthetic["twin"][diseased].astype("float32") / 255
images_figure(
    [images[3], twins[3], evidence[3].astype(float)],
    ["diseased", "its healthy twin", "evidence: where they differ"],
)

# %% [markdown]
# ## 1. Does it lie on the evidence?
#
# ### Exercise 1
#
# The **relevance mass** is the fraction of a map that lies inside the evidence,
#
# $$\frac{\sum_{p \in E} |R_p|}{\sum_p |R_p|}.$$
#
# Write it for one map `relevance`, `(height, width)`, and one mask, bool. Relevance has
# a sign; positive and negative relevance must not cancel.


# %% tags=["solution"]
def relevance_mass(relevance, mask):
    """Returns the fraction of |R| inside the mask, a number in [0, 1]."""
    size = np.abs(relevance)
    return size[mask].sum() / size.sum()


# %%
check("09.relevance_mass", relevance_mass)

# %% [markdown]
# **Predict first.** The evidence covers about 3% of these images, so a random map has a
# relevance mass of 3%. The network was trained on 4,000 images and is nearly always
# right. What relevance mass will LRP-epsilon have, in per cent?

# %%
my_guess = None  # per cent

# %%
network = load_zoo_model("se_micro_resnet")
methods = ["lrp.epsilon", "lrp.gamma", "gradcam"]
maps = {
    name: pixel_map(explainer(name, 1)(network)(images), sign="signed")
    for name in methods
}
maps["edge detector"] = edge_map(images)
maps["random map"] = np.random.default_rng(0).normal(size=images.shape[:3])
mass = {
    name: 100
    * np.mean([relevance_mass(*pair) for pair in zip(found, evidence, strict=True)])
    for name, found in maps.items()
}
print(reveal(my_guess, mass["lrp.epsilon"], what="LRP-epsilon", unit="%"))

# %%
bars_figure(
    mass,
    label=f"relevance mass inside the evidence, % (mean of {len(images)} drawings)",
    line=mass["edge detector"],
    line_label="an edge detector, which does not depend on the network",
)

# %% [markdown]
# The two baselines are essential. An edge detector depends neither on the network nor
# on the disease, but it scores well above a random map, because lesions have edges. **A
# method must be better than it before its maps say anything about the network.** A
# table of scores without such baselines proves nothing.
#
# Here are the maps of two methods. Each map has its own scale, written below it.

# %%
chosen = [3, 5]
explanation_grid(
    [images[i] for i in chosen],
    [[maps[name][i] for name in ("lrp.epsilon", "gradcam")] for i in chosen],
    rows=[f"drawing {diseased[i]}" for i in chosen],
    columns=["lrp.epsilon", "gradcam"],
    masks=[evidence[i] for i in chosen],
)

# %% [markdown]
# ## 2. Does it depend on the model?
#
# We shuffle the weights of the network, layer by layer from the logits down, and
# explain it again. The shuffled network has lost what it had learnt. A map that stays
# the same explains the image, not the network. To compare maps, we test whether they
# *rank* the pixels in the same order.
#
# ### Exercise 2
#
# Write Spearman's rank correlation of two maps: rank all pixels of each, then Pearson's
# correlation of the ranks. `scipy.stats.rankdata` ranks.


# %% tags=["solution"]
def rank_correlation(one, other):
    """Returns Spearman's correlation of two maps, a number in [-1, 1]."""
    from scipy.stats import rankdata

    a, b = rankdata(one.ravel()), rankdata(other.ravel())
    return np.corrcoef(a, b)[0, 1]


# %%
check("09.rank_correlation", rank_correlation)

# %% [markdown]
# First we use it to measure what the survey called subjectivity. For the same network
# and the same images, how similar are the rankings of the methods?

# %%
names = list(maps)
agreement = np.zeros((len(names), len(names)))
for i, one in enumerate(names):
    for j, other in enumerate(names):
        pairs = zip(np.abs(maps[one]), np.abs(maps[other]), strict=True)
        agreement[i, j] = np.mean([rank_correlation(*pair) for pair in pairs])
largest = np.sort(agreement.ravel())[-7]  # below the diagonal's five ones
print(f"largest agreement of two different maps: {largest:.2f}")
print(agreement.round(2))

# %% [markdown]
# So a single method's map is one of several possible explanations. Now the test. The
# library shuffles from the logits down, in three stages, and explains after each:

# %%
found = randomisation_check(explainer("lrp.epsilon", 1), network, images[:4], stages=3)
stages = ["intact", *[f"down to {name}" for name in found.depths[1:]]]
lines_figure(
    {
        "LRP-epsilon": (range(4), found.spearman.mean(axis=1)),
        "edge detector": (range(4), np.ones(4)),
    },
    x="weights shuffled",
    y="rank correlation with the intact map",
    ticks=stages,
)

# %% [markdown]
# The correlation falls, but not to zero: relevance contains the input as a factor, so
# the map always depends on the input. This test can show that a map is wrong, but never
# that it is right.
#
# ## 3. Does the prediction change?
#
# We remove the most relevant pixels first (each is replaced by a blurred copy) and
# measure the probability of "diseased". For a good map it falls early.


# %%
def probability(batch):
    logits = network.predict(batch, verbose=0)
    exponential = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (exponential / exponential.sum(axis=1, keepdims=True))[:, 1]


confident = probability(images) > 0.8  # a low probability cannot fall much
curves = {
    name: deletion(probability, images[confident], maps[name][confident], steps=8)
    for name in ("lrp.epsilon", "gradcam", "edge detector", "random map")
}
lines_figure(
    {name: (100 * c.fractions, c.values.mean(axis=0)) for name, c in curves.items()},
    x="pixels removed, %",
    y="probability of 'diseased'",
)

# %% [markdown]
# Find the edge detector's curve. On drawings it may be better than the explanation
# methods: without edges there are no lesions, but also no vessels. Deletion measures
# how the network *reacts to a damaged image*, and it has never seen such images in
# training. So ask about each metric: **which trivial map would win?** For the relevance
# mass, a map of dark and bright spots; for deletion, any map that damages the image
# most.
#
# The twin is an intervention without damage: it replaces the lesions by the healthy
# retina below them.

# %%
before, after = probability(images), probability(twins)
print(f"probability with the lesions    {before.mean():.2f}")
print(f"probability of the healthy twin {after.mean():.2f}")
changed = np.mean(before - after > 0.1)
print(f"the lesions raise it by more than 0.1 in {changed:.0%} of the drawings")

# %% [markdown]
# ## 4. Does it reveal a shortcut?
#
# Now we train a network that is right for the wrong reason. Suppose that the camera of
# one clinic leaves a mark in the image, and that this clinic has most of the diseased
# patients: in 19 of 20 images, the mark agrees with the label. We train for a few
# epochs, and then test on images in which the mark is independent of the label.
#
# Which mark? The library has one, `shortcut=0.9` (the correlation of mark and label,
# which means 19 of 20): a small tab at the rim of the field of view, as real cameras
# leave. We also make our own, a white stamp in the corner. We try **both**.


# %%
def with_tab(split, number, correlation):
    """Draws images with the library's mark; returns images, labels, marks, evidence."""
    synthetic = draw_images("fundus", range(number), split=split, shortcut=correlation)
    marked = synthetic["image"].astype("float32") / 255
    return marked, synthetic["label"], synthetic["artefact"], synthetic["evidence"]


def with_stamp(split, number, correlation):
    """Draws images with a white stamp; returns the same."""
    synthetic = draw_images("fundus", range(number), split=split)
    agrees = np.random.default_rng(number).random(number) < (1 + correlation) / 2
    stamp = np.zeros((number, 64, 64), bool)
    stamp[agrees == (synthetic["label"] == 1), 3:9, 3:9] = True
    marked = synthetic["image"].astype("float32") / 255
    marked[stamp] = 1.0
    return marked, synthetic["label"], stamp, synthetic["evidence"]


def trained_with(mark):
    """Trains a network on marked images for a few epochs."""
    keras.utils.set_random_seed(1)
    model = create_model("micro_resnet")
    model.compile(
        keras.optimizers.Adam(5e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    model.fit(*mark("train", 320, 0.9)[:2], batch_size=16, epochs=4, verbose=0)
    return model


def accuracy(model, mark, correlation):
    pictures, labels, _, _ = mark("test", 200, correlation)
    return np.mean(model.predict(pictures, verbose=0).argmax(axis=1) == labels)


marks = {"the library's tab": with_tab, "our stamp": with_stamp}
networks = {name: trained_with(mark) for name, mark in marks.items()}
for name, mark in marks.items():
    correlated, independent = (accuracy(networks[name], mark, c) for c in (0.9, 0.0))
    size = mark("test", 200, 0.9)[2].sum(axis=(1, 2))
    print(f"{name}, {np.median(size[size > 0]):.0f} pixels")
    print(f"  accuracy with the mark as in training   {correlated:.2f}")
    print(f"  accuracy with the mark independent      {independent:.2f}")
    print(f"  difference {100 * (correlated - independent):+.0f} points")

# %% [markdown]
# The first accuracy is what a test set from the same clinic would give; the second
# shows how well the network recognises lesions. Their difference shows how much the
# network relies on the mark, if it is larger than its random variation: with 200
# images, each accuracy is uncertain by about 7 points.
#
# **How this lesson was tuned.** When it was written, networks that were trained with
# the library's tab hardly used it, as you can see above. A lesson about shortcuts needs
# a network that uses one, so we chose a clearer mark: larger, white, always at the same
# position. **The stamp was chosen because it works.** It shows what a shortcut does and
# how a map reveals it, but not how often networks use shortcuts. For that, the shortcut
# study uses the library's own marks, in all three data sets and with several seeds, and
# reports every result (`medattn report`).
#
# Now the maps: of the relevance that lies on evidence or mark, how much lies on the
# mark? We use diseased images that have the mark.

# %%
percent = {}
for name, mark in marks.items():
    pictures, labels, artefact, evidence_of = mark("test", 200, 0.9)
    chosen = np.flatnonzero(artefact.any(axis=(1, 2)) & (labels == 1))[:16]
    marked, truth = artefact[chosen], evidence_of[chosen]
    for title, model in (("trained with it", networks[name]), ("zoo network", network)):
        found = explainer("lrp.epsilon", 1)(model)(pictures[chosen])
        on_mark = 100 * np.nanmean(shortcut_share(found, truth, marked))
        percent[f"{name}: {title}"] = on_mark
    both = marked.sum() + truth.sum()
    percent[f"{name}: % of the pixels"] = 100 * marked.sum() / both
bars_figure(percent, label="of the relevance on mark or evidence, % on the mark")

# %%
shortcut_network = networks["our stamp"]
analyzer = create_analyzer(
    "lrp.epsilon", shortcut_network, neuron_selection_mode="index"
)
relevance = pixel_relevance(analyzer.analyze(pictures[chosen[:2]], 1))
explanation_grid(
    list(pictures[chosen[:2]]),
    [[one] for one in relevance],
    rows=[f"drawing {i}" for i in chosen[:2]],
    columns=["network trained with the stamp"],
    masks=list(evidence_of[chosen[:2]]),
)

# %% [markdown]
# Would you have noticed it if you had not known where to look? This use of maps remains
# after all our tests: they can show that a network uses something *that you did not
# expect*. Then you test it, as the two accuracies did.
#
# ## Quiz

# %%
quiz("09_are_maps_right")

# %% [markdown]
# ## Read more
#
# - J. Adebayo et al., Sanity checks for saliency maps, NeurIPS, 2018.
#   <https://arxiv.org/abs/1810.03292>
# - L. Arras, A. Osman, W. Samek, CLEVR-XAI: a benchmark dataset for the ground truth
#   evaluation of neural network explanations, Information Fusion, 2022.
#   <https://doi.org/10.1016/j.inffus.2021.11.008>
# - V. Petsiuk, A. Das, K. Saenko, RISE: randomized input sampling for explanation of
#   black-box models, BMVC, 2018. <https://arxiv.org/abs/1806.07421>
# - A. Saporta et al., Benchmarking saliency methods for chest X-ray interpretation,
#   Nature Machine Intelligence, 2022. <https://doi.org/10.1038/s42256-022-00536-x>

# %% [markdown]
# ## The answer
#
# *Are the maps right?* The question has four parts, and a map may pass one test and
# fail the next. Compare the relevance mass with a random map **and** with an edge
# detector; shuffle the weights; remove what the map marks, or better, replace it; add a
# shortcut (and say how you chose it) and test whether you would have noticed it. Even
# the best map shows what moved the model, never where the disease is.
