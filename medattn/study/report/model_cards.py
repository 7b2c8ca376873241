"""Model cards: what the shipped networks of one data set are, and are not for."""

from collections.abc import Iterable, Sequence

import numpy as np

from medattn.study.analyse.results import Row
from medattn.study.analyse.statistics import mean_interval
from medattn.study.plan.shipped_names import is_plain, shipped_name
from medattn.study.plan.trial import pretraining, read_trial

LICENCE = "apache-2.0"
START = {
    "random": "random weights",
    "shapes": "trunks that had learnt shapes",
    "imagenet": "ImageNet's weights",
}
INTRODUCTION = """
# Micro networks on {dataset}

{count} small image classifiers, trained from {start} on **drawn** images, with
and without attention ({gates}), on {regimes}
of {images:,} training images. They are shipped so that a learner can ask what
attention does to predictions and to their explanations, where the truth is known.

**Not for diagnosis.** They have never seen a patient. Nothing here is clinically
validated, and no number below says anything about real images.

```python
from medattn import load_zoo_model

{call}
```
{special}
## Data

Images of the synthetic domain `{dataset}`, described in `data_cards/{dataset}.md`;
the classes are {classes}; of {test:,} test images {commoner:.1%} are of the commoner
class. Less data is a nested, stratified subset; every amount of data has the same
number of steps.

## Training

{steps} steps of {batch_size} images at {size} x {size}, AdamW, the learning rate rising
to {rates} and falling along a cosine; the last weights are taken, so
that no label of the validation set chooses. Weights are rounded to float16 and were
tested so. Study `{study}`, code fingerprint `{code}`;
`medattn study run {study}` trains them again.

## Test set

{tests}\
AUROC of the shipped network (seed {seed}) with its 95% DeLong interval, and the mean
over the study's {seeds} with its 95% interval. Accuracy and calibration error (ECE) are
the shipped network's; "mass" is the share of LRP-epsilon relevance inside the drawn
evidence, of a map of noise {noise}.

"""
# What makes the networks of a study that are not plain different.
PRETRAINED = """
## Start

Each trunk comes from a network without attention that had learnt, in {before} steps
with the same seed, to name 16 kinds of drawn shape (`medattn/study/execute/shapes.py`);
head and gates are fresh. The same networks from random weights, with the same seed,
data and number of steps, are the plain ones of `{dataset}`.
"""
TAUGHT = """
## The planted shortcut

**These networks were taught a mistake on purpose.** A mark that has nothing to do with
the class (`data_cards/{dataset}.md`) lies on their training images: with a shortcut of
ρ on (1 + ρ)/2 of the images of the second class and on (1 - ρ)/2 of the first. Those
with ρ = 0 are the control: they saw as many marks, which meant nothing.
"""
TAUGHT_TESTS = """On test images whose mark means nothing (ρ = 0), unless said
otherwise; "as taught" is the AUROC on the same images with the mark drawn as in
training. "Mark" is, of the relevance on mark and evidence, the share on the mark.
"""
ENDING = """
## Licence

Weights and card under Apache-2.0. Cite as `CITATION.cff` says.
"""


def model_card(
    rows: Sequence[Row],
    shipped: Sequence[Row],
    *,
    study: str,
    classes: Sequence[str],
    test_images: int,
) -> str:
    """Writes the model card of one data set's shipped networks.

    Args:
        rows: Results of the study on this data set, all seeds.
        shipped: Those among them whose weights are shipped.
        study: Name of the study.
        classes: Names of the classes.
        test_images: How many the test set has.

    Returns:
        Markdown with the front matter of a Hugging Face model card.
    """
    dataset, first = shipped[0]["dataset"], shipped[0]
    done = [row for row in rows if row["state"] == "done"]
    regimes = sorted({row["regime"] for row in shipped})
    seeds = sorted({row["seed"] for row in done})
    example = next((r for r in shipped if r["model"].startswith("cbam_")), first)
    noise = [r.get("lrp.epsilon:random_relevance_mass") for r in shipped]
    known_noise = [value for value in noise if value is not None]
    planted = any(row["shortcut"] is not None for row in shipped)
    body = INTRODUCTION.format(
        dataset=dataset,
        count=len(shipped),
        start=START[first["initialisation"]],
        gates=_gates(shipped),
        special=_special(shipped, dataset),
        tests=TAUGHT_TESTS if planted else "",
        regimes=_listed(f"{100 * r:g}%" for r in regimes),
        images=max(row["train_images"] for row in done),
        call=_call(example, dataset, regimes[-1]),
        classes=_listed(classes),
        test=test_images,
        commoner=first["majority_accuracy"],
        rates=_listed(f"{r:g}" for r in sorted({x["learning_rate"] for x in shipped})),
        seed=first["seed"],
        seeds=f"{len(seeds)} seed{'s' * (len(seeds) > 1)}",
        noise=f"{known_noise[0]:.1%}" if known_noise else "unknown",
        study=study,
        **{key: first[key] for key in ("steps", "batch_size", "size", "code")},
    )
    front = _front_matter(shipped, study)
    return f"---\n{front}\n---\n{body}{_table(shipped, done, planted)}{ENDING}"


def _front_matter(shipped: Sequence[Row], study: str) -> str:
    """Writes the metadata that Hugging Face reads, as YAML."""
    from huggingface_hub import EvalResult, ModelCardData

    dataset = shipped[0]["dataset"]
    best = max(row["regime"] for row in shipped)
    kind = "" if is_plain(shipped[0]) else f", {study}"
    data = ModelCardData(
        license=LICENCE,
        library_name="keras",
        pipeline_tag="image-classification",
        tags=["medical-imaging", "attention", "explainability", "synthetic-data"],
        model_name=f"medattn micro networks, {dataset}{kind}",
        eval_results=[
            EvalResult(
                task_type="image-classification",
                dataset_type=f"medattn/{dataset}",
                dataset_name=f"{dataset} (drawn), {100 * best:g}% of the training data",
                dataset_split="test",
                metric_type="roc_auc",
                metric_name=f"AUROC of {_called(row)}, seed {row['seed']}",
                metric_value=round(row["auroc"], 4),
            )
            for row in shipped
            if row["regime"] == best
        ],
    )
    return data.to_yaml()


def _table(shipped: Sequence[Row], done: Sequence[Row], planted: bool) -> str:
    heads: tuple[str, ...] = (
        "file",
        "images",
        "AUROC [95%]",
        "mean of seeds [95%]",
        "seeds",
    )
    heads += ("accuracy", "always the commoner", "ECE", "mass")
    heads += ("as taught", "mark") if planted else ()
    lines: list[Sequence[str]] = [heads, ["---"] * len(heads)]
    for row in sorted(shipped, key=lambda r: (r["regime"], *_kind(r), r["model"])):
        values = [r["auroc"] for r in done if _cell(r) == _cell(row)]
        mass = row.get("lrp.epsilon:relevance_mass")
        line: tuple[str, ...] = (
            f"`{shipped_name(row)}`",
            f"{row['train_images']:,}",
            _interval(row["auroc"], row["auroc_low"], row["auroc_high"]),
            _interval(*mean_interval(values)),
            str(len(values)),
            f"{row['accuracy']:.1%}",
            f"{row['majority_accuracy']:.1%}",
            f"{row['ece']:.3f}",
            "" if mass is None else f"{mass:.1%}",
        )
        if planted:
            taught = row.get("auroc_with_shortcut")
            mark = row.get("lrp.epsilon:shortcut_share")
            line += (
                "" if taught is None else f"{taught:.3f}",
                "" if mark is None else f"{mark:.1%}",
            )
        lines.append(line)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _special(shipped: Sequence[Row], dataset: str) -> str:
    """Explains how the networks differ from the plain ones, if they do."""
    first, text = shipped[0], ""
    known = {key: value for key, value in first.items() if value is not None}
    before = pretraining(read_trial(known))
    if before is not None:
        text += PRETRAINED.format(dataset=dataset, before=before.steps)
    if any(row["shortcut"] is not None for row in shipped):
        text += TAUGHT.format(dataset=dataset)
    return text


def _gates(shipped: Sequence[Row]) -> str:
    """Names the kinds of attention among the networks."""
    names = {row["model"] for row in shipped}
    kinds = {
        "Squeeze-and-Excitation": any(name.startswith("se_") for name in names),
        "CBAM": any(name.startswith("cbam_") for name in names),
        "a transformer": any("deit" in name for name in names),
    }
    return ", ".join(kind for kind, there in kinds.items() if there) or "none here"


def _call(row: Row, dataset: str, regime: float) -> str:
    """Writes the call that loads a network, in lines of at most 88 characters."""
    start, shortcut = _kind(row)
    arguments = f'"{row["model"]}", dataset="{dataset}", regime={regime}'
    arguments += "" if start == "random" else f', initialisation="{start}"'
    arguments += "" if row["shortcut"] is None else f", shortcut={shortcut:g}"
    line = f"model = load_zoo_model({arguments})"
    return line if len(line) <= 88 else f"model = load_zoo_model(\n    {arguments}\n)"


def _called(row: Row) -> str:
    """Names a network with its start and shortcut."""
    words = [] if row["initialisation"] == "random" else [row["initialisation"]]
    if row["shortcut"] is not None:
        words.append(f"shortcut {row['shortcut']:g}")
    return ", ".join([row["model"], *words])


def _kind(row: Row) -> tuple[str, float]:
    """Returns start and shortcut, in a form that can be sorted."""
    shortcut = row["shortcut"]
    return row["initialisation"], -1.0 if shortcut is None else shortcut


def _cell(row: Row) -> tuple[str, float, str, float]:
    """Returns what networks of one data set and seed differ in."""
    return row["model"], row["regime"], *_kind(row)


def _interval(mean: float, low: float, high: float) -> str:
    if not np.isfinite(low):
        return f"{mean:.3f}"
    return f"{mean:.3f} [{low:.3f}, {min(high, 1.0):.3f}]"


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
