"""What there is to choose on the page, by name, and the bounds of a choice."""

from collections.abc import Mapping
from typing import Any, TypeAlias

Network: TypeAlias = Any  # a Keras model, which the app asks and never opens

DATASETS = ("fundus", "dermoscopy", "chest")
BACKBONES: Mapping[str, str] = {
    "ResNet": "micro_resnet",
    "DenseNet": "micro_densenet",
    "DeiT": "micro_deit",
}
ATTENTION: Mapping[str, str] = {"none": "", "SE": "se_", "CBAM": "cbam_"}
SELF_ATTENTION = "self"  # the attention of a DeiT, whatever the control says
REGIMES: Mapping[float, str] = {0.01: "1 %", 0.1: "10 %", 0.5: "50 %", 1.0: "100 %"}
INITIALISATIONS = ("random", "shapes")
# Correlations of a planted mark with the label.
SHORTCUTS: Mapping[str, float | None] = {"none": None, "0": 0.0, "0.9": 0.9}
REFERENCES = ("zeros", "mean", "blur")
MAX_IMAGES = 12  # in the strip of each data set
MAX_SEEDS = 100
MAX_QUERY_CHARACTERS = 600  # of one parameter of a link
# What a teacher may take away with `hide=`: controls, parts of the page, tabs.
CONTROLS = (
    "dataset",
    "image",
    "backbone",
    "attention",
    "regime",
    "method",
    "more",
    "initialisation",
    "shortcut",
)
PARTS = ("upload", "truth", "grid", "sentence", "python")
TABS = ("explore", "inside", "predict", "doubt", "evidence", "lessons", "own")
HIDEABLE = (*CONTROLS, *PARTS, *TABS)
