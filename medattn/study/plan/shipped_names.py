"""How shipped networks are called, and which of a study's networks are shipped."""

from collections.abc import Iterable, Mapping
from typing import Any

from medattn.study.plan.trial import SHAPES, trial_name


def is_plain(trial: Mapping[str, Any]) -> bool:
    """Tells whether a trial differs from others in model, data and seed alone.

    Args:
        trial: A dict with `initialisation` and `shortcut`, such as a row of results.

    Returns:
        Whether it started from random weights and saw no planted artefact.
    """
    return trial["initialisation"] == "random" and trial["shortcut"] is None


def shipped_name(trial: Mapping[str, Any]) -> str:
    """Names the files of a shipped trial, with its start and shortcut.

    Args:
        trial: A dict with the fields of a `Trial`, such as a row of results.

    Returns:
        A string such as `micro_resnet-10pct-seed0`, `shapes-micro_resnet-10pct-seed0`
        or `shortcut0.9-micro_resnet-100pct-seed0`: a trial's id without data set and
        hash.
    """
    parts = [trial_name(trial["model"], trial["regime"], trial["seed"])]
    if trial["initialisation"] != "random":
        parts.insert(0, trial["initialisation"])
    if trial["shortcut"] is not None:
        parts.insert(0, f"shortcut{trial['shortcut']:g}")
    return "-".join(parts)


def shipped_folder(trial: Mapping[str, Any], study: str) -> str:
    """Finds the folder of the zoo that holds a trial's files.

    The plain networks are in the folder of their data set; those of a study that
    changes start or shortcut are in a folder of the study's name inside it, so that
    each study replaces its own networks only.

    Args:
        trial: As in `shipped_name`, with its `dataset`.
        study: Name of the study.

    Returns:
        A path relative to the zoo, `fundus` or `fundus/shortcut`.
    """
    return trial["dataset"] if is_plain(trial) else f"{trial['dataset']}/{study}"


def rows_to_ship(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Picks the rows whose weights a study ships, whatever their seed and state.

    A study of plain trials ships them all. One that varies start or shortcut ships the
    varied ones alone: its plain trials are those of the micro study once more, the same
    trials to the bit. The pretraining set is no data set of the app.

    Args:
        rows: All results of one study.

    Returns:
        Some of the rows.
    """
    candidates = [row for row in rows if row["dataset"] != SHAPES]
    varied = [row for row in candidates if not is_plain(row)]
    return varied or candidates
