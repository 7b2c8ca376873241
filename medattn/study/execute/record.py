"""A trained network on disk: its weights and the record of the trial that made them."""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medattn.study.files import file_sha256, write_json
from medattn.study.plan.trial import Trial, trial_config, trial_name

if TYPE_CHECKING:
    import keras


def save_trial(
    folder: str | Path, trial: Trial, model: "keras.Model", measured: dict[str, Any]
) -> Path:
    """Writes weights and, last, the record of the trial that made them.

    Args:
        folder: The files go into a folder of the data set's name in it.
        trial: The `Trial`.
        model: The trained model.
        measured: The dict that `train_trial` gave.

    Returns:
        The path of the record, `<folder>/<dataset>/<name>.json`, beside which the
        weights lie as `<name>.safetensors`.
    """
    from medattn.models import save_weights

    name = trial_name(trial.model, trial.regime, trial.seed)
    weights = Path(folder) / trial.dataset / f"{name}.safetensors"
    save_weights(model, weights)
    record = {
        "trial": trial_config(trial),
        "measured": measured,
        "weights": weights.name,
        "weights_sha256": file_sha256(weights),
        "versions": versions(),
    }
    path = weights.with_suffix(".json")
    write_json(path, record)
    return path


def versions() -> dict[str, str]:
    """Returns the versions of the packages that decide a trial's bits."""
    names = ("medattn", "keras", "tensorflow", "numpy")
    return {name: version(name) for name in names}
