"""The presets: studies that are known by name."""

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
