"""The probabilities that every seed's network gives to the first test images."""

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from medattn.study.analyse.results import SHIPPED
from medattn.study.files import read_json, write_atomic
from medattn.study.plan.shipped_names import shipped_name
from medattn.study.plan.trial import SHAPES

IMAGES = 48  # of each test split, the first ones
POSITIVE = 1
MARGIN = 1e-4  # rounding must not make a network certain
FILE = "chances-{study}.json"


def promote_chances(
    folder: str | Path, results: str | Path = SHIPPED, *, add: bool = False
) -> int:
    """Ships the probabilities that a study's networks gave to the first test images.

    An app then shows the spread over the seeds for one image without their weights.
    Networks of a shortcut saw test images with artefacts that are independent of the
    label (`shortcut=0.0`): those without an artefact are the images that others saw.

    Args:
        folder: The study's.
        results: Folder of the shipped results; `chances-<study>.json` goes there.
        add: Whether to keep the other trials of that file.

    Returns:
        How many trials it holds.
    """
    folder = Path(folder)
    path = Path(results) / FILE.format(study=folder.name)
    table: dict[str, dict[str, list[float]]] = {}
    if add and path.exists():
        table = read_json(path) or {}
    for found in sorted(folder.glob("*/config.json")):
        config = read_json(found)
        predictions = found.with_name("predictions.npz")
        if config["dataset"] == SHAPES or not predictions.exists():
            continue
        if not found.with_name("done.json").exists():
            continue
        with np.load(predictions) as arrays:
            predicted = arrays["test_probabilities"][:IMAGES, POSITIVE]
        row = [round(float(np.clip(p, MARGIN, 1 - MARGIN)), 4) for p in predicted]
        table.setdefault(config["dataset"], {})[shipped_name(config)] = row
    table = {key: dict(sorted(table[key].items())) for key in sorted(table)}
    # One trial a line: a diff shows which changed.
    text = json.dumps(table, indent=1)
    text = re.sub(r"(?<=[\[,\d])\s+(?=[\d\]])", "", text)
    write_atomic(path, text + "\n")
    return sum(map(len, table.values()))


def read_chances(
    position: int,
    *,
    dataset: str,
    model: str,
    regime: float,
    initialisation: str = "random",
    shortcut: float | None = None,
    study: str = "micro",
    results: str | Path = SHIPPED,
) -> dict[int, float]:
    """Reads the probabilities that the networks of all seeds gave to one test image.

    Args:
        position: The image's index in the test split.
        dataset: Of the trials, like the rest.
        model: Name of the model.
        regime: Fraction of the training data.
        initialisation: What they started from.
        shortcut: Correlation of the artefact planted into their training images.
        study: Name of the study.
        results: Folder of the shipped results.

    Returns:
        `{seed: probability of class 1}`; empty if nothing is shipped.
    """
    table = _read_table(Path(results) / FILE.format(study=study)).get(dataset, {})
    if not 0 <= position < IMAGES:
        return {}
    prefix = shipped_name(
        dict(
            model=model,
            regime=regime,
            seed="",
            initialisation=initialisation,
            shortcut=shortcut,
        )
    )
    return {
        int(name.removeprefix(prefix)): row[position]
        for name, row in table.items()
        if name.startswith(prefix)
    }


@lru_cache(maxsize=4)
def _read_table(path: Path) -> Any:
    return (read_json(path) or {}) if path.exists() else {}
