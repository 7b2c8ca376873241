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
# The talk on which this course is based ends with four open questions about attention
# in medical imaging. Here each becomes an experiment that takes a minute. None of them
# gives a final answer: each uses one seed, synthetic images and small networks. But you
# learn the *method*: ask a question, measure a number that could contradict your
# expectation, and say what is needed to believe the result.
#
# 1. **Past or future?** Does it matter whether a gate depends on the image?
# 2. **Design and integration**: does it matter *where* a block is put?
# 3. **The rise of transformers**: are they easier to explain?
# 4. **Interpretability**: what standard could maps be required to meet?
#
# You need: tutorials 3, 7 and 9. You will be able to: turn a claim into a measurement.

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
synthetic = draw_images("fundus", range(200))
images, labels = synthetic["image"].astype("float32") / 255, synthetic["label"]


def score(model):
    """Returns the AUROC of a network on 200 drawings."""
    logits = model.predict(images, verbose=0)
    return auroc(labels == 1, logits[:, 1] - logits[:, 0])


# %% [markdown]
# ## 1. Does it matter whether a gate depends on the image?
#
# A gate computes its scores from each image. We replace them by their **mean over
# images**: the gate still multiplies, but no longer depends on the image. If the
# network is as good as before, its attention was practically a constant.
#
# `clone_model` calls our function for each layer; for a gate, the function mixes with
# the mean scores.


# %%
def with_mean_scores(model):
    """Rebuilds a network so that its gates always have their mean scores."""
    gates = [layer for layer in model.layers if isinstance(layer, Gate)]
    inputs_of = keras.Model(model.input, [gate.input for gate in gates])
    inputs = inputs_of.predict(images, verbose=0)
    inputs = inputs if isinstance(inputs, list) else [inputs]
    mean = {
        gate.name: keras.ops.mean(gate.scores(x), axis=0, keepdims=True)
        for gate, x in zip(gates, inputs, strict=True)
    }

    def call(layer, *args, **kwargs):
        if isinstance(layer, Gate):
            return layer.mix(args[0], mean[layer.name])
        return layer(*args, **kwargs)

    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=call
    )


# %% [markdown]
# **Predict first.** By how many points (hundredths) will the AUROC of the SE network
# fall?

# %%
my_guess = None  # points

# %%
drop = {}
for name in ("se_micro_resnet", "cbam_micro_resnet"):
    model = load_zoo_model(name, regime=0.1)
    original, constant = score(model), score(with_mean_scores(model))
    drop[name] = 100 * (original - constant)
    print(f"{name}: original {original:.3f}, mean scores {constant:.3f}")
print(reveal(my_guess, drop["se_micro_resnet"], what="SE", unit="points"))

# %% [markdown]
# A small drop shows that the gate has mostly learnt a fixed scaling of channels, which
# a plain network could have learnt, too. A large drop shows that the dependence on the
# image matters. *To believe it:* six seeds, three data sets, and the same test for
# gates that had constant scores during training.
#
# ### Exercise 1
#
# "Six seeds" is a guess. For paired differences with standard deviation `spread`, the
# number of seeds that shows a true difference with 80% power at the 5% level is about
#
# $$n = \Big(\frac{(1.96 + 0.84)\, s}{d}\Big)^2,$$
#
# rounded up. Write it. It also has a minimum: with fewer than 6 pairs no exact
# signed-rank test reaches 5%, since its smallest p is $2^{1-n}$.


# %% tags=["solution"]
def seeds_needed(difference, spread):
    """Returns how many paired seeds show a difference, an integer of 6 or more."""
    n = ((1.96 + 0.84) * spread / abs(difference)) ** 2
    return max(6, int(np.ceil(n)))


# %%
check("11.seeds_needed", seeds_needed)

# %%
for difference in (0.05, 0.02, 0.01, 0.005):
    seeds = seeds_needed(difference, spread=0.012)
    print(f"{100 * difference:.1f} points, standard deviation 1.2: {seeds} seeds")

# %% [markdown]
# ## 2. Does it matter where a block is put?
#
# We insert one SE gate after one stage of a plain network that was trained on 1% of the
# data. The gate starts as the identity, and only the gate is trained, for 40 steps. So
# every change is an effect of the gate at this position.

# %%
train = draw_images("fundus", range(320), split="train")
plain = load_zoo_model("micro_resnet", regime=0.01)
scores = {"no gate": score(plain)}
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
    scores[f"SE after {stage}"] = score(gated)
bars_figure(scores, label="AUROC on 200 drawings")

# %% [markdown]
# But the gates were trained on images that the trunk has not seen (320 instead of 40),
# so an improvement can also come from the data. A fair comparison trains *something
# else* of similar size on the same 320 images, for example the last layer. Try it: set
# only the layer `predictions` trainable.
#
# ## 3. Are transformers easier to explain?
#
# A transformer has its own attention maps. We use drawings of malignant moles, which a
# small DeiT learns better than retinas. How much of each map lies on what makes them
# malignant? Both networks were trained on all training images.

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
    line_label="a uniform map",
)

# %% [markdown]
# The two networks are not equally good, and patches of 8 pixels cannot show a thin
# border. *To believe it:* equal AUROC, equal resolution, and the edge detector as a
# baseline, as in tutorial 9.
#
# ## 4. What standard could maps be required to meet?
#
# One standard needs no ground truth, so it can be tested on real images:
# **reproducibility**. If two networks were trained in the same way and give the same
# predictions, do their maps agree?
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
maps = [pixel_map(explainer("lrp.epsilon", 1)(model)(images[some])) for model in models]
table = np.array([[agreement(a, b) for b in maps] for a in maps])
attention = ["none", "SE", "CBAM"]
matrix_figure(
    [np.clip(table, 0, 1)],
    [attention],
    [attention],
    ["agreement of the maps"],
    x="network",
    y="network",
    label="rank correlation",
)

# %% [markdown]
# These networks give nearly the same predictions, but their maps agree only in part.
# Some of each map depends on the image, and some on the network and its seed; a
# standard for clinical use would have to say how much. Every published map could be
# tested in this way.
#
# ## Your turn
#
# Choose one of the four questions, and write down *before* you start: the question, the
# metric, the baseline, the number of seeds from exercise 1, and what result would
# change your mind. Then run it with `medattn study`. A correct "cannot tell" is worth
# more than an improvement that nobody can reproduce.
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
# *Which open question could you answer yourself?* You can take each of them one step
# further: fix the scores of the gates, move the block, compare maps with the evidence
# and with each other. Say beforehand what would change your mind, use enough seeds, and
# report the result, whatever it is.
