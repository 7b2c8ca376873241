"""A study: its trials, written as a few lists whose product they are."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

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
        self.trials()  # an impossible budget is refused here, not after an hour

    def _options(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yields every group of options with the name of its field."""
        yield "budget", self.budget
        for where in ("by_model", "by_dataset"):
            for given in getattr(self, where).values():
                yield where, given

    def check_names(self) -> Self:
        """Refuses unknown names and options; this imports the models.

        Returns:
            The study itself.

        Raises:
            ValueError: If a model, a data set, an analyzer or an option is unknown.
        """
        from medattn.data import list_datasets
        from medattn.explain import list_analyzers
        from medattn.models import list_models

        for name in (*self.models, *self.by_model):
            check_name("model", name, list_models())
        for name in (*self.datasets, *self.by_dataset):
            check_name("data set", name, [*list_datasets(), SHAPES])
        for name in self.analyzers:
            check_name("analyzer", name, list_analyzers())
        for name, protocol, reader in sorted(
            {(t.dataset, t.protocol, t.reader) for t in self.trials()}, key=repr
        ):
            _check_dataset_options(name, protocol, reader)
        return self

    def root_of(self, dataset: str) -> str | None:
        """Finds the folder of a data set; None if it is synthetic or fetched."""
        if self.root is None or dataset in (*SYNTHETIC, SHAPES):
            return None
        folder = Path(self.root) / dataset
        return str(folder if folder.is_dir() else self.root)

    def trials(self) -> list[Trial]:
        """Lists the trials, each once; those that others start from come first.

        Seeds change slowest, so that a study which is stopped early has complete seeds.

        Returns:
            A list of `Trial`s.
        """
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
        return list(dict.fromkeys([*first, *found]))


def _check_dataset_options(name: str, protocol: str, reader: DatasetOptions) -> None:
    """Refuses options that a data set does not have."""
    from medattn.data.load import check_options

    options: dict[str, Any] = dict(reader)
    if protocol != "default":
        options["protocol"] = protocol
    if name != SHAPES:
        check_options(name, options)
    elif options:
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
    return replace(study, **changes)
