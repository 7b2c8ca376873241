"""Model cards: what the shipped networks of one data set are, and are not for."""

import numpy as np

from medattn.study.statistics import mean_interval
from medattn.study.trial import trial_name

LICENCE = "apache-2.0"
INTRODUCTION = """
# Micro networks on {dataset}

{count} small image classifiers, trained from random weights on **drawn** images, with
and without attention (Squeeze-and-Excitation, CBAM, a transformer), on {regimes}
of {images:,} training images. They are shipped so that a learner can ask what
attention does to predictions and to their explanations, where the truth is known.

**Not for diagnosis.** They have never seen a patient. Nothing here is clinically
validated, and no number below says anything about real images.

```python
from medattn import load_zoo_model

model = load_zoo_model("{example}", dataset="{dataset}", regime=1.0)
```

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

AUROC of the shipped network (seed {seed}) with its 95% DeLong interval, and the mean
over the study's {seeds} with its 95% interval. Accuracy and calibration error (ECE) are
the shipped network's; "mass" is the share of LRP-epsilon relevance inside the drawn
evidence, of a map of noise {noise}.

"""
ENDING = """
## Licence

Weights and card under Apache-2.0. Cite as `CITATION.cff` says.
"""


def model_card(rows, shipped, *, study, classes, test_images):
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
    from huggingface_hub import EvalResult, ModelCardData

    dataset = shipped[0]["dataset"]
    done = [row for row in rows if row["state"] == "done"]
    best = max(row["regime"] for row in shipped)
    front = ModelCardData(
        license=LICENCE,
        library_name="keras",
        pipeline_tag="image-classification",
        tags=["medical-imaging", "attention", "explainability", "synthetic-data"],
        model_name=f"medattn micro networks, {dataset}",
        eval_results=[
            EvalResult(
                task_type="image-classification",
                dataset_type=f"medattn/{dataset}",
                dataset_name=f"{dataset} (drawn), {100 * best:g}% of the training data",
                dataset_split="test",
                metric_type="roc_auc",
                metric_name=f"AUROC of {row['model']}, seed {row['seed']}",
                metric_value=round(row["auroc"], 4),
            )
            for row in shipped
            if row["regime"] == best
        ],
    )
    first = shipped[0]
    noise = [r.get("lrp.epsilon:random_relevance_mass") for r in shipped]
    noise = [value for value in noise if value is not None]
    seeds = sorted({row["seed"] for row in done})
    body = INTRODUCTION.format(
        dataset=dataset,
        count=len(shipped),
        regimes=_listed(f"{100 * r:g}%" for r in sorted({x["regime"] for x in rows})),
        images=max(row["train_images"] for row in done),
        example=next(
            (r["model"] for r in shipped if r["model"].startswith("cbam_")),
            first["model"],
        ),
        classes=_listed(classes),
        test=test_images,
        commoner=first["majority_accuracy"],
        rates=_listed(f"{r:g}" for r in sorted({x["learning_rate"] for x in rows})),
        seed=first["seed"],
        seeds=f"{len(seeds)} seed{'s' * (len(seeds) > 1)}",
        noise=f"{noise[0]:.1%}" if noise else "unknown",
        study=study,
        **{key: first[key] for key in ("steps", "batch_size", "size", "code")},
    )
    return f"---\n{front.to_yaml()}\n---\n{body}{_table(shipped, done)}{ENDING}"


def _table(shipped, done):
    heads = ("file", "images", "AUROC [95%]", "mean of seeds [95%]", "seeds")
    heads += ("accuracy", "always the commoner", "ECE", "mass")
    lines = [heads, ["---"] * len(heads)]
    for row in sorted(shipped, key=lambda r: (r["regime"], r["model"])):
        values = [
            r["auroc"]
            for r in done
            if (r["model"], r["regime"]) == (row["model"], row["regime"])
        ]
        mass = row.get("lrp.epsilon:relevance_mass")
        lines.append(
            (
                f"`{trial_name(row['model'], row['regime'], row['seed'])}`",
                f"{row['train_images']:,}",
                _interval(row["auroc"], row["auroc_low"], row["auroc_high"]),
                _interval(*mean_interval(values)),
                str(len(values)),
                f"{row['accuracy']:.1%}",
                f"{row['majority_accuracy']:.1%}",
                f"{row['ece']:.3f}",
                "" if mass is None else f"{mass:.1%}",
            )
        )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _interval(mean, low, high):
    if not np.isfinite(low):
        return f"{mean:.3f}"
    return f"{mean:.3f} [{low:.3f}, {min(high, 1.0):.3f}]"


def _listed(words):
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
