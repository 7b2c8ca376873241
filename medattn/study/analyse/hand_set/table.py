"""How well every analyzer finds what a network set by hand is known to use.

Each map is scored twice by the same measures: against the pixels that the network does
use (`used_pixels`), and against those that it should use (the evidence of the drawing).
Maps of noise and of edges stand beside them, and the network's own paths: what a map
would score that is right by construction.
"""

import csv
import io
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from medattn.study.analyse.hand_set.networks import (
    HAND_SET,
    create_hand_set,
    hand_set_images,
)
from medattn.study.analyse.hand_set.used import path_strength
from medattn.study.analyse.results import SHIPPED
from medattn.study.files import write_atomic

if TYPE_CHECKING:
    import keras

FOLDER = SHIPPED / "hand_set"  # not read as a study's results: those lie above it
TABLE, EXAMPLES = "maps.csv", "examples.npz"
IMAGES, DRAWN = 24, 400  # images a network is explained on; images drawn
NEURON = 1  # the logit that is explained
PATHS, RANDOM, EDGES = "paths (by construction)", "random map", "edge detector"
SHOWN = ("lrp.epsilon", "gradcam", "smoothgrad", "deconvnet")
MASKS = ("used", "evidence")
MEASURES = ("mass", "rank", "pointing", "auc")
TEXT = ("network", "dataset", "map", "refusal")
COLUMNS = (
    *("network", "dataset", "auroc", "map", "images", "used_area", "evidence_area"),
    *(f"{mask}_{measure}" for mask in MASKS for measure in MEASURES),
    *("seconds", "refusal"),
)
Row: TypeAlias = dict[str, Any]


def score_hand_set(
    name: str, *, images: int = IMAGES, analyzers: Sequence[str] | None = None
) -> list[Row]:
    """Scores the maps of one network set by hand.

    Args:
        name: A key of `HAND_SET`.
        images: Positive test images on which a detector is on.
        analyzers: Names of `list_analyzers()`; all unless given.

    Returns:
        One dict a map with the keys of `COLUMNS`. Measures are means over the images,
        of |R|, R summed over channels; `images` counts those whose map is not zero
        everywhere. An analyzer that cannot explain the network has its sentence under
        `refusal`, and None elsewhere.
    """
    from medattn.explain import list_analyzers

    model = create_hand_set(name)
    drawn = hand_set_images(name, DRAWN)
    shared = {
        "network": name,
        "dataset": HAND_SET[name].dataset,
        "auroc": hand_set_auroc(model, drawn),
    }
    chosen, strength = explained(model, drawn, images)
    shown = {key: value[chosen] for key, value in drawn.items()}
    masks = {"used": strength > 0, "evidence": shown["evidence"]}
    shared |= {f"{key}_area": float(mask.mean()) for key, mask in masks.items()}
    rows = []
    for title, explain in _maps(model, strength, analyzers or list_analyzers()):
        row: Row = dict.fromkeys(COLUMNS) | shared | {"map": title}
        start = time.perf_counter()
        try:
            maps = explain(shown["image"])
        except (ValueError, NotImplementedError) as error:
            rows.append(row | {"refusal": " ".join(str(error).split())})
            continue
        row["seconds"] = time.perf_counter() - start
        row["images"] = int(maps.any(axis=tuple(range(1, maps.ndim))).sum())
        rows.append(row | _scores(maps, masks))
    return rows


def hand_set_auroc(model: "keras.Model", drawn: Mapping[str, np.ndarray]) -> float:
    """The AUROC of logit 1 on drawn images; see `hand_set_images`."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(drawn["label"], np.asarray(model(drawn["image"]))[:, 1]))


def explained(
    model: "keras.Model", drawn: Mapping[str, np.ndarray], images: int
) -> tuple[np.ndarray, np.ndarray]:
    """Chooses positive images on which a detector is on.

    Args:
        model: The network.
        drawn: What `hand_set_images` returned.
        images: At most so many.

    Returns:
        `(indices, strength)`: positions in `drawn`, and the `path_strength` of those.
    """
    positive = np.flatnonzero((drawn["label"] == 1) & drawn["evidence"].any((1, 2)))
    strength = path_strength(model, drawn["image"][positive], neuron=NEURON)
    on = np.flatnonzero(strength.any((1, 2)))[:images]
    return positive[on], strength[on]


def write_hand_set(
    folder: str | Path = FOLDER,
    *,
    images: int = IMAGES,
    report: Callable[[str], None] | None = None,
) -> list[Row]:
    """Scores all networks set by hand, and writes the table and examples of maps.

    Args:
        folder: Where `maps.csv` and `examples.npz` go.
        images: See `score_hand_set`.
        report: Is told the name of each network that is done.

    Returns:
        The rows written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for name in HAND_SET:
        rows += score_hand_set(name, images=images)
        if report is not None:
            report(name)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _text(row[key]) for key in COLUMNS} for row in rows)
    write_atomic(folder / TABLE, text.getvalue())
    write_examples(folder)
    return rows


def write_examples(folder: str | Path = FOLDER) -> None:
    """Explains one image a network with the analyzers of `SHOWN`; see `read_examples`.

    Args:
        folder: Where `examples.npz` goes.
    """
    examples = {
        f"{name}:{key}": one for name in HAND_SET for key, one in _example(name).items()
    }
    arrays = io.BytesIO()
    np.savez_compressed(arrays, **examples)  # type: ignore[arg-type]
    write_atomic(Path(folder) / EXAMPLES, arrays.getvalue())


def read_hand_set(folder: str | Path = FOLDER) -> list[Row]:
    """Reads the table of `write_hand_set`; an empty list if there is none.

    Args:
        folder: Where it lies.

    Returns:
        A list of dicts: texts, numbers, and None where nothing was measured.
    """
    path = Path(folder) / TABLE
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return [
            {
                key: text if key in TEXT else (float(text) if text else None)
                for key, text in line.items()
            }
            for line in csv.DictReader(file)
        ]


def read_examples(folder: str | Path = FOLDER) -> dict[str, dict[str, np.ndarray]]:
    """Reads one explained image a network.

    Args:
        folder: Where `write_hand_set` put them.

    Returns:
        From each network to its `position` in the split `SPLIT`, `used` and `evidence`,
        `(64, 64)`, and a map for each analyzer of `SHOWN` that explains it.
    """
    path = Path(folder) / EXAMPLES
    found: dict[str, dict[str, np.ndarray]] = {}
    if path.exists():
        with np.load(path) as arrays:
            for key in arrays.files:
                name, part = key.split(":")
                found.setdefault(name, {})[part] = arrays[key]
    return found


def _maps(
    model: "keras.Model", strength: np.ndarray, analyzers: Sequence[str]
) -> Iterator[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """Titles, and functions from images to maps."""
    from medattn.explain import edge_map, explainer

    rng = np.random.default_rng(0)
    yield PATHS, lambda images: strength
    yield RANDOM, lambda images: rng.normal(size=images.shape[:3])
    yield EDGES, edge_map
    for name in analyzers:
        yield name, partial(_explain, explainer(name, NEURON), model)


def _explain(
    explain_with: Callable[..., Callable[[np.ndarray], np.ndarray]],
    model: "keras.Model",
    images: np.ndarray,
) -> np.ndarray:
    """Builds the analyzer and explains; either may refuse."""
    return np.asarray(explain_with(model)(images))


def _scores(maps: np.ndarray, masks: Mapping[str, np.ndarray]) -> Row:
    """Means of every measure against every mask."""
    from medattn import explain

    measures = (
        explain.relevance_mass,
        explain.relevance_rank,
        explain.pointing_game,
        explain.relevance_auc,
    )
    found: Row = {}
    for key, mask in masks.items():
        for measure, function in zip(MEASURES, measures, strict=True):
            with warnings.catch_warnings():  # of images none of which has a value
                warnings.simplefilter("ignore", RuntimeWarning)
                found[f"{key}_{measure}"] = float(np.nanmean(function(maps, mask)))
    return found


def _example(name: str) -> dict[str, np.ndarray]:
    """The explained image that shows most of what is used, and its maps."""
    model = create_hand_set(name)
    drawn = hand_set_images(name, DRAWN)
    chosen, strength = explained(model, drawn, IMAGES)
    wanted = drawn["evidence" if HAND_SET[name].shortcut is None else "artefact"]
    found = ((strength > 0) & wanted[chosen]).sum((1, 2))
    best = int(np.argsort(found)[-3])  # a clear one, not the extreme
    one = chosen[best : best + 1]
    example = {
        "position": drawn["position"][one],
        "used": strength[best] > 0,
        "evidence": drawn["evidence"][one[0]],
    }
    for title, explain in _maps(model, strength[best : best + 1], SHOWN):
        if title in SHOWN:
            try:
                maps = np.asarray(explain(drawn["image"][one]))
            except (ValueError, NotImplementedError):
                continue
            pixels = maps[0].sum(axis=-1)
            example[title] = np.float16(pixels / (np.abs(pixels).max() or 1))
    return example


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return f"{value:.5g}" if isinstance(value, float) else str(value)
