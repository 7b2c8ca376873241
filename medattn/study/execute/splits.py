"""The data of a trial, by split."""

import hashlib
from collections.abc import Iterable
from typing import Any, TypeAlias

from medattn.data import Dataset, load_dataset
from medattn.study.execute.shapes import SIZES, Shapes
from medattn.study.plan.trial import SHAPES, Trial

TEST_WITH_SHORTCUT = "test_with_shortcut"

Splits: TypeAlias = dict[str, Dataset | Shapes]


def load_splits(trial: Trial, *, root: str | None = None) -> Splits:
    """Loads the splits of a trial by name.

    In the test split a planted artefact is independent of the label; a trial with a
    shortcut has one more, `TEST_WITH_SHORTCUT`, in which it is correlated with the
    label as in training.

    Args:
        trial: A `Trial`.
        root: Folder of a data set that is not synthetic.

    Returns:
        A dict of data sets: `train`, `validation`, `test`, perhaps
        `test_with_shortcut`.
    """
    if trial.dataset == SHAPES:
        return {split: Shapes(split, trial.size) for split in SIZES}
    common: dict[str, Any] = {"seed": trial.seed, "size": trial.size}
    common |= dict(trial.reader)
    if trial.protocol != "default":
        common["protocol"] = trial.protocol
    if root is not None:
        common["root"] = root
    planted: dict[str, Any] = {}
    if trial.shortcut is not None:
        planted["shortcut"] = trial.shortcut
    independent: dict[str, Any] = {"shortcut": 0.0} if planted else {}
    fraction = trial.regime if trial.validation == "regime" else 1.0
    splits: Splits = {
        "train": load_dataset(
            trial.dataset, split="train", regime=trial.regime, **common, **planted
        ),
        "validation": load_dataset(
            trial.dataset, split="validation", regime=fraction, **common, **planted
        ),
        "test": load_dataset(trial.dataset, split="test", **common, **independent),
    }
    if trial.shortcut:
        splits[TEST_WITH_SHORTCUT] = load_dataset(
            trial.dataset, split="test", **common, **planted
        )
    return splits


def ids_sha256(ids: Iterable[str]) -> str:
    """Hashes the names of the images that a model saw."""
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()
