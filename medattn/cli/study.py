"""The verb study: plans, runs and gathers many trials."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from medattn.cli.backend import import_backend

Positional = tyro.conf.Positional


def study(
    action: Positional[Literal["plan", "run", "status", "gather", "promote"]],
    which: Positional[str] = "micro",
    /,
    *,
    models: tuple[str, ...] = (),
    datasets: tuple[str, ...] = (),
    regimes: tuple[float, ...] = (),
    initialisations: tuple[str, ...] = (),
    shortcuts: tuple[float, ...] = (),
    seeds: tuple[int, ...] = (),
    analyzers: tuple[str, ...] = (),
    steps: int | None = None,
    protocol: Literal["default", "study"] | None = None,
    reader: tuple[str, ...] = (),
    folder: Path = Path("runs"),
    root: Path | None = None,
    weights: Path | None = None,
    engine: str = "local",
    workers: int = 0,
    threads: int = 1,
    address: str | None = None,
    cluster: str | None = None,
    retry_failed: bool = False,
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None,
    zoo: Path = Path("medattn/zoo"),
    add: bool = False,
) -> None:
    """Plan, run and gather many trials; a study that was stopped goes on.

    Args:
        action: plan: list the trials and their cost; run: run what is not done;
            status: count what is; gather: write the results as a CSV; promote: write
            them into the package, with seed 0's weights.
        which: A preset (micro, pretraining, shortcut, paper, paper-repaired) or a TOML
            file.
        models: Networks, instead of those of the study.
        datasets: Data sets, likewise.
        regimes: Shares of the training data, likewise.
        initialisations: random, shapes or imagenet, likewise.
        shortcuts: Correlations of a planted artefact with the label, likewise.
        seeds: Seeds, likewise.
        analyzers: Whose maps to score, likewise.
        steps: Optimiser steps of a trial, likewise.
        protocol: Of real data sets: default, patients in one split only, or study, the
            published study's own splits; likewise.
        reader: Options of data sets, such as mimic_cxr_jpg.view=frontal.
        folder: Where studies lie, each in a folder of its name.
        root: Folder of the data sets that are not drawn.
        weights: Folder of ImageNet weights, <network>.safetensors.
        engine: local, ray or submitit.
        workers: local: trials at once; 0 takes as many as there are cores.
        threads: Threads of each trial; they decide its last bits.
        address: ray: of a cluster; a new one on this machine unless given.
        cluster: submitit: slurm, or local to try it here.
        retry_failed: Whether to try again what failed for good.
        output: gather: the CSV; <folder>/<study>.csv unless given.
        zoo: promote: folder of the shipped weights.
        add: promote: keep the shipped trials that the folder lacks.
    """
    from medattn.study import read_study
    from medattn.study.plan.study import change_study

    given = dict(
        models=models, datasets=datasets, regimes=regimes, seeds=seeds,
        initialisations=initialisations, shortcuts=shortcuts, analyzers=analyzers,
    )  # fmt: skip
    changes = {key: value for key, value in given.items() if value}
    if steps is not None:
        changes["budget"] = {"steps": steps}
    if protocol is not None:
        changes["budget"] = changes.get("budget", {}) | {"protocol": protocol}
    base = read_study(which)
    if reader:
        changes["by_dataset"] = _reader_options(reader, base)
    for key, path in (("root", root), ("weights", weights)):
        if path is not None:
            changes[key] = str(path)
    chosen = change_study(base, **changes)
    if action == "plan":
        import_backend()
        _print_plan(chosen.check_names(), folder, workers)
    elif action == "run":
        options = {"address": address, "cluster": cluster}
        _run_study(
            chosen,
            folder,
            engine=engine,
            workers=workers,
            threads=threads,
            retry_failed=retry_failed,
            **{key: value for key, value in options.items() if value is not None},
        )
    elif action == "status":
        from medattn.study import study_status

        _print_status(study_status(chosen, folder))
    elif action == "gather":
        from medattn.study import gather_results
        from medattn.study.analyse.results import write_results

        rows = gather_results(folder / chosen.name)
        output = output or folder / f"{chosen.name}.csv"
        write_results(rows, output)
        print(f"{len(rows)} trials in {output}")
    else:
        from medattn.study import promote_trials

        count, shipped, size = promote_trials(folder / chosen.name, zoo=zoo, add=add)
        print(
            f"{count} trials in the package's results; {shipped} networks in {zoo}, "
            f"{size / 1e6:.1f} MB"
        )


def _print_plan(study, folder, workers):
    """Prints the trials of a study, grouped, and how long they will take here."""
    from collections import Counter

    from medattn.study.execute.engines import available_cores
    from medattn.study.execute.scheduler import duration, estimate_seconds, open_trials

    trials = study.trials()
    groups = Counter((t.dataset, _manner(t), t.model) for t in trials)
    for (dataset, manner, model), count in groups.items():
        print(f"{count:>5} x {model:<20} {dataset}, {manner}")
    print(
        f"{len(trials)} trials: {len(study.models)} networks, {len(study.datasets)} "
        f"data sets, regimes {', '.join(f'{100 * r:g}%' for r in study.regimes)}, "
        f"{len(study.seeds)} seeds; maps of {', '.join(study.analyzers) or 'none'}"
    )
    left = list(open_trials(study, folder).values())
    if len(left) < len(trials):
        print(f"{len(trials) - len(left)} of them have ended in {folder / study.name}")
    seconds = estimate_seconds(left, analyzers=len(study.analyzers), workers=workers)
    if seconds is None:
        print("How long they take is not known: no such trial was timed.")
    else:
        print(
            f"about {duration(seconds)}, {workers or available_cores()} trials at "
            "once on cores like those that were timed"
        )


def _manner(trial):
    """Says in words what else a group of trials has in common."""
    words = [f"{trial.initialisation} start"]
    if trial.shortcut is not None:
        words.append(f"shortcut {trial.shortcut:g}")
    if trial.protocol != "default":
        words.append(f"protocol {trial.protocol}")
    return ", ".join(words + [f"{name}={value}" for name, value in trial.reader])


def _reader_options(given, study):
    """Reads `mimic_cxr_jpg.view=frontal` and adds it to the options of that set."""
    words, found = {"true": True, "false": False}, {}
    for one in given:
        place, _, value = one.partition("=")
        dataset, _, option = place.partition(".")
        if not (dataset and option and value):
            raise ValueError(
                "An option of a data set has three parts. Expected "
                f"dataset.option=value. Received: reader={one!r}"
            )
        before = dict(study.by_dataset.get(dataset, {}).get("reader", ()))
        mine = found.setdefault(dataset, {"reader": before})["reader"]
        mine[option] = words.get(value.lower(), value)
    return found


def _run_study(study, folder, **options):
    from medattn.study import run_study
    from medattn.study.execute.scheduler import StudyStopped

    import_backend()
    resume = shlex.join(["medattn", *sys.argv[1:]])
    try:
        status = run_study(study, folder, **options)
    except KeyboardInterrupt:
        from medattn.study import study_status

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


def _print_status(status):
    names = ("done", "failed", "running", "stopped", "waiting")
    counts = ", ".join(f"{status[name]} {name}" for name in names if status[name])
    print(f"{status['trials']} trials: {counts}")
    for name, reason in status["failures"].items():
        print(f"  failed {name}: {reason}")
    for name, reason in status.get("faults", {}).items():
        print(f"  not ended {name}: {reason}")
    if status["strangers"]:
        print(
            f"{status['strangers']} more in the folder belong to another plan, "
            f"{status['other_code']} of them to another version of the code; they are "
            "left alone."
        )
