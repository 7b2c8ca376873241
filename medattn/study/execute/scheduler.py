"""Runs a study: every trial once, with a progress bar, and counts where they stand."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from medattn.study.execute.engines import ENGINES, Events, Task
from medattn.study.execute.progress_bar import ProgressBar
from medattn.study.execute.trial_runner import trial_outcome, trial_state
from medattn.study.files import read_json, write_json
from medattn.study.plan.code import code_fingerprint
from medattn.study.plan.study import Study
from medattn.study.plan.trial import SHAPES, Trial, check_name, trial_id

STATES = ("done", "failed", "running", "stopped", "waiting")


class StudyStopped(RuntimeError):
    """The study could not continue; the message says why."""


def run_study(
    study: Study,
    folder: str | Path = "runs",
    *,
    engine: str = "local",
    workers: int = 0,
    threads: int = 1,
    retries: int = 2,
    retry_failed: bool = False,
    progress: bool = True,
    **options: Any,
) -> dict[str, Any]:
    """Runs what is not done of a study; started again, it continues where it was.

    Args:
        study: A `Study`.
        folder: The trials lie in a folder of the study's name in it.
        engine: One of `ENGINES`.
        workers: Trials at once on this machine; 0 takes as many as there are cores.
        threads: Of each process. The bits of a result depend on them.
        retries: How often a trial is retried that the machine, and not the trial,
            ended.
        retry_failed: Whether to retry failed trials.
        progress: Whether to draw a bar.
        **options: Of the engine: `address` for Ray; `cluster`, `slurm_partition` and
            `hours` for submitit.

    Returns:
        The dict of `study_status`, and under `faults` why a trial could not be ended,
        by its id.

    Raises:
        StudyStopped: If the disk is full.
        KeyboardInterrupt: On Ctrl-C, after the trials have been stopped.
    """
    check_name("engine", engine, list(ENGINES))
    study.check_names()
    study_folder = Path(folder) / study.name
    study_folder.mkdir(parents=True, exist_ok=True)
    write_json(study_folder / "study.json", asdict(study))
    trials = {trial_id(trial): trial for trial in study.trials()}
    if retry_failed:
        for name in trials:
            (study_folder / name / "failed.json").unlink(missing_ok=True)
    pending = open_trials(study, folder)
    events = ENGINES[engine](
        _tasks(study, pending, study_folder, threads),
        workers=workers,
        threads=threads,
        retries=retries,
        folder=study_folder,
        **options,
    )
    bar = ProgressBar(study_folder, trials, pending, enabled=progress)
    faults = _follow(events, bar)
    return study_status(study, folder) | {"faults": faults}


def open_trials(study: Study, folder: str | Path = "runs") -> dict[str, Trial]:
    """Finds the trials of a study that are neither done nor failed.

    Args:
        study: A `Study`.
        folder: As in `run_study`.

    Returns:
        Its `Trial`s by id.
    """
    study_folder = Path(folder) / study.name
    trials = {trial_id(trial): trial for trial in study.trials()}
    return {
        name: trial
        for name, trial in trials.items()
        if trial_outcome(study_folder / name, analyzers=_analyzers(study, trial))
        is None
    }


def study_status(study: Study, folder: str | Path = "runs") -> dict[str, Any]:
    """Counts the trials of a study by state.

    Args:
        study: A `Study`.
        folder: As in `run_study`.

    Returns:
        A dict: `trials` (how many), `done`, `failed`, `running`, `stopped`,
        `waiting`, `failures` (reason by id), `strangers` (folders of another plan) and
        `other_code` (those among them that another version of the code made).
    """
    study_folder = Path(folder) / study.name
    trials = {trial_id(trial): trial for trial in study.trials()}
    states = {
        name: trial_state(study_folder / name, analyzers=_analyzers(study, trial))
        for name, trial in trials.items()
    }
    counts = Counter(states.values())
    strangers = {
        path.parent.name: read_json(path) or {}
        for path in study_folder.glob("*/config.json")
        if path.parent.name not in trials
    }
    other_code = [
        name
        for name, config in strangers.items()
        if config.get("code") != code_fingerprint()
    ]
    return {
        "trials": len(trials),
        **{state: counts[state] for state in STATES},
        "failures": {
            name: read_json(study_folder / name / "failed.json")["reason"]
            for name, state in states.items()
            if state == "failed"
        },
        "strangers": len(strangers),
        "other_code": len(other_code),
    }


def _tasks(
    study: Study, trials: Mapping[str, Trial], study_folder: Path, threads: int
) -> list[Task]:
    """Writes trials as tasks for an engine, see `fork_server.work`."""
    return [
        {
            "id": name,
            "trial": asdict(trial),
            "folder": str(study_folder),
            "analyzers": list(_analyzers(study, trial)),
            "root": study.root_of(trial.dataset),
            "weights": study.weights,
            "threads": threads,
        }
        for name, trial in trials.items()
    ]


def _follow(events: Events, bar: ProgressBar) -> dict[str, str]:
    """Draws the bar until the engine has ended; returns the faults of trials by id."""
    faults = {}
    try:
        for event in events:
            if event is not None:
                name, answer = event
                if answer.get("full"):
                    raise StudyStopped(
                        f"The disk is full ({answer['fault']}). Free some space; the "
                        "same command continues where it was."
                    )
                if "outcome" not in answer:
                    faults[name] = answer.get("error") or answer["fault"]
                bar.ended(name, answer)
            bar.draw()
    finally:
        events.close()  # ends the processes
        bar.close()
    return faults


def _analyzers(study: Study, trial: Trial) -> Sequence[str]:
    """Names the analyzers of a trial; a pretraining task has no evidence to find."""
    return () if trial.dataset == SHAPES else study.analyzers
