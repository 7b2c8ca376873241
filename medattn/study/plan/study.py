"""A study: which trials, spelt out from a few lists, and what they will cost."""

import itertools
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path

from medattn.study.plan.trial import Trial, check_name, pretraining

MICRO = (
    "micro_densenet",
    "micro_resnet",
    "se_micro_densenet",
    "se_micro_resnet",
    "cbam_micro_densenet",
    "cbam_micro_resnet",
    "micro_deit",
)
FULL = (
    "densenet121",
    "resnet50",
    "se_densenet121",
    "se_resnet50",
    "cbam_densenet121",
    "cbam_resnet50",
    "deit_tiny",
)
# Of the published networks, those that really started from ImageNet.
PUBLISHED_STARTS = {
    "densenet121": "imagenet",
    "resnet50": "imagenet",
    "se_densenet121": "random",
    "se_resnet50": "imagenet",
    "cbam_densenet121": "random",
    "cbam_resnet50": "random",
    "deit_tiny": "imagenet",
}
REGIMES = (0.01, 0.1, 0.5, 1.0)
CLINICAL = ("aptos2019", "isic2020", "mimic_cxr_jpg")
SYNTHETIC = ("fundus", "dermoscopy", "chest")
# Tuples of one thing each, the product of which makes the trials.
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

    Attributes:
        name: Of the study; its folder is called so.
        models, datasets, regimes, initialisations, shortcuts, seeds: The factors.
        budget: Options that all trials share, as in `Trial`: `steps`, `batch_size`,
            `learning_rate`, `epochs`, `selection`, ...
        by_model: Options of single models on top, such as
            `{"micro_deit": {"learning_rate": 2e-3}}`.
        by_dataset: Likewise of single data sets.
        analyzers: Whose maps to score.
        root: Folder of the data sets that are not drawn, in it one folder each, named
            like them; or the folder of the only one.
        weights: Folder of `<model>.safetensors` for `"imagenet"`.
    """

    name: str = "study"
    models: tuple = ("micro_resnet",)
    datasets: tuple = ("fundus",)
    regimes: tuple = REGIMES
    initialisations: tuple = ("random",)
    shortcuts: tuple = (None,)
    seeds: tuple = (0,)
    budget: dict = field(default_factory=dict)
    by_model: dict = field(default_factory=dict)
    by_dataset: dict = field(default_factory=dict)
    analyzers: tuple = ("lrp.epsilon",)
    root: str | None = None
    weights: str | None = None

    def __post_init__(self):
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
        allowed = options | {"initialisation"}
        for where, given in (
            ("budget", self.budget),
            *(("by_model", own) for own in self.by_model.values()),
            *(("by_dataset", own) for own in self.by_dataset.values()),
        ):
            for option in given:
                check_name(where, option, sorted(allowed))
        self.trials()  # an impossible budget is told here, not after an hour

    def check_names(self):
        """Refuses names that nobody knows; this imports the models."""
        from medattn.data import list_datasets
        from medattn.data.load import check_options
        from medattn.explain import list_analyzers
        from medattn.models import list_models
        from medattn.study.execute.shapes import NAME

        for name in (*self.models, *self.by_model):
            check_name("model", name, list_models())
        for name in (*self.datasets, *self.by_dataset):
            check_name("data set", name, [*list_datasets(), NAME])
        for name in self.analyzers:
            check_name("analyzer", name, list_analyzers())
        for name, protocol, reader in sorted(
            {(t.dataset, t.protocol, t.reader) for t in self.trials()}, key=repr
        ):
            options = dict(reader)
            if protocol != "default":
                options["protocol"] = protocol
            if name != NAME:
                check_options(name, options)
            elif options:
                raise ValueError(
                    f"{NAME!r} is drawn without options. Expected none. "
                    f"Received: {options}"
                )
        return self

    def root_of(self, dataset):
        """Says where the files of a data set lie; None if it is drawn or fetched."""
        if self.root is None or dataset in (*SYNTHETIC, "shapes"):
            return None
        own = Path(self.root) / dataset
        return str(own if own.is_dir() else self.root)

    def trials(self):
        """Spells the trials out, each once; those that others start from come first.

        Seeds change slowest, so that a study which is stopped early has whole seeds.

        Returns:
            A list of `Trial`s.
        """
        order = ("seeds", "datasets", "shortcuts", "initialisations")
        order += ("regimes", "models")
        found = []
        for values in itertools.product(*(getattr(self, name) for name in order)):
            chosen = dict(zip((FACTORS[n] for n in order), values, strict=True))
            options = dict(self.budget)
            options |= self.by_dataset.get(chosen["dataset"], {})
            options |= self.by_model.get(chosen["model"], {})
            found.append(Trial(**(chosen | options)))
        first = [before for before in map(pretraining, found) if before is not None]
        return list(dict.fromkeys([*first, *found]))


# Chosen so that the 504 trials of the micro study take two cores under three hours.
MICRO_BUDGET = {"steps": 300, "rounds": 5}

PRESETS = {
    "micro": Study(
        name="micro",
        models=MICRO,
        datasets=SYNTHETIC,
        seeds=tuple(range(6)),
        budget=MICRO_BUDGET,
        by_model={"micro_deit": {"learning_rate": 2e-3}},
    ),
    # Is it the attention or the pretraining? Both starts, crossed with the gates.
    "pretraining": Study(
        name="pretraining",
        models=("micro_resnet", "se_micro_resnet", "cbam_micro_resnet"),
        datasets=("fundus",),
        initialisations=("random", "shapes"),
        seeds=(0, 1, 2),
        budget=MICRO_BUDGET,
    ),
    # Do the gates fall for an artefact that goes with the label in 19 images of 20?
    "shortcut": Study(
        name="shortcut",
        models=("micro_resnet", "se_micro_resnet", "cbam_micro_resnet"),
        datasets=SYNTHETIC,
        regimes=(1.0,),
        shortcuts=(0.0, 0.9),
        seeds=(0, 1, 2),
        budget=MICRO_BUDGET,
    ),
    # As it was run, with its faults: one seed, epochs instead of steps, 1e-6
    # throughout, the whole validation set for choosing, starts mixed with gates.
    "paper": Study(
        name="paper",
        models=FULL,
        datasets=CLINICAL,
        seeds=(42,),
        budget={
            "epochs": 300,
            "rounds": 300,
            "batch_size": 32,
            "learning_rate": 1e-6,
            "optimizer": "adam",
            "schedule": "constant",
            "weight_decay": 0.0,
            "selection": "best",
            "validation": "full",
            "protocol": "study",
            "size": 224,
        },
        by_model={m: {"initialisation": s} for m, s in PUBLISHED_STARTS.items()},
        by_dataset={
            "isic2020": {"class_weights": True},
            "mimic_cxr_jpg": {"class_weights": True},
        },
        analyzers=("lrp.epsilon",),
    ),
    # The same question without the confounds.
    "paper-repaired": Study(
        name="paper-repaired",
        models=FULL,
        datasets=CLINICAL,
        initialisations=("random", "imagenet"),
        seeds=tuple(range(6)),
        budget={
            "steps": 10_000,
            "rounds": 50,
            "batch_size": 32,
            "learning_rate": 1e-4,
            "selection": "best",
            "validation": "regime",
            "class_weights": True,
            "size": 224,
        },
        analyzers=("lrp.epsilon",),
    ),
}


def read_study(source):
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
        ValueError: If there is no such preset or file, or the file says something that
            a study does not know.
    """
    source = str(source)
    if not source.endswith(".toml"):
        check_name("study", source, [*PRESETS, "a .toml file"])
        return PRESETS[source]
    try:
        said = tomllib.loads(Path(source).read_text())
    except FileNotFoundError:
        raise ValueError(f"There is no study file {source!r}.") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"The study file {source!r} is no TOML: {error}") from None
    preset = said.pop("preset", None)
    for key in said:
        check_name("entry of the study file", key, [f.name for f in fields(Study)])
    said.setdefault("name", Path(source).stem)
    return change_study(Study() if preset is None else read_study(preset), **said)


def change_study(study, **changes):
    """Returns a study with some entries changed; `budget` and its like are merged."""
    from dataclasses import replace

    for key in ("by_model", "by_dataset"):
        before = getattr(study, key)
        if key in changes:
            own = {
                k: before.get(k, {}) | options for k, options in changes[key].items()
            }
            changes[key] = before | own
    if "budget" in changes:
        changes["budget"] = study.budget | changes["budget"]
    return replace(study, **changes)
