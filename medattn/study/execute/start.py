"""The weights that a trial starts from."""

from pathlib import Path

import keras

from medattn.models import load_pretrained
from medattn.study.plan.trial import Trial


def load_start(
    model: keras.Model, trial: Trial, trunk: keras.Model | str | Path | None
) -> None:
    """Gives a new model the trunk that its trial starts from.

    Weights are matched by name; those of the head and of the gates stay random, so that
    a pretrained model differs from a random one in its trunk alone.

    Args:
        model: Of `create_model`.
        trial: Its `Trial`.
        trunk: A `keras.Model`, or the path of a file for `"imagenet"`.

    Raises:
        ValueError: If the weights are missing, or none of them fits.
    """
    if trial.initialisation == "random":
        return
    if trunk is None:
        raise ValueError(
            "The starting weights are missing. Expected a file of torchvision's or "
            f"timm's weights for {trial.model!r}, named by `weights` in the study. "
            f"Received: initialisation={trial.initialisation!r} and none"
        )
    if trial.initialisation == "imagenet":
        load_pretrained(model, trunk)
        return
    assert isinstance(trunk, keras.Model)
    known = {weight.path: weight for weight in trunk.weights}
    assigned = 0
    for weight in model.weights:
        source = known.get(weight.path)
        if source is not None and not weight.path.startswith(("predictions", "head")):
            weight.assign(source.numpy())
            assigned += 1
    if not assigned:
        raise ValueError(
            f"The trunk does not fit. Expected weights named as in {model.name!r}. "
            f"Received: those of {trunk.name!r}"
        )
