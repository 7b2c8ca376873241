"""Reads a study: a preset by its name, or a TOML file."""

import tomllib
from dataclasses import fields
from pathlib import Path

from medattn.study.plan.presets import PRESETS
from medattn.study.plan.study import Study, change_study
from medattn.study.plan.trial import check_name


def read_study(source: str | Path) -> Study:
    """Reads a study: the name of a preset, or a TOML file.

    A file may begin with `preset = "micro"` and then change what differs:

        preset = "micro"
        models = ["micro_resnet", "cbam_micro_resnet"]
        seeds = [0, 1, 2]
        [budget]
        steps = 200

    Options of a data set go into a table of their own:

        preset = "paper-repaired"
        [by_dataset.mimic_cxr_jpg.reader]
        view = "frontal"
        negatives = "both"

    Args:
        source: One of `PRESETS`, or the path of a `.toml` file.

    Returns:
        A `Study`.

    Raises:
        ValueError: If there is no such preset or file, or the file has an entry that a
            study does not have.
    """
    source = str(source)
    if not source.endswith(".toml"):
        check_name("study", source, [*PRESETS, "a .toml file"])
        return PRESETS[source]
    try:
        entries = tomllib.loads(Path(source).read_text())
    except FileNotFoundError:
        raise ValueError(f"There is no study file {source!r}.") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"The study file {source!r} is no TOML: {error}") from None
    preset = entries.pop("preset", None)
    for key in entries:
        check_name("entry of the study file", key, [f.name for f in fields(Study)])
    entries.setdefault("name", Path(source).stem)
    return change_study(Study() if preset is None else read_study(preset), **entries)
