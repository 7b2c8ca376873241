"""The presets: studies that are known by name."""

from typing import Any

from medattn.study.plan.study import SYNTHETIC, Study
from medattn.study.plan.trial import Initialisation

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
# How each published network really started.
PUBLISHED_STARTS: dict[str, Initialisation] = {
    "densenet121": "imagenet",
    "resnet50": "imagenet",
    "se_densenet121": "random",
    "se_resnet50": "imagenet",
    "cbam_densenet121": "random",
    "cbam_resnet50": "random",
    "deit_tiny": "imagenet",
}
CLINICAL = ("aptos2019", "isic2020", "mimic_cxr_jpg")

# The tasks of the second study: what each data set is asked for. The pilot chose them,
# see docs/pilot.md.
TASKS = (*SYNTHETIC, "fundus_context")
DIFFICULTY = {name: {"reader": {"preset": "faint"}} for name in SYNTHETIC}
BAGNETS = ("micro_bagnet", "se_micro_bagnet", "cbam_micro_bagnet")
# Seeds that no study uses.
PILOT_SEEDS = (100, 101, 102, 103, 104)
CONVOLUTION = {"steps": 4000, "batch_size": 16, "learning_rate": 1e-2, "rounds": 10}
TRANSFORMER = {"steps": 12_000, "learning_rate": 1e-3}


def _doubled(budget: dict[str, Any]) -> dict[str, Any]:
    return budget | {"steps": 2 * budget["steps"]}


# With these the 504 trials of the micro study take two cores less than three hours.
MICRO_BUDGET = {"steps": 300, "rounds": 5}

PRESETS: dict[str, Study] = {
    "micro": Study(
        name="micro",
        models=MICRO,
        datasets=SYNTHETIC,
        seeds=tuple(range(6)),
        budget=MICRO_BUDGET,
        by_model={"micro_deit": {"learning_rate": 2e-3}},
    ),
    # Tasks with room, networks trained to the end; four tasks x four amounts of data.
    "micro2": Study(
        name="micro2",
        models=MICRO,
        datasets=TASKS,
        seeds=tuple(range(8)),
        budget=CONVOLUTION,
        by_model={"micro_deit": TRANSFORMER},
        by_dataset=DIFFICULTY,
        preregistration="micro2",
    ),
    # Its positive control: networks that see windows of 9 pixels.
    "micro2-context": Study(
        name="micro2-context",
        models=BAGNETS,
        datasets=("fundus_context",),
        seeds=tuple(range(12)),
        budget=CONVOLUTION,
        preregistration="micro2-context",
    ),
    # Which difficulty leaves room? The plain ResNet alone is looked at.
    "pilot-difficulty": Study(
        name="pilot-difficulty",
        models=("micro_resnet",),
        datasets=TASKS,
        seeds=PILOT_SEEDS[:2],
        budget=CONVOLUTION,
        by_dataset=DIFFICULTY,
        analyzers=(),
    ),
    # Does the positive control work, before anything is registered?
    "pilot-control": Study(
        name="pilot-control",
        models=(*BAGNETS, "micro_resnet", "se_micro_resnet", "cbam_micro_resnet"),
        datasets=("fundus_context",),
        regimes=(1.0,),
        seeds=PILOT_SEEDS,
        budget=CONVOLUTION,
        analyzers=(),
    ),
    # Are the networks trained to the end? Compared with the same at twice the steps.
    "pilot-budget": Study(
        name="pilot-budget",
        models=(*MICRO, *BAGNETS),
        datasets=TASKS,
        regimes=(1.0,),
        seeds=PILOT_SEEDS[:1],
        budget=CONVOLUTION,
        by_model={"micro_deit": TRANSFORMER},
        by_dataset=DIFFICULTY,
        analyzers=(),
    ),
    "pilot-twice": Study(
        name="pilot-twice",
        models=(*MICRO, *BAGNETS),
        datasets=TASKS,
        regimes=(1.0,),
        seeds=PILOT_SEEDS[:1],
        budget=_doubled(CONVOLUTION),
        by_model={"micro_deit": _doubled(TRANSFORMER)},
        by_dataset=DIFFICULTY,
        analyzers=(),
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
    # Do the gates rely on an artefact that agrees with the label in 19 of 20 images?
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
    # throughout, the full validation set for selection, starts confounded with gates.
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
