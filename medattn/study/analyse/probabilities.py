"""What every seed's network said about the first test images: a small table."""

import json
import re
from functools import lru_cache
from pathlib import Path

import numpy as np

from medattn.study.analyse.results import SHIPPED
from medattn.study.files import read_json, write_atomic
from medattn.study.plan.shipped_names import SHAPES, shipped_name

IMAGES = 48  # of each test split, the first ones
POSITIVE = 1
NEAR = 1e-4
NAME = "chances-{study}.json"


def promote_chances(folder, results=SHIPPED, *, add=False):
    """Ships the chances that a study's networks gave to the first test images.

    An app then shows the spread over the seeds for one image without their weights.
    Networks of a shortcut saw the test images with artefacts lying about, drawn with
    `shortcut=0.0`: only where none was planted is it the image that others saw.

    Args:
        folder: The study's.
        results: Folder of the shipped results; `chances-<study>.json` goes there.
        add: Whether what that file holds of other trials stays.

    Returns:
        How many trials it holds.
    """
    folder = Path(folder)
    path = Path(results) / NAME.format(study=folder.name)
    table = (read_json(path) or {}) if add and path.exists() else {}
    for found in sorted(folder.glob("*/config.json")):
        config = read_json(found)
        predictions = found.with_name("predictions.npz")
        if config["dataset"] == SHAPES or not predictions.exists():
            continue
        if not found.with_name("done.json").exists():
            continue
        with np.load(predictions) as held:
            chances = held["test_probabilities"][:IMAGES, POSITIVE]
        name = shipped_name(config)
        # Rounding must not make a network certain.
        row = [round(float(np.clip(chance, NEAR, 1 - NEAR)), 4) for chance in chances]
        table.setdefault(config["dataset"], {})[name] = row
    table = {key: dict(sorted(table[key].items())) for key in sorted(table)}
    # One trial a line: a diff shows which changed.
    text = json.dumps(table, indent=1)
    text = re.sub(r"(?<=[\[,\d])\s+(?=[\d\]])", "", text)
    write_atomic(path, text + "\n")
    return sum(map(len, table.values()))


def read_chances(
    position,
    *,
    dataset,
    model,
    regime,
    initialisation="random",
    shortcut=None,
    study="micro",
    results=SHIPPED,
):
    """Reads what the networks of all seeds said about one test image.

    Args:
        position: The image's place in the test split.
        dataset: Of the trials, like the rest.
        model: Name of the model.
        regime: Share of the training data.
        initialisation: What they began from.
        shortcut: Correlation of the artefact planted into their training images.
        study: Name of the study.
        results: Folder of the shipped results.

    Returns:
        `{seed: chance of class 1}`; empty if nothing is shipped.
    """
    table = _table(Path(results) / NAME.format(study=study)).get(dataset, {})
    if not 0 <= position < IMAGES:
        return {}
    before = shipped_name(
        dict(
            model=model,
            regime=regime,
            seed="",
            initialisation=initialisation,
            shortcut=shortcut,
        )
    )
    return {
        int(name.removeprefix(before)): row[position]
        for name, row in table.items()
        if name.startswith(before)
    }


@lru_cache(maxsize=4)
def _table(path):
    return (read_json(path) or {}) if path.exists() else {}
