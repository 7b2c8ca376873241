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
# see why the maps of a published study did not add up.
#
# You need: matrix products and the chain rule. You will be able to: derive a rule,
# test a law, and read a ledger.

# %%
import importlib.util

import keras
import numpy as np

from medattn import create_analyzer, load_zoo_model
from medattn.data import draw_images
from medattn.explain import audit_line
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
# CBAM gates. Its LRP had rules for layers, but none for the *products* and *sums* that
# stand between layers: a gate computes `x * gate`, a residual block `x + f(x)`. Without
# a rule, automatic differentiation hands **each factor the whole**. Let us do that by
# hand: a value, and three gates that weaken or strengthen it.

# %%
value, gates = 2.0, [0.5, 1.6, 0.9]
output = value * np.prod(gates)
R_value, R_gates = output, 0.0
for gate in reversed(gates):
    # derivative times input, for both factors of the product: each gets all of it
    R_gates += R_value
    print(f"after the gate {gate}: {R_value + R_gates:.2f} shared of {output:.2f}")

# %% [markdown]
# One gate doubles the bill; three gates quadruple it, and it no longer says anything
# about the logit. Measured on small networks with the rules of the study's code: the
# relevance summed to 0.29, 4.2 and -0.77 times the logit with one, two and three SE
# gates, and to 41 times with one residual sum.
#
# The library gives a product a rule: *the signal takes it all, the gate decides how
# much passes*. In calculus: `x * stop_gradient(gate)`. Its value is the same and its
# gradient carries the relevance of the signal alone. Here are both ways, on the trained
# network: plain input times gradient, and LRP's ledger. The gap of the first has two
# causes, gates that were given the whole and biases that nobody counted; without a
# ledger they cannot be told apart.

# %%
plain = create_analyzer(
    "input_t_gradient", retina_network, neuron_selection_mode="index"
).analyze(images, 1)
logits = ledger["logit"]
plain_sums = plain.sum(axis=(1, 2, 3))
ours = ledger["relevance"] + ledger["absorbed"]
for sample in range(4):
    print(
        f"drawing {sample}: logit {logits[sample]:+.2f}   "
        f"input x gradient {plain_sums[sample]:+.2f}   LRP's ledger {ours[sample]:+.2f}"
    )

# %%
bars_figure(
    {
        "input x gradient": np.abs(plain_sums - logits).mean(),
        "LRP-epsilon, pixels alone": np.abs(ledger["relevance"] - logits).mean(),
        "LRP-epsilon, pixels + biases": np.abs(ours - logits).mean(),
    },
    label="mean distance of the sum from the logit, four drawings",
)

# %% [markdown]
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
