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
# divides this number among the pixels. You can check it as you check a bill: *do the
# items add up to the total?*
#
# You will write two methods in numpy, about twenty lines each:
#
# - **LRP** (layer-wise relevance propagation) divides the logit itself. Its law is
#   *conservation*: each layer passes on all the relevance that it receives.
# - **DeepLIFT** divides the difference between this logit and that of a reference
#   image. Its law is *completeness*: the contributions sum to the difference.
#
# Then you will use the library for a trained network with attention, and reproduce the
# error that made the maps of a published study wrong.
#
# You need: matrix products and the chain rule. You will be able to: derive a rule, test
# a law, and read an audit.

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
    """Returns the input of the ReLU, its output, and the logit."""
    z = x @ W1 + b1
    a = np.maximum(z, 0)
    return z, a, a @ W2 + b2


x = np.array([1.0, 0.5, -1.0, 2.0, 0.0, 0.8])
z, a, logit = forward(x)
print("hidden units:", a.round(2), " logit:", logit.round(3))

# %% [markdown]
# ## LRP: one step back
#
# LRP goes backwards from the logit. A dense layer has computed, for each of its outputs
# $k$,
#
# $$z_k = \sum_j x_j w_{jk} + b_k .$$
#
# Output $k$ has relevance $R_k$. Input $j$ contributed $x_j w_{jk}$ to $z_k$, so it
# receives that fraction of $R_k$:
#
# $$R_j = \sum_k \frac{x_j w_{jk}}{z_k + \epsilon\,\mathrm{sign}(z_k)} R_k .$$
#
# The small $\epsilon$ keeps the denominator away from zero. The ReLU needs no step: an
# inactive unit has contributed nothing, since its output is zero, and an active unit
# has passed its value on unchanged.
#
# ### Exercise 1
#
# Write this step for vectors. `x` has shape `(inputs,)`, `W` `(inputs, outputs)`, `b`
# and `R` `(outputs,)`. One line for `z`, one for the denominator, one for the sum.


# %% tags=["solution"]
def lrp_step(x, W, b, R, epsilon=1e-7):
    """Distributes the relevance of a layer's outputs to its inputs, `(inputs,)`."""
    z = x @ W + b
    z = z + epsilon * np.where(z >= 0, 1, -1)
    return x * (W @ (R / z))


# %%
check("07.lrp_step", lrp_step)

# %% [markdown]
# Two such steps distribute the logit over the inputs.
#
# **Predict first.** The logit is printed above. What will the six relevances sum to:
# exactly the logit, or another number? Write your number down, then run the next cell.

# %%
my_guess = None  # a number, before you run the next cell

# %%
R_hidden = lrp_step(a, W2, b2, logit)
R_input = lrp_step(x, W1, b1, R_hidden)
print("relevance of the inputs:", R_input.round(3))
print(reveal(my_guess, R_input.sum(), what="their sum", digits=3))
print(f"the logit: {logit[0]:.3f}")

# %% [markdown]
# ## What the biases absorb
#
# The sum and the logit differ, and this is no error. The bias $b_k$ is part of $z_k$,
# so the part $b_k R_k / z_k$ belongs to it; but a bias is no input. This relevance is
# **absorbed** by the bias. A method should report it. This is the **audit**: inputs +
# biases = logit.

# %%
absorbed = sum(
    (b * R / layer_input).sum()
    for b, R, layer_input in ((b2, logit, logit), (b1, R_hidden, z))
)
total = R_input.sum() + absorbed
print(f"inputs {R_input.sum():.3f} + biases {absorbed:.3f} = {total:.3f}")
print(f"logit {logit[0]:.3f}")

# %% [markdown]
# This is the whole of LRP-epsilon. The same formula holds for convolutions, since a
# convolution is a dense layer in which most weights are zero.
#
# ## The same with the library
#
# We put the same weights into a Keras model; the library should give the same
# relevance.

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
# The shipped `se_micro_resnet` was trained on 4,000 drawn retinas of 64 x 64 pixels. It
# has residual sums, batch norms, and a Squeeze-and-Excitation gate in each block. We
# explain a diseased drawing; the yellow line surrounds the pixels that make it
# diseased.

# %%
synthetic = draw_images("fundus", [0, 2, 7, 17])
images = synthetic["image"].astype("float32") / 255
retina_network = load_zoo_model("se_micro_resnet")
lrp = create_analyzer("lrp.epsilon", retina_network, neuron_selection_mode="index")
relevance = pixel_relevance(lrp.analyze(images, 1))
audit = lrp.audit(images, 1)
explanation_figure(
    images[3],
    relevance[3],
    title=f"logit of 'diseased': {audit['logit'][3]:.2f}",
    lines=[audit_line(audit, 3)],
    mask=synthetic["evidence"][3],
)

# %% [markdown]
# Read the audit below the picture. `pixels` is the sum of the map. `biases` and `norm
# shifts` are the relevance that biases and the shifts of batch norms absorbed. They are
# summed layer by layer, and not computed as the difference from the logit. All together
# are the logit, also for the other drawings:

# %%
for sample in range(4):
    print(audit_line(audit, sample), f"   error {audit['error'][sample]:.1e}")

# %% [markdown]
# The audit shows that the *sum* is right: no relevance was lost or added. It does
# **not** show that the map is a good explanation. In a network with batch norms, biases
# absorb much of the logit, and how the rest is distributed depends on the rule.
#
# ## DeepLIFT: compared with what?
#
# LRP asks "where did this logit come from?". DeepLIFT asks "why this logit *and not
# that of the reference*?" Both images go through the network; each layer then has a
# difference $\Delta x = x - x'$. A dense layer is linear, so biases cancel in its
# differences, and its multipliers are its weights. Only the ReLU needs a rule. The
# **rescale rule** takes the slope of the straight line between the two points:
#
# $$m = \frac{\mathrm{relu}(z) - \mathrm{relu}(z')}{z - z'} .$$
#
# ### Exercise 2
#
# Write the multiplier for arrays of any shape. If $z = z'$, the two points are the same
# and have no line between them; then use the gradient of the ReLU, 1 or 0.


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
# Multipliers of successive layers are multiplied, as derivatives are in the chain rule;
# the contribution of an input is its difference times its multiplier.

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
# Completeness holds without an entry for biases: they are the same in both forward
# passes and cancel. Instead there is a question that LRP does not have: **what is a
# good reference?**
#
# In the small network, another reference gives other contributions, and each set adds
# up to its own difference. Neither is wrong: they answer different questions.

# %%
rows = {}
for name, reference in (("zeros", np.zeros(6)), ("ones", np.ones(6))):
    z_reference, _, logit_reference = forward(reference)
    m = W1 @ (rescale(z, z_reference) * W2[:, 0])
    rows[name] = (x - reference) * m
    print(f"{name:>5}: {rows[name].round(2)}, sum {rows[name].sum():+.3f}")

# %% [markdown]
# For the retina, the library's default reference is a black image. A healthy twin of
# the same retina asks a better question: *why diseased, and not as the same eye without
# the lesions?* Drawings have such twins; patients do not.

# %%
twins = synthetic["twin"].astype("float32") / 255
for name, reference in (("black", None), ("healthy twin", twins[3])):
    options = {} if reference is None else {"reference": reference}
    lift = create_analyzer(
        "deep_lift.rescale", retina_network, neuron_selection_mode="index", **options
    )
    found = pixel_relevance(lift.analyze(images[3:], 1))[0]
    size = np.abs(found)
    inside = size[synthetic["evidence"][3]].sum() / size.sum()
    print(f"{name:>12}: {audit_line(lift.audit(images[3:], 1))}")
    print(f"{'':>12}  {100 * inside:.0f}% of |R| lies inside the evidence")

# %% [markdown]
# With the twin every contribution lies on the evidence, *by construction*: elsewhere
# the difference is zero, so the contribution is zero, too. A perfect score that is
# built in says nothing about the network. Ask of every good score whether a bad one was
# possible.
#
# ## Where the published maps went wrong
#
# The survey that this course follows shows LRP and DeepLIFT maps of networks with SE
# and CBAM gates. Its LRP had rules for layers, but none for an operation between
# layers: the product `x * gate`. As in iNNvestigate, automatic differentiation handled
# it. So the relevance was multiplied by the other factor and went both into the signal
# **and** into the gate.
#
# Here is a small network that shows the error: pixels by channels, one to three SE
# gates, random weights, and **no biases**. Every layer conserves relevance exactly, so
# whatever is missing was lost in a product. The layers use your `lrp_step`.


# %%
def spread(h, R):
    """Distributes the relevance of each channel's mean to its pixels."""
    return h * R / np.maximum(h.sum(axis=0), 1e-9)


def sum_over_logit(pixels, gates, seed, product):
    """Returns the sum of LRP over the logit, of a random network with SE gates."""
    normal = np.random.default_rng(seed).normal
    first, last, blocks = normal(size=(3, 8)), normal(size=(8, 1)), []
    h = np.maximum(pixels @ first, 0)  # (pixels, channels)
    for reduce, expand in [
        (normal(size=(8, 4)), normal(size=(4, 8))) for _ in range(gates)
    ]:
        hidden = np.maximum(h.mean(axis=0) @ reduce, 0)
        scores = 1 / (1 + np.exp(-hidden @ expand))
        blocks.append((h, hidden, scores, reduce, expand))
        h = h * scores
    logit = h.mean(axis=0) @ last
    R = spread(h, lrp_step(h.mean(axis=0), last, 0, logit))
    for h, hidden, scores, reduce, expand in reversed(blocks):
        R_h, R_scores = product(h, scores, R)
        R_hidden = lrp_step(hidden, expand, 0, R_scores)  # the sigmoid passes it on
        R = R_h + spread(h, lrp_step(h.mean(axis=0), reduce, 0, R_hidden))
    pairs = zip(pixels, R, strict=True)
    return sum(lrp_step(x, first, 0, R_x).sum() for x, R_x in pairs) / logit[0]


def plain(h, scores, R):
    return R * scores, (R * h).sum(axis=0)  # as the derivative does


def signal_takes_all(h, scores, R):
    return R, np.zeros_like(scores)  # the gate gets no relevance


pixels = images[3, ::8, ::8].reshape(-1, 3)
print("sum of the relevance / logit, 20 random networks each (1 would be right):")
for gates in (1, 2, 3):
    without, with_it = (
        np.array([sum_over_logit(pixels, gates, seed, rule) for seed in range(20)])
        for rule in (plain, signal_takes_all)
    )
    low, median, high = np.percentile(without, [0, 50, 100])
    print(
        f"{gates} gate(s): plain {low:5.2f} to {high:5.2f}, median {median:.2f}; "
        f"with the rule, error {np.abs(with_it - 1).max():.0e}"
    )

# %% [markdown]
# Without a rule the relevance may sum to many times the logit or to a small part of it,
# and the map does not show it. With the rule all networks add up, except for rounding
# and the epsilon.
#
# DeepLIFT has the same problem. Captum's version, which has rules for nonlinear modules
# only, differentiates a product $y = x s$ at the image. But
#
# $$\Delta y = s\,\Delta x + x\,\Delta s - \Delta x\,\Delta s,$$
#
# so its sum is wrong by $\Delta x\,\Delta s$. If each difference is multiplied by the
# *mean* of the other factor at image and reference, the sum is right (two lines on
# paper show it).
#
# The library looks up its rules in a dict. We replace one entry, that of the product,
# leave everything else in the **trained** network unchanged, and let the audit show
# what is missing.


# %%
def plain_difference(propagator, step, *args, **kwargs):
    """Uses the derivatives of a product at the image as its multipliers."""
    exact = differences.product(propagator, step, *args, **kwargs)
    x, s = keras.tree.flatten(args)
    constant = ops.stop_gradient
    linear = x.difference * constant(s.value) + constant(x.value) * s.difference
    total = linear + constant(exact.difference - linear)  # the exact value forward
    return differences.Pair(exact.reference, total)


def missing(name, table, rule):
    """Audits with this rule for products; returns the missing sum in per cent."""
    original, table["Multiply"] = table["Multiply"], rule
    analyzer = create_analyzer(name, retina_network, neuron_selection_mode="index")
    found = analyzer.audit(images, 1)
    table["Multiply"] = original
    total = found["logit"] - found.get("reference", 0)
    return 100 * np.abs(found["error"] / total)


lrp_rules, lift_rules = steps.RULES, differences.DEEP_LIFT_RULES
percent = {
    "LRP, plain product": missing("lrp.epsilon", lrp_rules, steps.passthrough),
    "LRP, signal takes all": missing("lrp.epsilon", lrp_rules, steps.product),
    "DeepLIFT, plain product": missing(
        "deep_lift.rescale", lift_rules, plain_difference
    ),
    "DeepLIFT, mean of the other": missing(
        "deep_lift.rescale", lift_rules, differences.product
    ),
}
for name, values in percent.items():
    print(f"{name:>28}: missing {', '.join(f'{value:.4f}%' for value in values)}")
bars_figure(
    {name: values.mean() for name, values in percent.items()},
    label="missing from the sum, % of the logit or difference (mean of four drawings)",
)

# %% [markdown]
# The weights and the images are the same; only the rule of one operation differs. A
# library that audits its sums shows such an error at the first image.
#
# ## Comparison with iNNvestigate
#
# iNNvestigate is the library that made these methods known in Keras. On a plain
# convolutional network both must agree. It needs Python 3.11 and the extra
# `medattn[innvestigate]`; without it, this cell only prints a message.

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
# Without biases, conservation is exact: the map sums to the logit. On networks with
# gates and norms the two libraries differ; the page "Ours beside iNNvestigate" of the
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
# *Where did this logit come from?* From the inputs, in proportion to what each
# contributed to every sum, and from the biases. *Does the answer add up?* It does if
# every operation of the network has a rule: dense layers, norms, sums **and products**.
# That a map adds up is the minimum that we should require. Whether it points at the
# evidence is another question; tutorial 9 measures it.
