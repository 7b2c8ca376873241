# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 8. Does attention help, or is it the pretraining, the seed, or the majority class?
#
# The survey that this course follows compared seven networks on three medical data sets
# with 1, 10, 50 and 100% of the training data: DenseNet-121 and ResNet-50, each plain,
# with SE and with CBAM, and DeiT-Tiny. It found that *it is not clear that one should
# expect improvements from attention*. You will read its table as a reviewer would, and
# then a study that was planned to answer the question.
#
# Four things are easily confused with an effect of attention:
#
# 1. **the majority class**: a constant prediction "healthy" can be better than all
#    networks;
# 2. **pretraining**: one network started from ImageNet weights, the other from random
#    weights;
# 3. **the test set**: with a few hundred images, the interval is several points wide;
# 4. **the seed**: the same network, trained again, gives another result.
#
# You need: what an ROC curve is. You will be able to: find these four in any paper.

# %%
import numpy as np
from scipy.stats import spearmanr

from medattn.figures.charts import forest_figure, regime_figure
from medattn.study import contrast_table, read_results
from medattn.study.analyse.results import read_reference
from medattn.study.analyse.statistics import sentence
from medattn.teaching import check, quiz, reveal
from medattn.zoo import list_zoo_models

# %% [markdown]
# ## 1. The majority class
#
# ### Exercise 1
#
# Write the accuracy of a constant prediction: every image gets the more frequent label.
# `labels` is an array of 0 and 1.


# %% tags=["solution"]
def majority(labels):
    """Returns the accuracy of always predicting the majority class."""
    fraction = np.mean(labels)
    return max(fraction, 1 - fraction)


# %%
check("08.majority", majority)

# %% [markdown]
# The three test sets have these numbers of diseased images: APTOS2019 279 of 550,
# ISIC2020 127 of 6,965, MIMIC-CXR 861 of 1,072.

# %%
tests = {"aptos2019": (279, 550), "isic2020": (127, 6965), "mimic_cxr": (861, 1072)}
baseline = {
    name: majority(np.repeat([1, 0], [diseased, images - diseased]))
    for name, (diseased, images) in tests.items()
}
for name, accuracy in baseline.items():
    print(f"{name}: the majority class has accuracy {accuracy:.1%}")

# %% [markdown]
# **Predict first.** There are 28 published accuracies on ISIC2020: seven networks, four
# amounts of data. How many of them are above the majority class?

# %%
my_guess = None  # of 28

# %%
published = read_reference("published_results")
names = sorted({row["dataset"] for row in published})
key = {name: next(k for k in tests if name.startswith(k)) for name in names}
for name in names:
    rows = [row for row in published if row["dataset"] == name]
    above = sum(row["test_accuracy"] > baseline[key[name]] for row in rows)
    print(f"{name}: {above} of {len(rows)} accuracies are above the majority class")
    if name.startswith("isic"):
        print("  ", reveal(my_guess, above, what="ISIC2020", digits=0))

# %% [markdown]
# The whole table as a picture: the dashed line is the majority class, hollow markers
# are networks that started from random weights.

# %%
random_start = {r["model"] for r in published if r["initialisation"] == "random"}
panels = {}
for row in published:
    series = panels.setdefault(row["dataset"], {}).setdefault(row["model"], [])
    series.append((row["regime"], row["test_accuracy"], None, None))
regime_figure(
    panels,
    label="published test accuracy",
    majority={name: baseline[key[name]] for name in names},
    hollow=random_start,
)

# %% [markdown]
# The area under the ROC curve (AUROC) does not have this problem: it is 0.5 for any
# constant prediction. The survey's logs contain it for most cells. If accuracy and
# AUROC measured the same, they would rank the networks in the same order.

# %%
for name in names:
    for regime in (0.01, 0.1, 0.5):
        rows = [
            (row["test_accuracy"], row["test_auroc"])
            for row in published
            if row["dataset"] == name
            and row["regime"] == regime
            and row["test_auroc"] is not None
        ]
        if len(rows) == 7:
            print(f"{name} {regime:>4.0%}: ", end="")
            print(f"rank correlation {spearmanr(*zip(*rows, strict=True))[0]:+.2f}")

# %% [markdown]
# ## 2. Attention or pretraining?
#
# Look at the hollow markers again. Three of the four networks with attention gates
# started from random weights, with a learning rate of $10^{-6}$, which is meant for
# fine-tuning; all others started from ImageNet weights. How often are those three the
# last three?

# %%
last = 0
for name in names:
    for regime in (0.01, 0.1, 0.5, 1.0):
        rows = [r for r in published if (r["dataset"], r["regime"]) == (name, regime)]
        rows.sort(key=lambda row: row["test_accuracy"])
        worst = {row["model"] for row in rows[:3]}
        last += worst == random_start
        print(f"{name} {regime:>4.0%}: the last three are {sorted(worst)}")
print(f"{last} of {4 * len(names)}; for a random order one in 35")

# %% [markdown]
# So this table cannot distinguish "CBAM is worse than no attention" from "random
# weights are worse than ImageNet weights". That needs networks with and without
# attention from *the same* start. (If two networks have the same accuracy, as for
# MIMIC-CXR with all data, their order above is arbitrary; that changes one cell at
# most.)
#
# ## 3. The test set
#
# A proportion $p$ of $n$ images has a 95% interval of about $\pm 1.96\sqrt{p(1-p)/n}$.
# How wide is it, compared with differences of one point between networks?

# %%
for name in names:
    n = tests[key[name]][1]
    full = [
        row["test_accuracy"]
        for row in published
        if row["dataset"] == name and row["regime"] == 1.0
    ]
    p = np.median(full)
    print(
        f"{name}: median accuracy {p:.3f} ± {1.96 * np.sqrt(p * (1 - p) / n):.3f}, "
        f"networks from {min(full):.3f} to {max(full):.3f}"
    )

# %% [markdown]
# ## 4. The seed
#
# Every published cell is one training run. To compare two networks we train both
# several times, each time with the **same** seed for both: the same subset, the same
# order. Then we use the differences within each seed. These differences are *paired*:
# effects of the seed that are common to both networks cancel.
#
# ### Exercise 2
#
# Write the mean of the paired differences and its 95% interval by Student's t:
# $\bar d \pm t_{0.975,\,n-1}\, s/\sqrt{n}$. `scipy.stats.t.ppf` gives the quantile.


# %% tags=["solution"]
def paired_interval(first, second):
    """Returns the mean difference, and the ends of its 95% interval."""
    from scipy.stats import t

    d = np.asarray(first) - np.asarray(second)
    margin = t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / np.sqrt(len(d))
    return d.mean(), d.mean() - margin, d.mean() + margin


# %%
check("08.paired_interval", paired_interval)

# %% [markdown]
# ## A study that was planned for this question
#
# medattn contains the results of micro networks on three synthetic data sets, all from
# random weights, with the same number of steps in each regime and several seeds. If
# your copy has none, the cell says so and uses the shipped networks, with one seed
# each.

# %%
try:
    shipped = [row for row in read_results() if row["state"] == "done"]
except ValueError:
    shipped = []
results = [row for row in shipped if row["study"] == "micro"]
if not results:
    print("This copy contains no study; these are single networks.")
    plain = {"state": "done", "initialisation": "random", "shortcut": None}
    results = [
        plain | record["trial"] | record["measured"]["test"]
        for record in list_zoo_models()
    ]
seeds = sorted({row["seed"] for row in results})
print(f"{len(results)} trained networks, seeds {seeds}")


# %%
def cell(model, dataset, regime):
    """Returns the AUROC of one network, by seed."""
    wanted = dict(model=model, dataset=dataset, regime=regime)
    rows = [row for row in results if wanted.items() <= row.items()]
    return {row["seed"]: row["auroc"] for row in rows}


pair = cell("se_micro_resnet", "fundus", 0.1), cell("micro_resnet", "fundus", 0.1)
seeds = sorted(set(pair[0]) & set(pair[1]))
for seed in seeds:
    print(f"seed {seed}: with SE {pair[0][seed]:.3f}, without {pair[1][seed]:.3f}")
if len(seeds) > 1:
    mean, low, high = paired_interval(*([one[s] for s in seeds] for one in pair))
    print(f"SE − none: {mean:+.4f} [{low:+.4f}, {high:+.4f}]")
else:
    print("One seed gives no interval: cannot tell.")

# %% [markdown]
# This was one cell of the table. A planned contrast averages over data sets, regimes
# and trunks within each seed, and is corrected for the number of contrasts (Holm).
# There are four possible verdicts, and one of them is *cannot tell*.

# %%
contrasts = contrast_table(results)
for name, contrast in contrasts.items():
    print(sentence(name, contrast))
if not contrasts:
    print("No contrast has two seeds: cannot tell.")

# %%
forest_figure(
    [(n, c.mean, c.low, c.high, c.verdict) for n, c in contrasts.items()],
    label="difference of AUROC; shaded: practically the same",
) if contrasts else "Nothing to draw: no contrast has two seeds."

# %%
panels = {}
for row in sorted(results, key=lambda row: (row["dataset"], row["model"])):
    panels.setdefault(row["dataset"], {}).setdefault(row["model"], set())
for dataset, series in panels.items():
    for model in series:
        points = []
        for regime in (0.01, 0.1, 0.5, 1.0):
            values = list(cell(model, dataset, regime).values())
            if values:
                points.append((regime, np.mean(values), min(values), max(values)))
        panels[dataset][model] = points
panels.pop("shapes", None)
regime_figure(panels, label="AUROC: mean, minimum and maximum of the seeds")

# %% [markdown]
# Compare two distances in this picture: between networks in the same column, and from
# one column to the next. If you had one month, what would you change first: the
# attention block, or the number of labelled images?
#
# ## Attention or pretraining, once more
#
# In the published table, gate and start are confounded. The pretraining study trains
# every gate from **both** starts: random weights, and a trunk that was pretrained on
# drawn shapes.

# %%
both_starts = [row for row in shipped if row["study"] == "pretraining"]
for name, contrast in contrast_table(both_starts).items() if both_starts else ():
    print(sentence(name, contrast))
for start in sorted({row["initialisation"] for row in both_starts}):
    for regime in sorted({row["regime"] for row in both_starts}):
        rows = [
            row
            for row in both_starts
            if (row["initialisation"], row["regime"]) == (start, regime)
        ]
        by_model = {}
        for row in rows:
            by_model.setdefault(row["model"], []).append(row["auroc"])
        means = [f"{name} {np.mean(v):.3f}" for name, v in sorted(by_model.items())]
        print(f"{start:>8} start, {regime:>4.0%} of the data: {'  '.join(means)}")
if not both_starts:
    print("This copy does not contain it: run `medattn study run pretraining`.")

# %% [markdown]
# ## Quiz

# %%
quiz("08_does_it_help")

# %% [markdown]
# ## Read more
#
# - T. Gonçalves et al., A survey on attention mechanisms for medical applications: are
#   we moving toward better algorithms?, IEEE Access, 2022.
#   <https://doi.org/10.1109/ACCESS.2022.3206449>
# - X. Bouthillier et al., Accounting for variance in machine learning benchmarks,
#   MLSys, 2021. <https://arxiv.org/abs/2103.03098>
# - A. Benavoli et al., Time for a change: a tutorial for comparing multiple classifiers
#   through Bayesian analysis, JMLR, 2017. <https://arxiv.org/abs/1606.04316>
# - G. Varoquaux, V. Cheplygina, Machine learning for medical imaging: methodological
#   failures and recommendations for the future, npj Digital Medicine, 2022.
#   <https://doi.org/10.1038/s41746-022-00592-y>

# %% [markdown]
# ## The answer
#
# *Does attention help?* The published table cannot answer it: on one data set all
# accuracies are below the majority class, and most networks with attention also have
# another start. The planned study gives its verdicts above, each with an interval and
# the number of seeds; "cannot tell" is a result, too. And compare the differences
# between columns with those within a column: they show what data and blocks are worth
# here.
