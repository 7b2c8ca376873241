"""Running a study: every trial once, a bar, and the line that goes on."""

import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from medattn.study.execute.engines import ENGINES, available_cores
from medattn.study.execute.trial_runner import (
    trial_outcome,
    trial_progress,
    trial_state,
)
from medattn.study.files import read_json, write_json
from medattn.study.plan.trial import check_name, code_fingerprint, trial_id

# Seconds of a trial with one thread, batches of 32 at 64 x 64, when two run at once on
# two cores: for a step, for the rest of the training (start, compiling, validation,
# test), and for the maps of one analyzer. Medians over the first 18 trials of the micro
# study, read off the times of their logs; those trials took 260 s, and come out as 236.
# A step of one process alone takes 0.016 to 0.030; a busier machine is slower.
SECONDS_A_STEP = {
    "micro_densenet": 0.030,
    "micro_resnet": 0.022,
    "se_micro_densenet": 0.035,
    "se_micro_resnet": 0.025,
    "cbam_micro_densenet": 0.040,
    "cbam_micro_resnet": 0.032,
    "micro_deit": 0.021,
}
SECONDS_BESIDE = 11.0
SECONDS_A_MAP = 6.5


class StudyStopped(RuntimeError):
    """The study could not go on; the message says why and how to resume."""


def run_study(
    study,
    folder="runs",
    *,
    engine="local",
    workers=0,
    threads=1,
    retries=2,
    retry_failed=False,
    progress=True,
    **options,
):
    """Runs what is not done of a study; started again, it goes on where it was.

    Args:
        study: A `Study`.
        folder: Where; the trials lie in a folder of the study's name in it.
        engine: One of `ENGINES`.
        workers: Trials at once on this machine; 0 takes as many as there are cores.
        threads: Of each process. Part of what decides the bits of a result.
        retries: How often a trial is tried again that the machine, and not the trial,
            ended.
        retry_failed: Whether to try again what failed for good.
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
    place = Path(folder) / study.name
    place.mkdir(parents=True, exist_ok=True)
    write_json(place / "study.json", asdict(study))
    trials = {trial_id(trial): trial for trial in study.trials()}
    if retry_failed:
        for name in trials:
            (place / name / "failed.json").unlink(missing_ok=True)
    todo = open_trials(study, folder)
    tasks = [
        {
            "id": name,
            "trial": asdict(trial),
            "folder": str(place),
            "analyzers": list(_analyzers(study, trial)),
            "root": study.root_of(trial.dataset),
            "weights": study.weights,
            "threads": threads,
        }
        for name, trial in todo.items()
    ]
    bar = _Bar(place, trials, todo, enabled=progress)
    faults = {}
    running = ENGINES[engine](
        tasks,
        workers=workers,
        threads=threads,
        retries=retries,
        folder=place,
        **options,
    )
    try:
        for event in running:
            if event is not None:
                name, answer = event
                if answer.get("full"):
                    raise StudyStopped(
                        f"The disk is full ({answer['fault']}). Make room; the same "
                        "command goes on where it was."
                    )
                if "outcome" not in answer:
                    faults[name] = answer.get("error") or answer["fault"]
                bar.ended(name, answer)
            bar.draw()
    finally:
        running.close()  # ends the processes
        bar.close()
    return study_status(study, folder) | {"faults": faults}


def open_trials(study, folder="runs"):
    """Finds the trials of a study that neither are done nor failed for good.

    Args:
        study: A `Study`.
        folder: Where it runs.

    Returns:
        Its `Trial`s by id.
    """
    place = Path(folder) / study.name
    trials = {trial_id(trial): trial for trial in study.trials()}
    return {
        name: trial
        for name, trial in trials.items()
        if trial_outcome(place / name, analyzers=_analyzers(study, trial)) is None
    }


def study_status(study, folder="runs"):
    """Counts the trials of a study by where they stand.

    Args:
        study: A `Study`.
        folder: Where it runs.

    Returns:
        A dict: `trials` (how many), `done`, `failed`, `running`, `stopped`,
        `waiting`, `failures` (reason by id), `strangers` (folders of another plan) and
        `other_code` (those among them that another version of the code made).
    """
    place = Path(folder) / study.name
    trials = {trial_id(trial): trial for trial in study.trials()}
    states = {
        name: trial_state(place / name, analyzers=_analyzers(study, trial))
        for name, trial in trials.items()
    }
    counts = Counter(states.values())
    strangers = {
        path.parent.name: read_json(path) or {}
        for path in place.glob("*/config.json")
        if path.parent.name not in trials
    }
    other = [n for n, c in strangers.items() if c.get("code") != code_fingerprint()]
    return {
        "trials": len(trials),
        **{
            state: counts[state]
            for state in ("done", "failed", "running", "stopped", "waiting")
        },
        "failures": {
            name: read_json(place / name / "failed.json")["reason"]
            for name, state in states.items()
            if state == "failed"
        },
        "strangers": len(strangers),
        "other_code": len(other),
    }


def estimate_seconds(trials, *, analyzers=1, workers=0):
    """Estimates the wall time of trials on this machine.

    Args:
        trials: `Trial`s.
        analyzers: How many score their maps in each.
        workers: Trials at once; 0 takes as many as there are cores.

    Returns:
        Seconds, or None if a network among them was never timed.
    """
    if any(t.model not in SECONDS_A_STEP or t.epochs for t in trials):
        return None
    total = 0.0
    for trial in trials:
        images = trial.steps * trial.batch_size / 32 * (trial.size / 64) ** 2
        total += SECONDS_A_STEP[trial.model] * images + SECONDS_BESIDE
        total += SECONDS_A_MAP * analyzers * (trial.dataset != "shapes")
    return total / (workers or available_cores())


def duration(seconds):
    """Writes seconds for people: `2 h 05 min`, `3 min 20 s`, `8 s`."""
    seconds = round(seconds)
    if seconds >= 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
    if seconds >= 60:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds} s"


def _analyzers(study, trial):
    """Names the analyzers of a trial; a pretraining task has no evidence to find."""
    return () if trial.dataset == "shapes" else study.analyzers


class _Bar:
    """Trials done, time left, and the validation AUROC of what runs now."""

    def __init__(self, place, trials, todo, *, enabled):
        self.place, self.enabled = place, enabled
        self.total, self.done = len(trials), len(trials) - len(todo)
        self.steps = {name: max(1, trial.steps) for name, trial in todo.items()}
        self.before = {name: self._step(name) for name in todo}
        self.ended_steps, self.start, self.drawn = 0, time.monotonic(), 0.0
        self.terminal = sys.stderr.isatty()

    def ended(self, name, answer):
        self.ended_steps += self.steps.pop(name) - self.before[name]
        outcome = answer.get("outcome", {})
        self.done += 1
        if outcome.get("state") != "done":
            reason = outcome.get("reason") or answer.get("error") or answer.get("fault")
            self._say(f"{name}: {reason}")
        elif not self.terminal:
            found = outcome["test"].get("auroc")
            self._say(f"{self.done}/{self.total} {name}: test AUROC {found:.3f}")
        self.drawn = 0.0

    def draw(self):
        now = time.monotonic()
        if not (self.enabled and self.terminal) or now - self.drawn < 1:
            return
        self.drawn = now
        running = {
            name: line
            for name in self.steps
            if (line := trial_progress(self.place / name))
        }
        partly = sum(self._step(name) - self.before[name] for name in running)
        made = self.ended_steps + partly
        left = sum(self.steps.values()) - sum(self.before[n] for n in self.steps)
        rate = made / (now - self.start)
        time_left = f"{duration((left - partly) / rate)} left" if made else "starting"
        newest = [line["val_auroc"] for line in running.values() if "val_auroc" in line]
        seen = ", ".join(f"{value:.3f}" for value in newest[:4])
        filled = round(24 * self.done / max(1, self.total))
        sys.stderr.write(
            f"\r\x1b[K[{'#' * filled}{'.' * (24 - filled)}] {self.done}/{self.total} "
            f"trials, {time_left}" + (f", AUROC now {seen}" if seen else "")
        )
        sys.stderr.flush()

    def close(self):
        if self.enabled and self.terminal:
            sys.stderr.write("\n")

    def _say(self, line):
        if self.enabled:
            sys.stderr.write(("\r\x1b[K" if self.terminal else "") + line + "\n")
            sys.stderr.flush()

    def _step(self, name):
        return trial_progress(self.place / name).get("step", 0)
