"""Where a trial stands, read from its folder; nothing is written there."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medattn.study.damage import find_damage
from medattn.study.execute.lease import lease_holder
from medattn.study.files import read_json_lines, read_object


def trial_outcome(
    trial_folder: Path, *, analyzers: Sequence[str] = ()
) -> dict[str, Any] | None:
    """Reads how a trial ended; None if there is something left to do.

    Args:
        trial_folder: The trial's folder.
        analyzers: Whose maps it should have.

    Returns:
        The content of `done.json` or `failed.json`; None if there is neither, maps are
        missing, or a file is damaged.
    """
    if not trial_folder.is_dir() or find_damage(trial_folder):
        return None
    failed = read_object(trial_folder / "failed.json")
    if failed is not None:
        return failed
    done = read_object(trial_folder / "done.json")
    if done is None or any(
        not maps_path(trial_folder, name).exists() for name in analyzers
    ):
        return None
    return done


def trial_progress(trial_folder: Path) -> dict[str, Any]:
    """Reads the progress of a trial: `step` and the last validation; {} before it."""
    try:
        history = read_json_lines(trial_folder / "history.jsonl")
    except ValueError:  # damaged: the trial is done again
        return {}
    return history[-1] if history and isinstance(history[-1], dict) else {}


def trial_state(trial_folder: Path, *, analyzers: Sequence[str] = ()) -> str:
    """Names the state of a trial.

    Args:
        trial_folder: The trial's folder.
        analyzers: Whose maps it should have.

    Returns:
        `"done"`, `"failed"`, `"running"`, `"damaged"`, `"stopped"` or `"waiting"`.
    """
    outcome = trial_outcome(trial_folder, analyzers=analyzers)
    if outcome is not None:
        return outcome["state"]
    if trial_folder.is_dir() and lease_holder(trial_folder):
        return "running"
    if find_damage(trial_folder):
        return "damaged"
    return "stopped" if (trial_folder / "config.json").exists() else "waiting"


def maps_path(trial_folder: Path, analyzer: str) -> Path:
    """Names the file of the scores of an analyzer's maps."""
    return trial_folder / f"maps-{analyzer}.npz"
