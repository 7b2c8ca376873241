"""The verb medattn study: plan | run | status | gather | promote."""

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from tyro.conf import Positional

from medattn.cli.backend import import_backend

if TYPE_CHECKING:
    from medattn.study import Study, Trial


@dataclass(frozen=True)
class Selection:
    """The study: a preset or a file, with what else is given instead of its own.

    Attributes:
        which: A preset (micro, pretraining, shortcut, paper, paper-repaired) or a TOML
            file.
        models: Networks, instead of those of the study.
        datasets: Data sets, likewise.
        regimes: Fractions of the training data, likewise.
        initialisations: random, shapes or imagenet, likewise.
        shortcuts: Correlations of a planted artefact with the label, likewise.
        seeds: Seeds, likewise.
        analyzers: Whose maps to score, likewise.
        steps: Optimiser steps of a trial, likewise.
        protocol: Of real data sets: default, patients in one split only, or study, the
            published study's own splits; likewise.
        reader: Options of data sets, such as mimic_cxr_jpg.view=frontal.
        root: Folder of the data sets that are not synthetic.
        weights: Folder of ImageNet weights, <network>.safetensors.
    """

    which: Positional[str] = "micro"
    models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    regimes: tuple[float, ...] = ()
    initialisations: tuple[str, ...] = ()
    shortcuts: tuple[float, ...] = ()
    seeds: tuple[int, ...] = ()
    analyzers: tuple[str, ...] = ()
    steps: int | None = None
    protocol: Literal["default", "study"] | None = None
    reader: tuple[str, ...] = ()
    root: Path | None = None
    weights: Path | None = None

    def study(self) -> "Study":
        """Reads the study and makes the changes."""
        from medattn.study import read_study
        from medattn.study.plan.study import FACTORS, change_study

        study = read_study(self.which)
        changes: dict[str, Any] = {
            key: getattr(self, key)
            for key in (*FACTORS, "analyzers")
            if getattr(self, key)
        }
        budget = {"steps": self.steps, "protocol": self.protocol}
        budget = {key: value for key, value in budget.items() if value is not None}
        if budget:
            changes["budget"] = budget
        if self.reader:
            changes["by_dataset"] = _dataset_options(self.reader, study)
        for key in ("root", "weights"):
            if getattr(self, key) is not None:
                changes[key] = str(getattr(self, key))
        return change_study(study, **changes)


UNCHANGED = Selection()
Selected = Annotated[Selection, tyro.conf.arg(name="")]
RUNS = Path("runs")


def plan(
    selection: Selected = UNCHANGED, *, folder: Path = RUNS, workers: int = 0
) -> None:
    """List the trials of a study and how long they will take here.

    Args:
        selection: The study.
        folder: Where studies lie, each in a folder of its name.
        workers: Trials at once; 0 takes as many as there are cores.
    """
    study = selection.study()
    import_backend()
    study.check_names()

    from medattn.study.execute.engines import available_cores
    from medattn.study.execute.scheduler import open_trials
    from medattn.study.plan.estimate import duration, estimate_seconds

    trials = study.trials()
    _print_trials(study, trials)
    left = list(open_trials(study, folder).values())
    if len(left) < len(trials):
        print(f"{len(trials) - len(left)} of them have ended in {folder / study.name}")
    workers = workers or available_cores()
    seconds = estimate_seconds(left, analyzers=len(study.analyzers), workers=workers)
    if seconds is None:
        print("How long they take is not known: no such trial was timed.")
    else:
        print(
            f"about {duration(seconds)}, {workers} trials at once on cores like those "
            "that were timed"
        )


def run(
    selection: Selected = UNCHANGED,
    *,
    folder: Path = RUNS,
    engine: str = "local",
    workers: int = 0,
    threads: int = 1,
    address: str | None = None,
    cluster: str | None = None,
    retry_failed: bool = False,
) -> None:
    """Run the trials of a study that are not done; a stopped study continues.

    Args:
        selection: The study.
        folder: Where studies lie, each in a folder of its name.
        engine: local, ray or submitit.
        workers: local: trials at once; 0 takes as many as there are cores.
        threads: Threads of each trial; its last bits depend on them.
        address: ray: of a cluster; a new one on this machine unless given.
        cluster: submitit: slurm, or local to try it here.
        retry_failed: Whether to retry failed trials.
    """
    from medattn.study import run_study, study_status
    from medattn.study.execute.scheduler import StudyStopped

    study = selection.study()
    options = {"address": address, "cluster": cluster}
    import_backend()
    resume = shlex.join(["medattn", *sys.argv[1:]])
    try:
        status = run_study(
            study,
            folder,
            engine=engine,
            workers=workers,
            threads=threads,
            retry_failed=retry_failed,
            **{key: value for key, value in options.items() if value is not None},
        )
    except KeyboardInterrupt:
        done = study_status(study, folder)
        print(
            f"Stopped: {done['done']} of {done['trials']} trials are done, and no work "
            f"but the last round is lost. Go on with:\n  {resume}",
            file=sys.stderr,
        )
        sys.exit(130)
    except StudyStopped as error:
        print(f"medattn: {error}\n  {resume}", file=sys.stderr)
        sys.exit(2)
    _print_status(status)
    if status["done"] + status["failed"] < status["trials"]:
        print(f"Go on with:\n  {resume}")
        sys.exit(1)


def status(selection: Selected = UNCHANGED, *, folder: Path = RUNS) -> None:
    """Count the trials of a study that are done, failed, running or waiting.

    Args:
        selection: The study.
        folder: Where studies lie, each in a folder of its name.
    """
    from medattn.study import study_status

    _print_status(study_status(selection.study(), folder))


def gather(
    which: Positional[str] = "micro",
    /,
    *,
    folder: Path = RUNS,
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None,
) -> None:
    """Write the results of a study as a CSV.

    Args:
        which: A preset or a TOML file.
        folder: Where studies lie, each in a folder of its name.
        output: The CSV; <folder>/<study>.csv unless given.
    """
    from medattn.study import gather_results, read_study
    from medattn.study.analyse.results import write_results

    name = read_study(which).name
    rows = gather_results(folder / name)
    output = output or folder / f"{name}.csv"
    write_results(rows, output)
    print(f"{len(rows)} trials in {output}")


def promote(
    which: Positional[str] = "micro",
    /,
    *,
    folder: Path = RUNS,
    zoo: Path = Path("medattn/zoo"),
    add: bool = False,
) -> None:
    """Write the results of a study into the package, with seed 0's weights.

    Args:
        which: A preset or a TOML file.
        folder: Where studies lie, each in a folder of its name.
        zoo: Folder of the shipped weights.
        add: Keep the shipped trials that the folder lacks.
    """
    from medattn.study import promote_trials, read_study

    study_folder = folder / read_study(which).name
    count, networks, size = promote_trials(study_folder, zoo=zoo, add=add)
    print(
        f"{count} trials in the package's results; {networks} networks in {zoo}, "
        f"{size / 1e6:.1f} MB"
    )


VERBS: dict[str, Callable[..., None]] = {
    "gather": gather,
    "plan": plan,
    "promote": promote,
    "run": run,
    "status": status,
}


def _dataset_options(
    given: Sequence[str], study: "Study"
) -> dict[str, dict[str, dict[str, Any]]]:
    """Reads `mimic_cxr_jpg.view=frontal` and adds it to the options of that set."""
    truth = {"true": True, "false": False}
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for one in given:
        left, _, value = one.partition("=")
        dataset, _, option = left.partition(".")
        if not (dataset and option and value):
            raise ValueError(
                "An option of a data set has three parts. Expected "
                f"dataset.option=value. Received: reader={one!r}"
            )
        before = dict(study.by_dataset.get(dataset, {}).get("reader", ()))
        options = found.setdefault(dataset, {"reader": before})["reader"]
        options[option] = truth.get(value.lower(), value)
    return found


def _print_trials(study: "Study", trials: Sequence["Trial"]) -> None:
    """Prints the trials of a study, grouped."""
    from collections import Counter

    groups = Counter((t.dataset, _description(t), t.model) for t in trials)
    for (dataset, description, model), count in groups.items():
        print(f"{count:>5} x {model:<20} {dataset}, {description}")
    print(
        f"{len(trials)} trials: {len(study.models)} networks, {len(study.datasets)} "
        f"data sets, regimes {', '.join(f'{100 * r:g}%' for r in study.regimes)}, "
        f"{len(study.seeds)} seeds; maps of {', '.join(study.analyzers) or 'none'}"
    )


def _description(trial: "Trial") -> str:
    """Describes what else a group of trials has in common."""
    words = [f"{trial.initialisation} start"]
    if trial.shortcut is not None:
        words.append(f"shortcut {trial.shortcut:g}")
    if trial.protocol != "default":
        words.append(f"protocol {trial.protocol}")
    return ", ".join(words + [f"{name}={value}" for name, value in trial.reader])


def _print_status(counts: Mapping[str, Any]) -> None:
    states = ("done", "failed", "running", "stopped", "waiting")
    text = ", ".join(f"{counts[name]} {name}" for name in states if counts[name])
    print(f"{counts['trials']} trials: {text}")
    for name, reason in counts["failures"].items():
        print(f"  failed {name}: {reason}")
    for name, reason in counts.get("faults", {}).items():
        print(f"  not ended {name}: {reason}")
    if counts["strangers"]:
        print(
            f"{counts['strangers']} more in the folder belong to another plan, "
            f"{counts['other_code']} of them to another version of the code; they are "
            "left alone."
        )
