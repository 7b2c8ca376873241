# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 7. Where did this logit come from, and does the answer add up?
#
# A network has answered with one number, the logit of "diseased". An **attribution**
# hands that number back to the pixels: so much of it is yours, so much is yours. You
# can check such a hand-back as you check a bill: *do the items add up to the total?*
#
# You will write two methods with numpy, about twenty lines each:
#
# - **LRP** (layer-wise relevance propagation) shares the logit itself. Its law is
#   *conservation*: what a layer is given, it passes on.
# - **DeepLIFT** shares the difference between this logit and that of a reference image.
#   Its law is *completeness*: contributions sum to the difference.
#
# Then you will let the library do the same for a trained network with attention, and
# break it the way in which a published study's maps broke.
#
# You need: matrix products and the chain rule. You will be able to: derive a rule,
# test a law, and read a ledger.

# %%
import importlib.util

import keras
import numpy as np
from keras import ops

from medattn import create_analyzer, load_zoo_model
from medattn.data import draw_images
from medattn.explain import audit_line
from medattn.explain.deeplift import nonlinear as differences
from medattn.explain.lrp import nonlinear as steps
from medattn.figures import explanation_figure, pixel_relevance
from medattn.teaching import bars_figure, check, quiz, reveal

# %% [markdown]
# ## A network that fits on a page
#
# Six inputs, four hidden units with a ReLU, one logit. We keep the weights as numpy
# arrays, and `forward` keeps every layer's input, because both methods need them.

# %%
rng = np.random.default_rng(69)
W1, b1 = rng.normal(size=(6, 4)), np.array([0.3, -0.2, 0.1, 0.4])
W2, b2 = rng.normal(size=(4, 1)), np.array([0.5])


def forward(x):
    """Returns what goes into the ReLU, what comes out, and the logit."""
    z = x @ W1 + b1
    a = np.maximum(z, 0)
    return z, a, a @ W2 + b2


x = np.array([1.0, 0.5, -1.0, 2.0, 0.0, 0.8])
z, a, logit = forward(x)
print("hidden units:", a.round(2), " logit:", logit.round(3))

# %% [markdown]
# ## LRP: one step back
#
# Go backwards from the logit. A dense layer computed, for each of its outputs $k$,
#
# $$z_k = \sum_j x_j w_{jk} + b_k .$$
#
# Output $k$ holds relevance $R_k$. Input $j$ contributed $x_j w_{jk}$ to $z_k$, so it
# is given that share:
#
# $$R_j = \sum_k \frac{x_j w_{jk}}{z_k + \epsilon\,\mathrm{sign}(z_k)} R_k .$$
#
# The small $\epsilon$ keeps the denominator away from zero. The ReLU needs no step: a
# unit that is off contributed nothing, since its output is zero, and a unit that is on
# passed its value unchanged.
#
# ### Exercise 1
#
# Write this step for vectors. `x` has shape `(inputs,)`, `W` `(inputs, outputs)`, `b`
# and `R` `(outputs,)`. One line for `z`, one for the denominator, one for the sum.


# %% tags=["solution"]
def lrp_step(x, W, b, R, epsilon=1e-7):
    """Shares the relevance of a layer's outputs among its inputs, `(inputs,)`."""
    z = x @ W + b
    z = z + epsilon * np.where(z >= 0, 1, -1)
    return x * (W @ (R / z))


# %%
check("07.lrp_step", lrp_step)

# %% [markdown]
# Two steps, and the logit lies on the inputs.
#
# **Predict first.** The logit is printed above. What will the six numbers sum to: the
# logit exactly, or something else? Write your number down, then run on.

# %%
my_guess = None  # a number, before you run the next cell

# %%
R_hidden = lrp_step(a, W2, b2, logit)
R_input = lrp_step(x, W1, b1, R_hidden)
print("relevance of the inputs:", R_input.round(3))
print(reveal(my_guess, R_input.sum(), what="their sum", digits=3))
print(f"the logit: {logit[0]:.3f}")

# %% [markdown]
# ## What the biases took
#
# They differ, and nothing is broken. The bias $b_k$ is part of $z_k$, so it is owed the
# share $b_k R_k / z_k$; but a bias is no pixel, and LRP has nowhere to put its share.
# An honest method writes it down. This is the **ledger**: inputs + biases = logit.

# %%
taken = sum(
    (b * R / layer_input).sum()
    for b, R, layer_input in ((b2, logit, logit), (b1, R_hidden, z))
)
print(f"inputs {R_input.sum():.3f} + biases {taken:.3f} = {R_input.sum() + taken:.3f}")
print(f"logit {logit[0]:.3f}")

# %% [markdown]
# This is all there is to LRP-epsilon: for convolutions the same formula holds, since a
# convolution is a dense layer with most weights zero.
#
# ## The same by the library
#
# The same weights in a Keras model; the library's answer should be ours.

# %%
network = keras.Sequential(
    [
        keras.Input((6,)),
        keras.layers.Dense(4, activation="relu"),
        keras.layers.Dense(1),
    ]
)
network.set_weights([W1, b1, W2, b2])
analyzer = create_analyzer("lrp.epsilon", network)
by_library = analyzer.analyze(x[None].astype("float32"))[0]
print("numpy:  ", R_input.round(4))
print("library:", by_library.round(4))
print(audit_line(analyzer.audit(x[None].astype("float32"))))

# %% [markdown]
# ## A trained network with attention
#
# The shipped `se_micro_resnet` has seen 4,000 drawn retinas, 64 x 64 pixels. It has
# residual sums, batch norms, and a Squeeze-and-Excitation gate in each block. We look
# at a diseased drawing; the yellow line surrounds the pixels that make it diseased.

# %%
drawn = draw_images("fundus", [0, 2, 7, 17])
images = drawn["image"].astype("float32") / 255
retina_network = load_zoo_model("se_micro_resnet")
lrp = create_analyzer("lrp.epsilon", retina_network, neuron_selection_mode="index")
relevance = pixel_relevance(lrp.analyze(images, 1))
ledger = lrp.audit(images, 1)
explanation_figure(
    images[3],
    relevance[3],
    title=f"logit of 'diseased': {ledger['logit'][3]:.2f}",
    lines=[audit_line(ledger, 3)],
    mask=drawn["evidence"][3],
)

# %% [markdown]
# Read the ledger's line below the picture. `pixels` is the sum of the map. `biases` is
# what biases and the shifts of batch norms took on the way, counted layer by layer, and
# not as "the rest". The two together are the logit, also for the other drawings:

# %%
for sample in range(4):
    print(audit_line(ledger, sample), f"   error {ledger['error'][sample]:.1e}")

# %% [markdown]
# The ledger says that the *bill* is right: nothing was lost, nothing was invented. It
# does **not** say that the map is a good explanation. Much of the logit of a normalised
# network sits in its biases, and how the rest is spread depends on the rule.
#
# ## DeepLIFT: compared with what?
#
# LRP asks "where did this logit come from?". DeepLIFT asks "why this logit *and not
# that of the reference*?" Run both images through the network; each layer then has a
# difference $\Delta x = x - x'$. A dense layer is linear, so differences pass it
# without its biases, and its multipliers are its weights. Only the ReLU needs a rule.
# The **rescale rule** takes the slope of the straight line between the two points:
#
# $$m = \frac{\mathrm{relu}(z) - \mathrm{relu}(z')}{z - z'} .$$
#
# ### Exercise 2
#
# Write the multiplier for arrays of any shape. Mind the case $z = z'$: there is no line
# between a point and itself, and one takes the ReLU's own slope, 1 or 0.


# %% tags=["solution"]
def rescale(z, z_reference):
    """Returns the multiplier of a ReLU between two inputs, same shape."""
    difference = z - z_reference
    same = np.abs(difference) < 1e-9
    change = np.maximum(z, 0) - np.maximum(z_reference, 0)
    return np.where(same, z > 0, change / np.where(same, 1, difference))


# %%
check("07.rescale", rescale)

# %% [markdown]
# Multipliers multiply along the way, as derivatives do in the chain rule; the
# contribution of an input is its difference times its multiplier.

# %%
x_reference = np.zeros(6)
z_reference, _, logit_reference = forward(x_reference)
multiplier = W1 @ (rescale(z, z_reference) * W2[:, 0])
contribution = (x - x_reference) * multiplier
print("contributions:", contribution.round(3))
print(f"their sum {contribution.sum():.4f}")
print(f"logit {logit[0]:.4f} - reference {logit_reference[0]:.4f} =", end=" ")
print(f"{(logit - logit_reference)[0]:.4f}")

# %% [markdown]
# Completeness holds without a ledger for biases: they are the same in both runs and
# cancel. The price is a question that LRP does not ask: **what is a fair reference?**
#
# In the small network, another reference gives other contributions, and each set adds
# up to its own difference. Neither is wrong: they answer other questions.

# %%
rows = {}
for name, reference in (("zeros", np.zeros(6)), ("ones", np.ones(6))):
    z_reference, _, logit_reference = forward(reference)
    m = W1 @ (rescale(z, z_reference) * W2[:, 0])
    rows[name] = (x - reference) * m
    print(f"{name:>5}: {rows[name].round(2)}, sum {rows[name].sum():+.3f}")

# %% [markdown]
# For the retina the library takes black as the reference unless you give another. A
# healthy twin of the same retina is a better question: *why diseased, and not as the
# same eye without the lesions?* Drawings have such twins; patients do not.

# %%
twins = drawn["twin"].astype("float32") / 255
for name, reference in (("black", None), ("healthy twin", twins[3])):
    options = {} if reference is None else {"reference": reference}
    lift = create_analyzer(
        "deep_lift.rescale", retina_network, neuron_selection_mode="index", **options
    )
    found = pixel_relevance(lift.analyze(images[3:], 1))[0]
    size = np.abs(found)
    inside = size[drawn["evidence"][3]].sum() / size.sum()
    print(f"{name:>12}: {audit_line(lift.audit(images[3:], 1))}")
    print(f"{'':>12}  {100 * inside:.0f}% of |R| lies inside the evidence")

# %% [markdown]
# With the twin every contribution lies on the evidence, *by construction*: elsewhere
# the difference is zero, so nothing can be put there. A perfect score that is built in
# teaches nothing about the network. Ask of every good score whether it could have come
# out badly.
#
# ## Where it broke
#
# The survey that this course follows drew LRP and DeepLIFT maps of networks with SE and
# CBAM gates. Its LRP had rules for layers, but none for what stands between them: the
# product `x * gate`. That was left to automatic differentiation, as iNNvestigate leaves
# it, which sends relevance back multiplied by the other factor, into the signal **and**
# into the gate.
#
# Here is that breakage, small and whole: pixels by channels, one to three SE gates,
# random weights, and **no biases**, so that every layer conserves exactly and whatever
# is missing went missing in a product. For the layers it uses your `lrp_step`.


# %%
def spread(h, R):
    """Shares the relevance of each channel's mean among its pixels, by their size."""
    return h * R / np.maximum(h.sum(axis=0), 1e-9)


def sum_over_logit(pixels, gates, seed, product):
    """Draws a network with SE gates, and divides the sum of its LRP by its logit."""
    draw = np.random.default_rng(seed).normal
    first, last, kept = draw(size=(3, 8)), draw(size=(8, 1)), []
    h = np.maximum(pixels @ first, 0)  # (pixels, channels)
    for reduce, expand in [
        (draw(size=(8, 4)), draw(size=(4, 8))) for _ in range(gates)
    ]:
        hidden = np.maximum(h.mean(axis=0) @ reduce, 0)
        scores = 1 / (1 + np.exp(-hidden @ expand))
        kept.append((h, hidden, scores, reduce, expand))
        h = h * scores
    logit = h.mean(axis=0) @ last
    R = spread(h, lrp_step(h.mean(axis=0), last, 0, logit))
    for h, hidden, scores, reduce, expand in reversed(kept):
        R_h, R_scores = product(h, scores, R)
        R_hidden = lrp_step(hidden, expand, 0, R_scores)  # the sigmoid passes it on
        R = R_h + spread(h, lrp_step(h.mean(axis=0), reduce, 0, R_hidden))
    pairs = zip(pixels, R, strict=True)
    return sum(lrp_step(x, first, 0, R_x).sum() for x, R_x in pairs) / logit[0]


def plain(h, scores, R):
    return R * scores, (R * h).sum(axis=0)  # as a derivative goes back


def signal_takes_all(h, scores, R):
    return R, np.zeros_like(scores)  # the gate decides how much passes, and gets none


pixels = images[3, ::8, ::8].reshape(-1, 3)
print("sum of the relevance / logit, 20 random networks each (1 would be right):")
for gates in (1, 2, 3):
    without, with_it = (
        np.array([sum_over_logit(pixels, gates, seed, rule) for seed in range(20)])
        for rule in (plain, signal_takes_all)
    )
    low, middle, high = np.percentile(without, [0, 50, 100])
    print(
        f"{gates} gate(s): plain {low:5.2f} to {high:5.2f}, median {middle:.2f}; "
        f"with the rule off by {np.abs(with_it - 1).max():.0e}"
    )

# %% [markdown]
# Without a rule the bill may be many times the total or a small part of it, and the
# picture will not tell you: a map is drawn in any case. With the rule all of them add
# up, but for rounding and the epsilon.
#
# DeepLIFT breaks at the same place. Captum's, which has rules for nonlinear modules
# only, differentiates a product $y = x s$ at the image. But
#
# $$\Delta y = s\,\Delta x + x\,\Delta s - \Delta x\,\Delta s,$$
#
# so it is off by $\Delta x\,\Delta s$. Multiply each difference by the *mean* of the
# other factor at both ends instead, and nothing is missing (two lines on paper).
#
# The library looks its rules up in a dict. So exchange one entry in it, that of the
# product, leave all else of the **trained** network as it is, and let the audit say
# what is missing.


# %%
def plain_difference(walk, step, *args, **kwargs):
    """The right difference of a product, with the derivatives at the image."""
    right, held = differences.product(walk, step, *args, **kwargs), ops.stop_gradient
    x, s = keras.tree.flatten(args)
    shared = x.difference * held(s.value) + held(x.value) * s.difference
    total = shared + held(right.difference - shared)
    return differences.Pair(right.reference, total)


def missing(name, table, rule):
    """Audits with this rule for products; per cent of what was to be shared."""
    ours, table["Multiply"] = table["Multiply"], rule
    analyzer = create_analyzer(name, retina_network, neuron_selection_mode="index")
    found = analyzer.audit(images, 1)
    table["Multiply"] = ours
    due = found["logit"] - found.get("reference", 0)
    return 100 * np.abs(found["error"] / due)


lrp_rules, lift_rules = steps.RULES, differences.DEEP_LIFT_RULES
shares = {
    "LRP, plain product": missing("lrp.epsilon", lrp_rules, steps.as_it_is),
    "LRP, signal takes all": missing("lrp.epsilon", lrp_rules, steps.product),
    "DeepLIFT, plain product": missing(
        "deep_lift.rescale", lift_rules, plain_difference
    ),
    "DeepLIFT, mean of the other": missing(
        "deep_lift.rescale", lift_rules, differences.product
    ),
}
for name, each in shares.items():
    print(f"{name:>28}: missing {', '.join(f'{one:.4f}%' for one in each)}")
bars_figure(
    {name: each.mean() for name, each in shares.items()},
    label="missing from the sum, % of what was to be shared (mean of four drawings)",
)

# %% [markdown]
# Same weights, same images; one rule of one operation. A library that checked its own
# sums would have seen it at the first image.
#
# ## Beside iNNvestigate
#
# iNNvestigate is the library that made these methods known in Keras. On a plain
# convolutional network both must agree. It needs Python 3.11 and the extra
# `medattn[innvestigate]`; without it this cell says so and goes on.

# %%
if importlib.util.find_spec("innvestigate") is None:
    print("iNNvestigate is not installed here: nothing to compare.")
else:
    keras.utils.set_random_seed(1)
    plain_network = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            keras.layers.Conv2D(4, 3, activation="relu", use_bias=False),
            keras.layers.Flatten(),
            keras.layers.Dense(2, use_bias=False),
        ]
    )
    some = np.random.default_rng(2).random((2, 12, 12, 1)).astype("float32")
    both = {
        engine: create_analyzer("lrp.epsilon", plain_network, engine=engine)
        for engine in ("medattn", "innvestigate")
    }
    maps = {engine: one.analyze(some) for engine, one in both.items()}
    gap = np.abs(maps["medattn"] - maps["innvestigate"]).max()
    print(f"largest difference {gap:.1e}, largest value {maps['medattn'].max():.2f}")
    print("sums  :", maps["medattn"].sum(axis=(1, 2, 3)).round(3))
    print("logits:", plain_network.predict(some, verbose=0).max(axis=1).round(3))

# %% [markdown]
# Without biases, conservation is exact: the map sums to the logit. On gated and
# normalised networks the two libraries part; the page "Ours beside iNNvestigate" of the
# documentation lists where and why.
#
# ## Quiz

# %%
quiz("07_lrp_deeplift")

# %% [markdown]
# ## Read more
#
# - S. Bach et al., On pixel-wise explanations for non-linear classifier decisions by
#   layer-wise relevance propagation, PLoS ONE, 2015.
#   <https://doi.org/10.1371/journal.pone.0130140>
# - A. Shrikumar, P. Greenside, A. Kundaje, Learning important features through
#   propagating activation differences, ICML, 2017. <https://arxiv.org/abs/1704.02685>
# - M. Alber et al., iNNvestigate neural networks!, JMLR, 2019.
#   <https://arxiv.org/abs/1808.04260>
# - R. Achtibat et al., AttnLRP: attention-aware layer-wise relevance propagation for
#   transformers, ICML, 2024. <https://arxiv.org/abs/2402.05602>
# - N. Kokhlikyan et al., Captum: a unified and generic model interpretability library
#   for PyTorch, 2020. <https://arxiv.org/abs/2009.07896>
# - T. Gonçalves et al., A survey on attention mechanisms for medical applications,
#   IEEE Access, 2022. <https://doi.org/10.1109/ACCESS.2022.3206449>

# %% [markdown]
# ## The answer
#
# *Where did this logit come from?* From the inputs in proportion to what each put into
# every sum, and from the biases. *Does the answer add up?* It does when every step of
# the network has a rule: dense layers, norms, sums **and products**. Adding up is the
# least one may ask of a map. Whether the map points at the evidence is another
# question; tutorial 9 measures it.
