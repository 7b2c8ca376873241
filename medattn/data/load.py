"""Loads a data set by its name."""

from collections.abc import Mapping
from typing import Any

from medattn.data.dataset import Dataset, find_card
from medattn.data.readers import load_real
from medattn.data.regimes import (
    MINIMUM_PER_CLASS,
    minimum_regime,
    study_regime,
    take_regime,
)
from medattn.data.synthetic import DOMAINS
from medattn.data.synthetic.dataset import load_synthetic

MINIMUM_VALIDATION = 20  # images


def load_dataset(
    name: str,
    *,
    split: str = "train",
    regime: float = 1.0,
    seed: int = 0,
    size: int = 64,
    least: int = MINIMUM_PER_CLASS,
    **options: Any,
) -> Dataset:
    """Loads one split of a data set.

    The regime reduces training and validation images, so that a model trained on 1% is
    not validated with all the labels; validation keeps at least 20 images and two of
    each class, and the test split is never reduced. Under `protocol="study"` the
    training images are reduced as in the study, by image and with its one subset,
    whatever the seed, and the validation split is not reduced either.

    Args:
        name: One of `list_datasets()`.
        split: `"train"`, `"validation"` or `"test"`; synthetic data sets also
            have `"benchmark"`, 2,000 images that begin with the test split.
        regime: Fraction of the split to use, in (0, 1]; of its patients, where they are
            known.
        seed: Seed of the random subset.
        size: Height and width of the images in pixels.
        least: Minimum number of patients (images, without patients) of a class in
            training.
        options: Of synthetic data sets: `preset`, `"easy"`, `"standard"`, `"hard"` or
            `"xor"`, and `shortcut`, the correlation of a planted artefact with the
            label. Of real ones: `root`, the folder of the files, `protocol`,
            `"default"` or `"study"`, and those of its reader in
            `medattn.data.readers`.

    Returns:
        A `Dataset`.

    Raises:
        ValueError: If a name or an option is unknown or out of range, files are
            missing or not as expected, or the regime leaves too few images of a class.
    """
    find_card(name)
    load: Any = load_synthetic if name in DOMAINS else load_real
    check_options(name, options)
    full = load(name, split=split, size=size, **options)
    if split not in ("train", "validation"):
        return full
    if full.labels.ndim > 1:
        if regime != 1:
            raise ValueError(
                "Images with several labels cannot be stratified. Expected regime=1, "
                f"or the binary task. Received: regime={regime}"
            )
        return full
    if options.get("protocol") == "study":
        if split == "validation":
            return full
        return full.take(study_regime(full.labels, regime, least=least))
    if split == "validation":
        # A validation set of a few images can hold one class only; it keeps at least
        # 20, which is still far below the training images at 10%.
        floor = minimum_regime(full.labels, patients=full.patients)
        regime = min(1.0, max(regime, MINIMUM_VALIDATION / len(full), floor))
        least = min(least, MINIMUM_PER_CLASS) if regime < 1 else 0
    return full.take(
        take_regime(full.labels, regime, seed=seed, patients=full.patients, least=least)
    )


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuses options and protocols that a data set does not have; reads no file.

    Args:
        name: One of `list_datasets()`.
        options: As in `load_dataset`.
    """
    known = _options(name)
    if unknown := sorted(set(options) - set(known)):
        raise ValueError(
            f"{name!r} has no option {unknown[0]!r}. Expected some of {sorted(known)}. "
            f"Received: {unknown[0]}={options[unknown[0]]!r}"
        )
    if "protocol" in options:
        from medattn.data.readers import check_protocol

        check_protocol(name, options["protocol"])


def _options(name: str) -> tuple[str, ...]:
    if name in DOMAINS:
        return ("preset", "shortcut")
    from medattn.data.readers import READERS

    return ("root", "protocol", *READERS[name].OPTIONS)
