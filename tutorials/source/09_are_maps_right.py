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
# A saliency map always looks like something. The survey that we follow compared maps by
# eye and concluded that such a comparison is highly subjective, since *there does not
# exist an objective ground truth*. With drawings there is one: we know which pixels
# make an image diseased, because we drew the same retina twice, with and without them.
#
# Four questions to ask of any map, each with a number:
#
# 1. Does it lie on the **evidence**, better than maps that know nothing?
# 2. Does it depend on the **model**?
# 3. Does the **prediction** follow it when pixels are taken away?
# 4. Does it betray a **shortcut**?
#
# You need: tutorial 7 or the belief that LRP adds up. You will be able to: measure a
# map, and say which measure would have been fooled.

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
# Both have the same vessels, light, dust and drusen. Where they differ is the evidence,
# exactly. Everything else could be covered and the label would stay the same.

# %%
drawn = draw_images("fundus", range(60))
diseased = np.flatnonzero(drawn["label"] == 1)[:16]
images = drawn["image"][diseased].astype("float32") / 255
evidence = drawn["evidence"][diseased]
twins = drawn["twin"][diseased].astype("float32") / 255
images_figure(
    [images[3], twins[3], evidence[3].astype(float)],
    ["diseased", "its healthy twin", "evidence: where they differ"],
)

# %% [markdown]
# ## 1. Does it lie on the evidence?
#
# ### Exercise 1
#
# The **relevance mass** is the share of a map that lies inside the evidence,
#
# $$\frac{\sum_{p \in E} |R_p|}{\sum_p |R_p|}.$$
#
# Write it for one map `relevance`, `(height, width)`, and one mask, bool. Relevance has
# a sign; for and against must not cancel.


# %% tags=["solution"]
def relevance_mass(relevance, mask):
    """Returns the share of |R| inside the mask, a number in [0, 1]."""
    size = np.abs(relevance)
    return size[mask].sum() / size.sum()


# %%
check("09.relevance_mass", relevance_mass)

# %% [markdown]
# **Predict first.** The evidence covers about 3% of these images, so a map of noise
# scores 3%. The network was trained on 4,000 images and is nearly always right. What
# will LRP-epsilon score, in per cent?

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
    line_label="an edge detector, which knows no network",
)

# %% [markdown]
# The two baselines are the point. An edge detector has never seen a network and never
# heard of a disease, yet it scores well above noise, because lesions have edges. **A
# method must beat it before its maps say anything about the network.** A table of
# scores without such baselines proves nothing.
#
# Look at two of the methods. Each map has its own scale, written below it.

# %%
shown = [3, 5]
explanation_grid(
    [images[i] for i in shown],
    [[maps[name][i] for name in ("lrp.epsilon", "gradcam")] for i in shown],
    rows=[f"drawing {diseased[i]}" for i in shown],
    columns=["lrp.epsilon", "gradcam"],
    masks=[evidence[i] for i in shown],
)

# %% [markdown]
# ## 2. Does it depend on the model?
#
# Shuffle the weights of the network, layer by layer from the logits down, and explain
# again. The shuffled network is a fool. A map that stays the same explained the image
# all along. To compare maps, one asks whether they *rank* the pixels alike.
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
# First use it to measure what the survey called subjectivity. The same network, the
# same images: how alike do the methods rank the pixels?

# %%
names = list(maps)
alike = np.zeros((len(names), len(names)))
for i, one in enumerate(names):
    for j, other in enumerate(names):
        pairs = zip(np.abs(maps[one]), np.abs(maps[other]), strict=True)
        alike[i, j] = np.mean([rank_correlation(*pair) for pair in pairs])
print(f"largest agreement of two different maps: {np.sort(alike.ravel())[-7]:.2f}")
print(alike.round(2))

# %% [markdown]
# Whoever shows one method's map has chosen one of several stories. Now the check. The
# library shuffles from the logits down, in three stages, and explains after each:

# %%
found = randomisation_check(explainer("lrp.epsilon", 1), network, images[:4], stages=3)
words = ["intact", *[f"down to {name}" for name in found.depths[1:]]]
lines_figure(
    {
        "LRP-epsilon": (range(4), found.spearman.mean(axis=1)),
        "edge detector": (range(4), np.ones(4)),
    },
    x="weights shuffled",
    y="rank correlation with the intact map",
    ticks=words,
)

# %% [markdown]
# The correlation falls, but not to zero: input times something keeps a trace of the
# input. This test can convict a map, never acquit it.
#
# ## 3. Does the prediction follow?
#
# Take away the most relevant pixels first (each is replaced by a blurred copy) and
# watch the probability of "diseased". A good map makes it fall early.


# %%
def probability(batch):
    logits = network.predict(batch, verbose=0)
    chance = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (chance / chance.sum(axis=1, keepdims=True))[:, 1]


sure = probability(images) > 0.8  # from a doubtful start nothing can fall
curves = {
    name: deletion(probability, images[sure], maps[name][sure], steps=8)
    for name in ("lrp.epsilon", "gradcam", "edge detector", "random map")
}
lines_figure(
    {name: (100 * c.fractions, c.values.mean(axis=0)) for name, c in curves.items()},
    x="pixels taken away, %",
    y="probability of 'diseased'",
)

# %% [markdown]
# Find the edge detector's curve. On drawings it may beat the methods of explanation:
# taking away all edges takes away all lesions, and much more. Deletion measures what
# the network *reacts to when the image is damaged*, and a damaged image is one that it
# has never seen. So ask each measure: **which stupid map would win?** For the relevance
# mass, a map of dark and bright spots; for deletion, anything that wrecks the image.
#
# The twin gives an intervention without damage: exchange the lesions for what would
# have been there.

# %%
before, after = probability(images), probability(twins)
print(f"probability with the lesions    {before.mean():.2f}")
print(f"probability of the healthy twin {after.mean():.2f}")
print(f"the lesions move it in {np.mean(before - after > 0.1):.0%} of the drawings")

# %% [markdown]
# ## 4. Does it betray a shortcut?
#
# Now a network that is right for the wrong reason. The camera of one clinic leaves a
# mark in the image, and that clinic sends the diseased: mark and disease go together 19
# times in 20. We train for a moment, and then test where the mark means nothing.
#
# Which mark? The library has one, `shortcut=0.9` (the correlation of mark and label,
# which is 19 in 20): a small tab at the rim of the field, such as real cameras leave.
# And here is ours, a white stamp in the corner. We try **both**.


# %%
def with_tab(split, number, correlation):
    """Draws images with the library's mark; returns images, labels, marks, evidence."""
    drawn = draw_images("fundus", range(number), split=split, shortcut=correlation)
    marked = drawn["image"].astype("float32") / 255
    return marked, drawn["label"], drawn["artefact"], drawn["evidence"]


def with_stamp(split, number, correlation):
    """Draws images with a white stamp; returns the same."""
    drawn = draw_images("fundus", range(number), split=split)
    agrees = np.random.default_rng(number).random(number) < (1 + correlation) / 2
    stamp = np.zeros((number, 64, 64), bool)
    stamp[agrees == (drawn["label"] == 1), 3:9, 3:9] = True
    marked = drawn["image"].astype("float32") / 255
    marked[stamp] = 1.0
    return marked, drawn["label"], stamp, drawn["evidence"]


def taught(mark):
    """Trains a network on marked images, for a moment."""
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
cheats = {name: taught(mark) for name, mark in marks.items()}
for name, mark in marks.items():
    as_taught, without = (accuracy(cheats[name], mark, c) for c in (0.9, 0.0))
    shown = mark("test", 200, 0.9)[2].sum(axis=(1, 2))
    print(f"{name}, {np.median(shown[shown > 0]):.0f} pixels")
    print(f"  accuracy with the mark as in training {as_taught:.2f}")
    print(f"  accuracy where the mark means nothing {without:.2f}")
    print(f"  price of the mark {100 * (as_taught - without):+.0f} points")

# %% [markdown]
# The first accuracy is what a test set from the same clinic would report, the second
# tells what the network knows of lesions. Their difference is the price of the mark,
# if it is more than chance: with 200 images each accuracy is known to 7 points or so.
#
# **How this lesson was tuned.** When it was written, networks that were taught with the
# library's tab hardly fell for it, as you can read above from this one. A lesson about
# shortcuts needs a fallen network, so a bolder mark was taken: larger, white, always in
# the same place. **The stamp was chosen because it works.** It shows what a shortcut
# does and how a map betrays it, and nothing about how often networks fall. For that,
# the shortcut study plants the library's own marks, in all three data sets and with
# several seeds, and reports whatever comes out (`medattn report`).
#
# Now the maps: of the relevance that lies on evidence or mark, how much lies on the
# mark? Only diseased images that have the mark can be asked.

# %%
cheat = cheats["our stamp"]
shares = {}
for name, mark in marks.items():
    pictures, labels, artefact, evidence_of = mark("test", 200, 0.9)
    chosen = np.flatnonzero(artefact.any(axis=(1, 2)) & (labels == 1))[:16]
    marked, truth = artefact[chosen], evidence_of[chosen]
    for title, model in (("taught with it", cheats[name]), ("zoo network", network)):
        found = explainer("lrp.epsilon", 1)(model)(pictures[chosen])
        share = 100 * np.nanmean(shortcut_share(found, truth, marked))
        shares[f"{name}: {title}"] = share
    both = marked.sum() + truth.sum()
    shares[f"{name}: share of the pixels"] = 100 * marked.sum() / both
bars_figure(shares, label="of the relevance on mark or evidence, % on the mark")

# %%
analyzer = create_analyzer("lrp.epsilon", cheat, neuron_selection_mode="index")
relevance = pixel_relevance(analyzer.analyze(pictures[chosen[:2]], 1))
explanation_grid(
    list(pictures[chosen[:2]]),
    [[one] for one in relevance],
    rows=[f"drawing {i}" for i in chosen[:2]],
    columns=["what moved the cheat"],
    masks=list(evidence_of[chosen[:2]]),
)

# %% [markdown]
# If you had not known where to look, would you have seen it? This is the use of maps
# that survives all our doubts: to find out what a network looks at *that you did not
# expect*, and then to test it, as the two accuracies did.
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
# *Are the maps right?* The question has four parts, and a map may pass one and fail the
# next. Against the evidence, compare with noise **and** with an edge detector; shuffle
# the weights; take away what the map names, and better, exchange it; plant a shortcut
# (and say how you chose it) and see whether you would have noticed. What the best map
# shows is what moved the model, never where the disease is.
