"""Networks set by hand for "eye in context": small windows, with and without a gate.

Both see windows of 7 x 7 pixels, too small for the disc and a lesion at once, and
average over the image, as `micro_bagnet` does. Without a gate the logit is linear in
the averages: additive, so `additive_bound` holds. The gate is the package's own
`SqueezeExcite`, without biases as in the study, its weights written down: how pale the
disc is, compared with how bright the eye is, closes the channel of dark spots and opens
that of bright ones, or the reverse.

    logit = a sigmoid(-t) dark + b sigmoid(t) bright - c,   t = k pale - m ground

That is the theory of the positive control: the same features, added up, cannot exceed
the bound; multiplied by a gate, they can.
"""

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medattn.data import draw_images
from medattn.study.analyse.hand_set.bound import additive_bound
from medattn.study.analyse.hand_set.networks import (
    BLUE,
    GREEN,
    RED,
    SIZE,
    SPLIT,
    UNSEEN,
)
from medattn.study.analyse.hand_set.table import FOLDER
from medattn.study.files import write_atomic

if TYPE_CHECKING:
    import keras

WINDOW = 7
DARK, BRIGHT, PALE, GROUND = range(4)  # channels
GATE = 1e5, 50.0  # k and m: a disc is cupped if pale / ground exceeds m / k
HEAD = np.array([8000.0, 96000.0, 0.0, 0.0])  # bright spots are fewer and smaller
THRESHOLD = 1.7
IMAGES = 1000
TABLE = "context.csv"


def context_network(
    *, gate: bool, head: np.ndarray = HEAD, threshold: float = THRESHOLD
) -> "keras.Model":
    """Builds the network that sees small windows, with or without a gate.

    Args:
        gate: Whether a `SqueezeExcite` multiplies the features before the average.
        head: Weight of each channel's average in logit 1, `(4,)`.
        threshold: Taken from logit 1; logit 0 is its opposite.

    Returns:
        A functional `keras.Model` from images `(batch, 64, 64, 3)` to two logits.
    """
    import keras
    from keras import layers

    from medattn.layers import SqueezeExcite

    inputs = keras.Input((SIZE, SIZE, 3), name="image")
    conv = layers.Conv2D(4, WINDOW, name="detectors")
    x = layers.Activation("relu", name="detectors_relu")(conv(inputs))
    conv.set_weights(list(_detectors()))
    if gate:
        squeeze = SqueezeExcite(ratio=2, name="gate")
        x = squeeze(x)
        squeeze.set_weights(list(_gate()))
    x = layers.GlobalAveragePooling2D(name="amount")(x)
    logits = layers.Dense(2, name="predictions")
    model = keras.Model(inputs, logits(x), name=f"context_{'gate' if gate else 'sum'}")
    logits.set_weights([np.stack([-head, head], 1), np.array([threshold, -threshold])])
    model.trainable = False
    return model


def amounts(images: np.ndarray) -> np.ndarray:
    """Computes the averages of the four channels, which a head without gate adds up.

    Args:
        images: `(batch, 64, 64, 3)`, pixels in [0, 1].

    Returns:
        `(batch, 4)`: dark, bright, pale, ground.
    """
    import keras

    model = context_network(gate=False)
    averages = keras.Model(model.input, model.get_layer("amount").output)
    return np.concatenate(
        [np.asarray(averages(part)) for part in np.array_split(images, 10)]
    )


def best_sum(features: np.ndarray, labels: np.ndarray) -> float:
    """Finds the best AUROC of any linear head on a grid, on the images themselves.

    Args:
        features: What `amounts` returned.
        labels: 0 or 1, `(batch,)`.

    Returns:
        The AUROC; optimistic, for the head is chosen on the images that it is scored
        on.
    """
    from scipy.stats import rankdata

    size = np.array([-8, -4, -2, -1, -0.5, 0, 0.5, 1, 2, 4, 8])
    heads = [
        (np.cos(turn), np.sin(turn), pale, ground)
        for turn in np.linspace(0, 2 * np.pi, 48, endpoint=False)
        for pale in size
        for ground in (-1, 0, 1)
    ]
    scores = (features / features.std(axis=0)) @ np.array(heads).T  # (images, heads)
    positive = int(np.sum(labels))
    # Mann and Whitney: the sum of the positives' ranks, minus its minimum.
    ranks = rankdata(scores, axis=0)[np.asarray(labels) == 1].sum(axis=0)
    wins = ranks - positive * (positive + 1) / 2
    return float(wins.max() / (positive * (len(scores) - positive)))


def score_context(images: int = IMAGES) -> dict[str, float]:
    """Compares the sum, the gate and the bounds on test images.

    Args:
        images: So many, none of which a weight was set by.

    Returns:
        A dict of AUROCs: `gate`, the network with the gate; `sum`, the same without;
        `best_sum`, see there; `bound`, the best function of cue and lesions that adds
        up; `bound_nuisance`, of any additive score, see `additive_bound`.
    """
    from sklearn.metrics import roc_auc_score

    positions = range(UNSEEN, UNSEEN + images)
    drawn = draw_images("fundus_context", positions, split=SPLIT, size=SIZE)
    shown = drawn["image"].astype(np.float32) / 255
    labels = drawn["label"]
    found = {}
    for name, gate in (("gate", True), ("sum", False)):
        model = context_network(gate=gate)
        logits = [np.asarray(model(part))[:, 1] for part in np.array_split(shown, 10)]
        found[name] = float(roc_auc_score(labels, np.concatenate(logits)))
    return found | {
        "best_sum": best_sum(amounts(shown), labels),
        "bound": additive_bound(),
        "bound_nuisance": additive_bound(nuisance=True),
    }


def write_context(folder: str | Path = FOLDER, *, images: int = IMAGES) -> None:
    """Writes `score_context` as `context.csv`.

    Args:
        folder: Where it goes.
        images: See `score_context`.
    """
    lines = [f"{name},{score:.5g}\n" for name, score in score_context(images).items()]
    write_atomic(Path(folder) / TABLE, "score,auroc\n" + "".join(lines))


def read_context(folder: str | Path = FOLDER) -> dict[str, float]:
    """Reads what `write_context` wrote; an empty dict if there is nothing.

    Args:
        folder: Where it lies.

    Returns:
        As `score_context`.
    """
    path = Path(folder) / TABLE
    if not path.exists():
        return {}
    with open(path, newline="") as file:
        return {line["score"]: float(line["auroc"]) for line in csv.DictReader(file)}


def _detectors() -> tuple[np.ndarray, np.ndarray]:
    """Filters and biases of the four channels."""
    kernel, bias = np.zeros((WINDOW, WINDOW, 3, 4)), np.zeros(4)
    middle = WINDOW // 2
    # Dark: green far below the ground's, where red is not: blood, not dust or shadow.
    kernel[..., GREEN, DARK] = 0.5 / WINDOW**2
    kernel[middle, middle, :2, DARK] += (0.2, -1.0)
    bias[DARK] = -0.07
    # Bright: green above 1.3 of the 5 x 5 around, by 0.21; a disc is too large for it.
    kernel[1:-1, 1:-1, GREEN, BRIGHT] = -1.3 / 25
    kernel[middle, middle, GREEN, BRIGHT] += 1
    bias[BRIGHT] = -0.21
    # Pale: much blue; a cupped disc is nearly white, a full one is yellow.
    kernel[middle, middle, BLUE, PALE], bias[PALE] = 1, -0.45
    # Ground: how red the eye is, which says how strong the light was.
    kernel[middle, middle, RED, GROUND] = 1
    return kernel, bias


def _gate() -> tuple[np.ndarray, np.ndarray]:
    """Weights of the gate: two hidden units, t and -t rectified, and the scores."""
    k, m = GATE
    reduce, expand = np.zeros((4, 2)), np.zeros((2, 4))
    reduce[PALE], reduce[GROUND] = (k, -k), (-m, m)
    expand[:, BRIGHT] = 1, -1  # sigmoid(t)
    expand[:, DARK] = -1, 1  # sigmoid(-t)
    return reduce, expand
