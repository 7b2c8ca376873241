# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 11. Where next: which open question could you answer yourself?
#
# The talk from which this course grew ends with four open questions about attention in
# medical imaging. Here each becomes an experiment that takes a minute. None of them is
# answered for good: each has one seed, drawn images and small networks. What you take
# home is the *form*: a question, a number that could have come out otherwise, and what
# would have to be done to believe it.
#
# 1. **Past or future?** Would anybody notice if the gates stopped looking?
# 2. **Design and integration**: does it matter *where* a block is put?
# 3. **The rise of transformers**: are they easier to explain?
# 4. **Interpretability**: what standard could maps be held to?
#
# You need: tutorials 3, 7 and 9. You will be able to: turn a slogan into a measurement.

# %%
import keras
import numpy as np

from medattn import attach, load_zoo_model
from medattn.data import draw_images
from medattn.explain import explainer, pixel_map, relevance_mass
from medattn.layers import SqueezeExcite
from medattn.layers.attention import Gate
from medattn.study.analyse.scores import auroc
from medattn.teaching import bars_figure, check, matrix_figure, quiz, reveal

# %%
drawn = draw_images("fundus", range(200))
images, labels = drawn["image"].astype("float32") / 255, drawn["label"]


def score(model):
    """Returns the AUROC of a network on 200 drawings."""
    logits = model.predict(images, verbose=0)
    return auroc(labels == 1, logits[:, 1] - logits[:, 0])


# %% [markdown]
# ## 1. Would anybody notice if the gates stopped looking?
#
# A gate computes its scores from each image. Replace them by their **mean over
# images**: the gate still multiplies, but no longer looks. If the network is as good as
# before, its attention was a constant all along.
#
# `clone_model` calls our function for each layer; for a gate we mix with the mean.


# %%
def without_looking(model):
    """Rebuilds a network whose gates always have their mean scores."""
    gates = [layer for layer in model.layers if isinstance(layer, Gate)]
    read = keras.Model(model.input, [gate.input for gate in gates])
    seen = read.predict(images, verbose=0)
    seen = seen if isinstance(seen, list) else [seen]
    mean = {
        gate.name: keras.ops.mean(gate.scores(x), axis=0, keepdims=True)
        for gate, x in zip(gates, seen, strict=True)
    }

    def call(layer, *args, **kwargs):
        if isinstance(layer, Gate):
            return layer.mix(args[0], mean[layer.name])
        return layer(*args, **kwargs)

    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=call
    )


# %% [markdown]
# **Predict first.** By how many points of AUROC (hundredths) will the SE network fall?

# %%
my_guess = None  # points

# %%
fall = {}
for name in ("se_micro_resnet", "cbam_micro_resnet"):
    model = load_zoo_model(name, regime=0.1)
    looking, blind = score(model), score(without_looking(model))
    fall[name] = 100 * (looking - blind)
    print(f"{name}: looking {looking:.3f}, blind {blind:.3f}")
print(reveal(my_guess, fall["se_micro_resnet"], what="SE", unit="points"))

# %% [markdown]
# A small fall says: what the gate learnt is mostly a fixed scaling of channels, which a
# plain network could have learnt, too. A large one says that it looks. *To believe it:*
# six seeds, three data sets, and the same test for gates that were trained blind.
#
# ### Exercise 1
#
# "Six seeds" is a guess. For paired differences with standard deviation `spread`, the
# number of seeds that shows a true difference with 80% power at the 5% level is about
#
# $$n = \Big(\frac{(1.96 + 0.84)\, s}{d}\Big)^2,$$
#
# rounded up. Write it. It also has a floor: with fewer than 6 pairs no exact
# signed-rank test reaches 5%, since $2^{1-n}$ is its smallest p.


# %% tags=["solution"]
def seeds_needed(difference, spread):
    """Returns how many paired seeds show a difference, an integer of 6 or more."""
    n = ((1.96 + 0.84) * spread / abs(difference)) ** 2
    return max(6, int(np.ceil(n)))


# %%
check("11.seeds_needed", seeds_needed)

# %%
for difference in (0.05, 0.02, 0.01, 0.005):
    need = seeds_needed(difference, spread=0.012)
    print(f"{100 * difference:.1f} points, if seeds scatter by 1.2: {need} seeds")

# %% [markdown]
# ## 2. Does it matter where a block is put?
#
# We put one SE gate behind one stage of a plain network that saw 1% of the data. It
# starts as the identity, and only the gate is trained, for 40 steps: whatever changes
# is the gate's work, at this place.

# %%
train = draw_images("fundus", range(320), split="train")
plain = load_zoo_model("micro_resnet", regime=0.01)
placed = {"no gate": score(plain)}
for stage in ("conv2", "conv3", "conv4"):
    keras.utils.set_random_seed(0)
    block = SqueezeExcite(ratio=4, start="identity")
    gated = attach(plain, block, f"{stage}_block1_3_bn")
    for layer in gated.layers:
        layer.trainable = isinstance(layer, Gate)
    gated.compile(
        keras.optimizers.Adam(1e-2),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    gated.fit(train["image"] / 255.0, train["label"], 32, epochs=4, verbose=0)
    placed[f"SE behind {stage}"] = score(gated)
bars_figure(placed, label="AUROC on 200 drawings")

# %% [markdown]
# The gates also saw images that the trunk had not (320 instead of 40), so that a gain
# is not the gate's alone. What would be the fair rival? Training *something else* of
# equal size on the same 320 images, the last layer for instance. Try it: set only the
# layer `predictions` trainable.
#
# ## 3. Are transformers easier to explain?
#
# A transformer brings its own maps. On drawings of malignant moles, which a small DeiT
# learns better than retinas, how much of each map lies on what makes them malignant?
# Both networks saw all training images.

# %%
moles = draw_images("dermoscopy", range(80))
malignant = np.flatnonzero(moles["label"] == 1)[:20]
mole_images = moles["image"][malignant].astype("float32") / 255
evidence = moles["evidence"][malignant]
sources = {
    "DeiT, rollout": ("micro_deit", "attention.rollout"),
    "DeiT, attention x gradient": ("micro_deit", "attention.transformer"),
    "DeiT, LRP for attention": ("micro_deit", "lrp.attention"),
    "ResNet, LRP-epsilon": ("micro_resnet", "lrp.epsilon"),
}
networks = {
    name: load_zoo_model(name, dataset="dermoscopy")
    for name in ("micro_deit", "micro_resnet")
}
maps = {
    title: pixel_map(explainer(method, 1)(networks[name])(mole_images))
    for title, (name, method) in sources.items()
}
bars_figure(
    {t: 100 * np.nanmean(relevance_mass(m, evidence)) for t, m in maps.items()},
    label="relevance mass inside the evidence, %",
    line=100 * evidence.mean(),
    line_label="an even map",
)

# %% [markdown]
# The two networks are not equally good, and patches of 8 pixels cannot draw a thin
# border. *To believe it:* equal AUROC, equal resolution, and the edge detector as a
# third party, as in tutorial 9.
#
# ## 4. What standard could maps be held to?
#
# One that needs no truth, and so can be asked of real images: **reproducibility**. If
# two networks were trained alike and answer alike, do their maps agree?
#
# ### Exercise 2
#
# Write the mean agreement of two batches of maps, `(images, height, width)`: Spearman's
# rank correlation of the two maps of each image, then the mean over images.


# %% tags=["solution"]
def agreement(first, second):
    """Returns the mean rank correlation of two batches of maps."""
    from scipy.stats import spearmanr

    pairs = zip(first, second, strict=True)
    return np.mean([spearmanr(a.ravel(), b.ravel()).statistic for a, b in pairs])


# %%
check("11.agreement", agreement)

# %%
names = ("micro_resnet", "se_micro_resnet", "cbam_micro_resnet")
models = [load_zoo_model(name, regime=0.5) for name in names]
some = np.flatnonzero(labels == 1)[:20]
for name, model in zip(names, models, strict=True):
    print(f"{name:>18}: AUROC {score(model):.3f}")
alike = [
    pixel_map(explainer("lrp.epsilon", 1)(model)(images[some])) for model in models
]
table = np.array([[agreement(a, b) for b in alike] for a in alike])
short = ["none", "SE", "CBAM"]
matrix_figure(
    [np.clip(table, 0, 1)],
    [short],
    [short],
    ["agreement of the maps"],
    x="network",
    y="network",
    label="rank correlation",
)

# %% [markdown]
# Networks with nearly the same answers, and maps that share only a part. A standard for
# the clinic would have to say which part is owed to the patient, and which to the seed.
# It is a standard that every published map could be held to tomorrow.
#
# ## Your turn
#
# Take one of the four, write down *before* you start: the question, the measure, the
# baseline, the number of seeds from exercise 1, and what result would change your mind.
# Then let `medattn study` run it. A result of "cannot tell", honestly obtained, is
# worth more than a gain that nobody can repeat.
#
# ## Quiz

# %%
quiz("11_open_questions")

# %% [markdown]
# ## Read more
#
# - T. Gonçalves et al., A survey on attention mechanisms for medical applications: are
#   we moving toward better algorithms?, IEEE Access, 2022.
#   <https://doi.org/10.1109/ACCESS.2022.3206449>
# - S. Jain, B. C. Wallace, Attention is not explanation, NAACL, 2019.
#   <https://arxiv.org/abs/1902.10186>
# - S. Wiegreffe, Y. Pinter, Attention is not not explanation, EMNLP, 2019.
#   <https://arxiv.org/abs/1908.04626>
# - R. Achtibat et al., AttnLRP: attention-aware layer-wise relevance propagation for
#   transformers, ICML, 2024. <https://arxiv.org/abs/2402.05602>

# %% [markdown]
# ## The answer
#
# *Which open question could you answer yourself?* Each of them, a step further than it
# is: blind the gates, move the block, compare maps with the evidence and with each
# other. Say beforehand what would change your mind, count the seeds, and report what
# came.
