"""The one way in: from a name to a data set."""

from medattn.data.dataset import find_card
from medattn.data.readers import load_real
from medattn.data.regimes import (
    LEAST_OF_A_CLASS,
    least_regime,
    studys_regime,
    take_regime,
)
from medattn.data.synthetic import DOMAINS
from medattn.data.synthetic.dataset import load_drawn

LEAST_VALIDATION = 20


def load_dataset(
    name,
    *,
    split="train",
    regime=1.0,
    seed=0,
    size=64,
    least=LEAST_OF_A_CLASS,
    **options,
):
    """Loads one split of a data set.

    The regime thins training and validation images, so that a model trained on 1% is
    not watched with the help of all the labels; validation keeps at least 20 images and
    two of each class, and the test split is always whole. Under `protocol="study"` the
    training images are thinned as the study did, by image and with the one draw that it
    had, whatever the seed, and the validation split is whole too.

    Args:
        name: One of `list_datasets()`.
        split: `"train"`, `"validation"` or `"test"`; drawn data sets have also
            `"benchmark"`, 2,000 images of which the test split is the beginning.
        regime: Share of the split to use, in (0, 1]; of its patients, where they are
            known.
        seed: Which draw of that share.
        size: Height and width of the images in pixels.
        least: Fewest patients (images, without patients) of a class in training.
        options: Of drawn data sets: `preset`, `"easy"`, `"standard"`, `"hard"` or
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
    load = load_drawn if name in DOMAINS else load_real
    check_options(name, options)
    whole = load(name, split=split, size=size, **options)
    if split not in ("train", "validation"):
        return whole
    if whole.labels.ndim > 1:
        if regime != 1:
            raise ValueError(
                "Images with several labels cannot be stratified. Expected regime=1, "
                f"or the binary task. Received: regime={regime}"
            )
        return whole
    if options.get("protocol") == "study":
        if split == "validation":
            return whole
        return whole.take(studys_regime(whole.labels, regime, least=least))
    if split == "validation":
        # A validation set of a few images can hold one class only; it is thinned to
        # no fewer than 20, which is still far below the training images at 10%.
        floor = least_regime(whole.labels, patients=whole.patients)
        regime = min(1.0, max(regime, LEAST_VALIDATION / len(whole), floor))
        least = min(least, LEAST_OF_A_CLASS) if regime < 1 else 0
    return whole.take(
        take_regime(
            whole.labels, regime, seed=seed, patients=whole.patients, least=least
        )
    )


def check_options(name, options):
    """Refuses options and protocols that a data set does not have; reads no file.

    Args:
        name: One of `list_datasets()`.
        options: Dict, as in `load_dataset`.
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


def _options(name):
    if name in DOMAINS:
        return ("preset", "shortcut")
    from medattn.data.readers import READERS

    return ("root", "protocol", *READERS[name].OPTIONS)
