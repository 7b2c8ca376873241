"""What every seed's network said about the first test images: a small table."""

import json
import re
from functools import lru_cache
from pathlib import Path

import numpy as np

from medattn.study.files import read_json, write_atomic
from medattn.study.results import SHIPPED
from medattn.study.trial import trial_name

IMAGES = 48  # of each test split, the first ones
POSITIVE = 1
NEAR = 1e-4
NAME = "chances-{study}.json"


def promote_chances(folder, results=SHIPPED):
    """Ships the chances that a study's networks gave to the first test images.

    An app then shows the spread over the seeds for one image without their weights.

    Args:
        folder: The study's; its plain trials (random starts, no shortcut) are taken.
        results: Folder of the shipped results; `chances-<study>.json` goes there.

    Returns:
        How many trials it holds.
    """
    folder, table = Path(folder), {}
    for path in sorted(folder.glob("*/config.json")):
        config = read_json(path)
        predictions = path.with_name("predictions.npz")
        plain = config["initialisation"] == "random" and config["shortcut"] is None
        if not plain or not predictions.exists():
            continue
        if not path.with_name("done.json").exists():
            continue
        with np.load(predictions) as held:
            chances = held["test_probabilities"][:IMAGES, POSITIVE]
        name = trial_name(config["model"], config["regime"], config["seed"])
        # Rounding must not make a network certain.
        row = [round(float(np.clip(chance, NEAR, 1 - NEAR)), 4) for chance in chances]
        table.setdefault(config["dataset"], {})[name] = row
    # One trial a line: a diff shows which changed.
    text = json.dumps(table, indent=1)
    text = re.sub(r"(?<=[\[,\d])\s+(?=[\d\]])", "", text)
    write_atomic(Path(results) / NAME.format(study=folder.name), text + "\n")
    return sum(map(len, table.values()))


def read_chances(position, *, dataset, model, regime, study="micro", results=SHIPPED):
    """Reads what the networks of all seeds said about one test image.

    Args:
        position: The image's place in the test split.
        dataset: Of the trials, like the rest.
        model: Name of the model.
        regime: Share of the training data.
        study: Name of the study.
        results: Folder of the shipped results.

    Returns:
        `{seed: chance of class 1}`; empty if nothing is shipped.
    """
    table = _table(Path(results) / NAME.format(study=study)).get(dataset, {})
    if not 0 <= position < IMAGES:
        return {}
    before = trial_name(model, regime, "")
    return {
        int(name.removeprefix(before)): row[position]
        for name, row in table.items()
        if name.startswith(before)
    }


@lru_cache(maxsize=4)
def _table(path):
    return (read_json(path) or {}) if path.exists() else {}
