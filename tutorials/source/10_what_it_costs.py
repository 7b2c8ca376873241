# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 10. What does attention cost, and in which quantity?
#
# Nearly every paper on attention blocks calls them "lightweight". In which quantity?
# The cost of a network has at least four parts, and one does not follow from another:
#
# - **parameters**: what must be stored and shipped,
# - **multiply-adds**: what must be computed for an image,
# - **activations**: what must be kept in memory during training,
# - **latency**: how long the user waits.
#
# You will count the first two by hand, let the library count them for published
# networks, and measure the latency.
#
# You need: what a convolution does. You will be able to: check a paper's parameter
# count, and say in which quantity a block is cheap.

# %%
import numpy as np

from medattn import create_model
from medattn.models import complexity
from medattn.study.analyse.results import read_reference
from medattn.teaching import bars_figure, check, quiz, reveal

# %% [markdown]
# ## Counting a convolution
#
# ### Exercise 1
#
# A multiply-add is one product that is added to a sum. How many does a convolution need
# for one image? Its output has `height` x `width` positions and `filters` channels, its
# input `channels` channels, its kernel has the size `kernel` x `kernel`. One line is
# enough.


# %% tags=["solution"]
def conv_multiply_adds(height, width, kernel, channels, filters):
    """Returns the multiply-adds of a convolution, an integer."""
    return height * width * kernel * kernel * channels * filters


# %%
check("10.conv_multiply_adds", conv_multiply_adds)

# %%
stem = conv_multiply_adds(112, 112, 7, 3, 64)
print(f"the first convolution of ResNet-50: {stem / 1e6:.0f} million multiply-adds")
print(f"and {7 * 7 * 3 * 64} parameters: each weight is used {112 * 112} times")

# %% [markdown]
# A convolution uses each weight at every position, so it has few parameters and many
# multiply-adds. A dense layer uses each weight once. A gate consists of dense layers
# whose input is one vector for each image: that is what "lightweight" means.
#
# ## Counting a gate
#
# ### Exercise 2
#
# Write the number of trainable parameters of a gate on `channels` channels.
#
# - `"se"`: two dense layers without biases, `channels` to `channels // ratio` and back.
# - `"cbam"`: the same two layers **with** biases; and a spatial gate: one 7 x 7 kernel
#   on two maps without a bias, and a batch norm with a scale and a shift.
#
# The check sums your gates over DenseNet-121's four stages and compares the sum with
# the counts of the survey: 303,104 for SE and 306,496 for CBAM.


# %% tags=["solution"]
def gate_parameters(channels, ratio, kind):
    """Returns the trainable parameters of an SE or a CBAM gate."""
    hidden = channels // ratio
    dense = 2 * channels * hidden
    if kind == "se":
        return dense
    return dense + hidden + channels + 7 * 7 * 2 + 2


# %%
check("10.gate_parameters", gate_parameters)

# %% [markdown]
# ## Published networks
#
# **Predict first.** SE adds a gate to each of ResNet-50's 16 blocks. By how many per
# cent does this increase the parameters, and by how many the multiply-adds? Write the
# second number down.

# %%
my_guess = None  # per cent more multiply-adds

# %%
names = ("resnet50", "se_resnet50", "cbam_resnet50", "deit_tiny")
costs = {name: complexity(create_model(name)) for name in names}
for name, cost in costs.items():
    parts = cost["parameters"], cost["multiply_adds"]
    print(
        f"{name:>14}: {parts[0]['total'] / 1e6:6.2f} M parameters "
        f"({parts[0]['attention'] / parts[0]['total']:6.2%} in attention), "
        f"{parts[1]['total'] / 1e9:5.2f} G multiply-adds "
        f"({parts[1]['attention'] / parts[1]['total']:6.2%})"
    )
plain, gated = costs["resnet50"], costs["se_resnet50"]
increase = {
    key: 100 * (gated[key]["total"] / plain[key]["total"] - 1)
    for key in ("parameters", "multiply_adds")
}
print(f"SE: {increase['parameters']:.1f} % more parameters")
measured = increase["multiply_adds"]
print(reveal(my_guess, measured, what="multiply-adds", unit="%", digits=2))

# %% [markdown]
# So an SE gate is *not* cheap in parameters, and nearly free in multiply-adds. A
# transformer needs a large part of both for attention, since nothing else combines its
# positions. Are these the survey's numbers? It published the parameters:

# %%
published = {
    row["model"]: int(row["trainable_parameters"])
    for row in read_reference("published_parameters")
}
for name in names:
    ours = costs[name]["parameters"]["total"]
    more = ours - published[name]
    print(
        f"{name:>14}: published {published[name]:>10,}   ours {ours:>10,}   {more:+,}"
    )

# %% [markdown]
# All but one agree exactly. The published count of DeiT is smaller by 38,016 = 198 x
# 192: the class token (1 x 192) and the position embeddings (197 x 192). They are
# parameters, too, but not of a *layer*, and some tools do not count them.

# %%
assert 38_016 == (1 + 197) * 192
bars_figure(
    {name: cost["activation_bytes"] / 2**20 for name, cost in costs.items()},
    label="activations of one image, MiB, kept in memory during training",
)

# %% [markdown]
# Here the cost of the gate is visible: it reads and writes all feature maps once more.
# That is memory traffic, not arithmetic, so multiply-adds do not count it.
#
# ## Latency
#
# Multiply-adds are a bad predictor of time. We measure micro networks without
# attention, with SE and with CBAM, by the median of repeated forward passes. The
# numbers hold for *this* machine, at this moment.

# %%
times = {}
for name in ("micro_resnet", "se_micro_resnet", "cbam_micro_resnet"):
    cost = complexity(create_model(name), rounds=15, batch_size=8)
    times[name] = 1e3 * cost["latency"]
    print(
        f"{name:>18}: {cost['multiply_adds']['total'] / 1e6:5.2f} M multiply-adds, "
        f"{times[name]:6.1f} ms for 8 images"
    )

# %%
bars_figure(times, label="median latency of 8 images, ms, on this machine")

# %% [markdown]
# Run the last two cells again. If the order changes, you see that one run is not enough
# to compare latency, just as one seed is not enough to compare accuracy.
#
# ## A fair comparison
#
# The survey asks: *do attention networks perform well because of attention, or because
# they have more parameters?* To answer it, we would widen the plain network until it
# costs as much. But as much in which quantity? With equal parameters, a plain ResNet-50
# could have about 11% more parameters; with equal multiply-adds, hardly any.

# %%
ratios = (4, 8, 16, 32)
added = [sum(gate_parameters(c, r, "se") for c in (256, 512, 1024)) for r in ratios]
for ratio, parameters in zip(ratios, added, strict=True):
    print(f"ratio {ratio:>2}: {parameters:>9,} parameters for gates on 256, 512, 1024")
print("half the ratio, twice the number:", np.divide(added[:-1], added[1:]).round(2))

# %% [markdown]
# ## Quiz

# %%
quiz("10_what_it_costs")

# %% [markdown]
# ## Read more
#
# - J. Hu, L. Shen, G. Sun, Squeeze-and-excitation networks, CVPR, 2018; it counts the
#   cost. <https://doi.org/10.1109/CVPR.2018.00745>
# - N. Ma et al., ShuffleNet V2: practical guidelines for efficient CNN architecture
#   design, ECCV, 2018: why multiply-adds are no time.
#   <https://doi.org/10.1007/978-3-030-01264-9_8>
# - M. Dehghani et al., The efficiency misnomer, ICLR, 2022.
#   <https://arxiv.org/abs/2110.12894>
# - T. Gonçalves et al., A survey on attention mechanisms for medical applications,
#   IEEE Access, 2022. <https://doi.org/10.1109/ACCESS.2022.3206449>

# %% [markdown]
# ## The answer
#
# *What does attention cost, and in which quantity?* Gates cost parameters and memory
# traffic, but hardly any arithmetic; self-attention costs arithmetic that grows with
# the square of the number of tokens. "Lightweight" means little without the quantity,
# and a fair comparison gives both networks the same budget.
