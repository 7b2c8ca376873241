"""A study: its trials, written as a few lists whose product they are."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from medattn.study.plan.code import is_synthetic
from medattn.study.plan.known_names import Kind, list_names, names_in_source
from medattn.study.plan.preregistration import read_preregistration
from medattn.study.plan.trial import (
    SHAPES,
    DatasetOptions,
    Initialisation,
    Trial,
    check_name,
    pretraining,
)

REGIMES = (0.01, 0.1, 0.5, 1.0)
SYNTHETIC = ("fundus", "dermoscopy", "chest")
# The tuples whose product makes the trials, and the field of a trial that each sets.
FACTORS = {
    "models": "model",
    "datasets": "dataset",
    "regimes": "regime",
    "initialisations": "initialisation",
    "shortcuts": "shortcut",
    "seeds": "seed",
}


@dataclass(frozen=True)
class Study:
    """Which trials to run: models x data sets x regimes x starts x shortcuts x seeds.

    A single value may be given instead of a tuple.

    Attributes:
        name: Of the study, and of its folder.
        models, datasets, regimes, initialisations, shortcuts, seeds: The factors.
        budget: Options that all trials share, as in `Trial`: `steps`, `batch_size`,
            `learning_rate`, `epochs`, `selection`, ...
        by_model: Options of single models that replace those of `budget`, such as
            `{"micro_deit": {"learning_rate": 2e-3}}`.
        by_dataset: Likewise of single data sets.
        analyzers: Whose maps to score.
        root: Folder of the data sets that are not synthetic, in it one folder each,
            named like them; or the folder of the only one.
        weights: Folder of `<model>.safetensors` for `"imagenet"`.
        preregistration: What the study is to answer, a source of
            `read_preregistration`; a plan that cannot answer it is refused. It decides
            no trial.
    """

    name: str = "study"
    models: tuple[str, ...] = ("micro_resnet",)
    datasets: tuple[str, ...] = ("fundus",)
    regimes: tuple[float, ...] = REGIMES
    initialisations: tuple[Initialisation, ...] = ("random",)
    shortcuts: tuple[float | None, ...] = (None,)
    seeds: tuple[int, ...] = (0,)
    budget: Mapping[str, Any] = field(default_factory=dict)
    by_model: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    by_dataset: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    analyzers: tuple[str, ...] = ("lrp.epsilon",)
    root: str | None = None
    weights: str | None = None
    preregistration: str | None = None

    def __post_init__(self) -> None:
        for name in (*FACTORS, "analyzers"):
            value = getattr(self, name)
            if value is None or isinstance(value, str | int | float):
                value = (value,)
            object.__setattr__(self, name, tuple(value))
            if not value and name != "analyzers":
                raise ValueError(
                    f"A study needs at least one of everything. Expected {name} with "
                    f"something in it. Received: {name}={value!r}"
                )
        options = {f.name for f in fields(Trial)} - set(FACTORS.values())
        allowed = sorted(options | {"initialisation"})
        for where, given in self._options():
            for option in given:
                check_name(where, option, allowed)
        # An impossible budget or plan is refused here, not after an hour.
        trials = self.trials()
        if self.preregistration:
            registered = read_preregistration(self.preregistration)
            registered.check_plan(self.name, trials)

    def _options(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yields every group of options with the name of its field."""
        yield "budget", self.budget
        for where in ("by_model", "by_dataset"):
            for given in getattr(self, where).values():
                yield where, given

    def check_names(self) -> Self:
        """Refuses unknown names and options.

        Keras is imported only for a name that is not written in the source.

        Returns:
            The study itself.

        Raises:
            ValueError: If a model, a data set, an analyzer or an option is unknown.
        """
        for kind, name in self.unwritten_names():
            check_name(kind, name, list_names(kind))
        for name, protocol, reader in sorted(
            {(t.dataset, t.protocol, t.reader) for t in self.trials()}, key=repr
        ):
            _check_dataset_options(name, protocol, reader)
        return self

    def unwritten_names(self) -> list[tuple[Kind, str]]:
        """Lists the names that are not written in the source, with their kinds."""
        named: tuple[tuple[Kind, tuple[str, ...]], ...] = (
            ("model", (*self.models, *self.by_model)),
            ("data set", (*self.datasets, *self.by_dataset)),
            ("analyzer", self.analyzers),
        )
        return [
            (kind, name)
            for kind, names in named
            for name in dict.fromkeys(names)
            if name not in names_in_source(kind)
        ]

    def root_of(self, dataset: str) -> str | None:
        """Finds the folder of a data set; None if it is synthetic or fetched."""
        if self.root is None or dataset == SHAPES or is_synthetic(dataset):
            return None
        folder = Path(self.root) / dataset
        return str(folder if folder.is_dir() else self.root)

    def trials(self) -> list[Trial]:
        """Lists the trials, each once; those that others start from come first.

        Seeds change slowest, so that a study which is stopped early has complete seeds.

        Returns:
            A list of `Trial`s.
        """
        return list(self._trials)

    @cached_property
    def _trials(self) -> tuple[Trial, ...]:
        order = (
            "seeds", "datasets", "shortcuts", "initialisations", "regimes", "models",
        )  # fmt: skip
        found = []
        for values in itertools.product(*(getattr(self, name) for name in order)):
            chosen = dict(zip((FACTORS[n] for n in order), values, strict=True))
            options = dict(self.budget)
            options |= self.by_dataset.get(chosen["dataset"], {})
            options |= self.by_model.get(chosen["model"], {})
            found.append(Trial(**(chosen | options)))
        first = [before for before in map(pretraining, found) if before is not None]
        return tuple(dict.fromkeys([*first, *found]))


def _check_dataset_options(name: str, protocol: str, reader: DatasetOptions) -> None:
    """Refuses options that a data set does not have."""
    options: dict[str, Any] = dict(reader)
    if protocol != "default":
        options["protocol"] = protocol
    if not options:
        return
    if name != SHAPES:
        from medattn.data.load import check_options

        check_options(name, options)
    else:
        raise ValueError(
            f"{SHAPES!r} is made without options. Expected none. Received: {options}"
        )


def change_study(study: Study, **changes: Any) -> Study:
    """Returns a study with some entries changed.

    Args:
        study: A `Study`.
        **changes: Its fields; `budget`, `by_model` and `by_dataset` are merged with
            what the study has, the others replaced.

    Returns:
        Another `Study`.
    """
    for key in ("by_model", "by_dataset"):
        if key in changes:
            before = getattr(study, key)
            merged = {
                name: {**before.get(name, {}), **options}
                for name, options in changes[key].items()
            }
            changes[key] = {**before, **merged}
    if "budget" in changes:
        changes["budget"] = {**study.budget, **changes["budget"]}
    return replace(study, **changes) if changes else study
