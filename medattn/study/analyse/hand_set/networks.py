"""Six networks set by hand: two a domain, one of evidence and one of a shortcut.

Every weight is written down from the drawing's colours and places; none is learned. A
network of the first kind looks for what the label depends on. One of the second kind
looks for the planted mark alone, so that what it uses and what it should use are
different pixels. Images are 64 x 64, pixels in [0, 1].

Each is a chain of ordinary layers: filters, ReLU with a threshold, sums, two logits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medattn.data import draw_images

if TYPE_CHECKING:
    import keras

SIZE = 64
# Images that no weight was set by: thresholds were chosen on the first test images.
SPLIT, UNSEEN = "benchmark", 1000
CELL = 4  # pixels of a cell, each way, where a network knows places
CELLS = SIZE // CELL
RED, GREEN, BLUE = 0, 1, 2
WINDOW = 5  # side of the filters that compare a pixel with its ground


@dataclass(frozen=True)
class HandSet:
    """A network set by hand.

    Attributes:
        dataset: The synthetic data set that it classifies.
        looks_for: What its filters respond to, in words.
        shortcut: Correlation of the planted mark with the label in the images that it
            is scored on; None where nothing is planted.
        build: A function without arguments, to the `keras.Model`.
    """

    dataset: str
    looks_for: str
    shortcut: float | None
    build: Callable[[], "keras.Model"]


def create_hand_set(name: str) -> "keras.Model":
    """Builds a network set by hand.

    Args:
        name: A key of `HAND_SET`.

    Returns:
        A functional `keras.Model` from images `(batch, 64, 64, 3)` to two logits.

    Raises:
        ValueError: If the name is unknown.
    """
    return find_hand_set(name).build()


def find_hand_set(name: str) -> HandSet:
    """Returns the entry of `HAND_SET`, or says which there are."""
    if name not in HAND_SET:
        raise ValueError(
            f"Unknown network set by hand. Expected one of {list(HAND_SET)}. "
            f"Received: name={name!r}"
        )
    return HAND_SET[name]


def hand_set_images(name: str, count: int) -> dict[str, np.ndarray]:
    """Draws images of a network's data set that no weight was set by.

    Args:
        name: A key of `HAND_SET`.
        count: Number of images.

    Returns:
        A dict: `image`, float32 in [0, 1]; `label`; the masks `evidence` and
        `artefact`, bool; and `position` in the split `SPLIT`.
    """
    hand_set = find_hand_set(name)
    positions = range(UNSEEN, UNSEEN + count)
    drawn = draw_images(
        hand_set.dataset,
        positions,
        split=SPLIT,
        size=SIZE,
        shortcut=hand_set.shortcut,
    )
    found = {key: drawn[key] for key in ("label", "evidence", "artefact")}
    found["image"] = drawn["image"].astype(np.float32) / 255
    return found | {"position": np.array(positions)}


def fundus_lesions() -> "keras.Model":
    """Finds pixels darker, or much brighter, than the ground around them.

    Haemorrhages and exudates stand out in green. So do vessels and dust, less often:
    the network is not perfect, and what it uses is known all the same.
    """
    kernel, bias = np.zeros((WINDOW, WINDOW, 3, 2)), np.zeros(2)
    kernel[..., GREEN, 0] = 0.8 / WINDOW**2  # dark: below 0.8 of the mean around
    kernel[2, 2, GREEN, 0] -= 1
    bias[0] = -0.08  # by at least so much
    kernel[..., GREEN, 1] = -1.17 / WINDOW**2  # bright: above 1.17 of the mean
    kernel[2, 2, GREEN, 1] += 1
    bias[1] = -0.20
    return _local("fundus_lesions", kernel, bias, gain=(12000,) * 2, threshold=2.0)


def fundus_tab() -> "keras.Model":
    """Finds the camera's tab: a small bright bump at the rim of a dark surround.

    Inside the eye the ground is as bright as the spot, outside it all is dark; only at
    a bump is the middle of a window 1.2 times as bright as the window.
    """
    kernel = np.zeros((WINDOW, WINDOW, 3, 1))
    kernel[..., RED, 0] = -1.2 / WINDOW**2
    kernel[1:4, 1:4, RED, 0] += 1 / 9
    return _local(
        "fundus_tab",
        kernel,
        np.array([-0.02]),
        gain=(60000,),
        threshold=0.1,
        padding="same",  # a tab may touch the edge of the picture, which is dark
    )


def dermoscopy_colours() -> "keras.Model":
    """Finds patches that are too blue or too white for skin or for any brown.

    Skin and melanin hold more red than blue; the blue-grey veil, white patches and
    scars hold nearly as much. A patch has to fill some of a 6 x 6 neighbourhood.
    """
    from keras import layers

    def body(x):
        x = _conv(x, _colour_filter(-0.85, 0.0, 1.0), [-0.03], "bluish")
        x = layers.AveragePooling2D(2, name="halve")(x)
        x = _conv(x, np.full((3, 3, 1, 1), 1 / 9), [-0.004], "patch")
        return layers.GlobalAveragePooling2D(name="amount")(x)

    return _chain("dermoscopy_colours", body, np.array([[2500.0]]), threshold=0.2)


def dermoscopy_marks() -> "keras.Model":
    """Finds ink and ruler: bluish pixels near the edges of the picture."""
    from keras import layers

    edge = np.ones((CELLS, CELLS))
    edge[4:-4, 4:-4] = 0  # 16 pixels wide: moles lie further in, mostly

    def body(x):
        x = _conv(x, _colour_filter(-0.5, -0.4, 1.0), [-0.02], "bluish")
        x = layers.AveragePooling2D(CELL, name="cells")(x)
        return layers.Flatten(name="places")(x)

    return _chain("dermoscopy_marks", body, 12.0 * edge.reshape(-1, 1), threshold=0.1)


def chest_fluid() -> "keras.Model":
    """Compares the lower outer zone of each lung with the upper zone of the same lung.

    Fluid whitens the lower zone. The upper one tells how bright the film is; what
    counts is more than 0.8 of it, by 0.15.
    """
    from keras import layers

    zones = np.zeros((CELLS, CELLS, 3, 2))
    lower, upper = slice(9, 12), slice(4, 6)
    for lung, (outer, inner) in enumerate(
        ((slice(2, 4), slice(3, 6)), (slice(12, 14), slice(10, 13)))
    ):
        zones[lower, outer, :, lung] += 1 / (3 * 6)  # 6 cells, three equal channels
        zones[upper, inner, :, lung] -= 0.8 / (3 * 6)

    def body(x):
        x = layers.AveragePooling2D(CELL, name="cells")(x)
        x = layers.Flatten(name="places")(x)
        return _dense_relu(x, zones.reshape(-1, 2), [-0.15, -0.15], "zones")

    return _chain("chest_fluid", body, np.array([[12.0], [12.0]]), threshold=1.2)


def chest_devices() -> "keras.Model":
    """Finds letters and drains: thin, much whiter than what lies around them."""
    kernel = np.zeros((WINDOW, WINDOW, 3, 1))
    kernel[..., 0] = -1 / WINDOW**2 / 3  # three equal channels
    kernel[2, 2, :, 0] += 1 / 3
    return _local(
        "chest_devices", kernel, np.array([-0.35]), gain=(5000,), threshold=0.1
    )


HAND_SET = {
    "fundus_lesions": HandSet(
        "fundus", "spots darker or brighter than their ground", None, fundus_lesions
    ),
    "fundus_tab": HandSet("fundus", "the tab at the rim", 0.9, fundus_tab),
    "dermoscopy_colours": HandSet(
        "dermoscopy", "patches too blue or white for skin", None, dermoscopy_colours
    ),
    "dermoscopy_marks": HandSet(
        "dermoscopy", "ink and ruler near the edges", 0.9, dermoscopy_marks
    ),
    "chest_fluid": HandSet(
        "chest", "a lower lung whiter than the upper", None, chest_fluid
    ),
    "chest_devices": HandSet("chest", "letters and drains", 0.9, chest_devices),
}


def _local(name, kernel, bias, *, gain, threshold, padding="valid"):
    """One convolution, ReLU, the mean over all places, and two logits."""
    from keras import layers

    def body(x):
        x = _conv(x, kernel, bias, "detectors", padding)
        return layers.GlobalAveragePooling2D(name="amount")(x)

    return _chain(name, body, np.reshape(gain, (-1, 1)), threshold)


def _chain(name, body, weights, threshold):
    """Puts input and logits around a body: logit 1 is `weights x - threshold`.

    Logit 0 is its opposite, so that their difference is twice that.
    """
    import keras
    from keras import layers

    inputs = keras.Input((SIZE, SIZE, 3), name="image")
    logits = layers.Dense(2, name="predictions")
    model = keras.Model(inputs, logits(body(inputs)), name=name)
    logits.set_weights(
        [np.concatenate([-weights, weights], 1), np.array([threshold, -threshold])]
    )
    model.trainable = False
    return model


def _conv(x, kernel, bias, name, padding="valid"):
    """A convolution with given weights, and ReLU; `valid` windows stay inside."""
    from keras import layers

    size = kernel.shape[:2]
    conv = layers.Conv2D(kernel.shape[-1], size, padding=padding, name=name)
    x = layers.Activation("relu", name=f"{name}_relu")(conv(x))
    conv.set_weights([kernel, np.array(bias)])
    return x


def _dense_relu(x, kernel, bias, name):
    """A dense layer with given weights, and ReLU."""
    from keras import layers

    dense = layers.Dense(kernel.shape[-1], name=name)
    x = layers.Activation("relu", name=f"{name}_relu")(dense(x))
    dense.set_weights([kernel, np.array(bias)])
    return x


def _colour_filter(red, green, blue):
    """A 1 x 1 filter, `(1, 1, 3, 1)`."""
    return np.array([red, green, blue]).reshape(1, 1, 3, 1)
