"""The pretraining set: a filled shape on a mottled ground, 16 classes."""

from collections import namedtuple
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np

from medattn.data.pipeline import prefetch
from medattn.study.plan.trial import SHAPES

Split: TypeAlias = Literal["train", "validation", "test"]

OUTLINES = ("disc", "square", "triangle", "ring")
FILLINGS = ("plain", "stripes", "checks", "dots")
SIZES: dict[Split, int] = {"train": 4000, "validation": 480, "test": 960}
FIRST_INDEX = {"train": 0, "validation": 1_000_000, "test": 2_000_000}
SEED = 1963  # of the images; the seed of a trial orders them

Card = namedtuple("Card", "name classes")
Arrays = namedtuple("Arrays", "images labels masks")


def shape_classes() -> tuple[str, ...]:
    """Returns the names of the 16 classes in the order of the labels."""
    return tuple(f"{filling} {outline}" for outline in OUTLINES for filling in FILLINGS)


def render_shapes(
    indices: Iterable[int], *, seed: int = SEED, size: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """Renders images, each from seed and index alone.

    A shape of random position, size, rotation and colours lies on a ground of another
    colour with soft blotches; outline and filling, each of four kinds, make the class.

    Args:
        indices: Integers from 0; the class is `index % 16`.
        seed: Of the images.
        size: Height and width in pixels.

    Returns:
        `(images, labels)`: `(n, size, size, 3)` uint8 and `(n,)` int64.
    """
    indices = list(indices)
    images = np.stack([_render(index, seed, size) for index in indices])
    return images, np.array([index % 16 for index in indices], np.int64)


class Shapes:
    """One split, with the attributes of a `medattn.data.Dataset` that training needs.

    Args:
        split: Which.
        size: Height and width in pixels.
    """

    def __init__(self, split: Split, size: int) -> None:
        self.split = split
        self.card = Card(SHAPES, shape_classes())
        first = FIRST_INDEX[split]
        self._images, self.labels = _cached_images(first, SIZES[split], size)
        self.ids = [f"shapes-{split}-{i:06d}" for i in range(SIZES[split])]

    def __len__(self) -> int:
        return len(self.labels)

    def arrays(self) -> Arrays:
        """Returns images in [0, 1], labels, and None for the masks."""
        return Arrays(self._images.astype(np.float32) / 255, self.labels, None)

    def batches(
        self,
        batch_size: int = 32,
        *,
        training: bool = False,
        seed: int = 0,
        start: int = 0,
        device: str | None = None,
    ) -> Any:
        """Returns batches as `medattn.data.Dataset.batches` does; none is augmented."""
        import tensorflow as tf

        images, labels = tf.constant(self._images), tf.constant(self.labels)
        order = tf.data.Dataset.range(len(self.labels))
        if training:
            order = order.shuffle(len(self.labels), seed=seed).repeat()
        stream = (
            order.batch(batch_size, drop_remainder=training)
            .map(
                lambda i: (
                    tf.cast(tf.gather(images, i), tf.float32) / 255,
                    tf.gather(labels, i),
                )
            )
            .skip(start)
        )
        return prefetch(stream, device)


@lru_cache(maxsize=6)
def _cached_images(first: int, count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    images, labels = render_shapes(range(first, first + count), size=size)
    images.flags.writeable = labels.flags.writeable = False
    return images, labels


def _render(index: int, seed: int, size: int) -> np.ndarray:
    """Renders one image, `(size, size, 3)` uint8."""
    rng = np.random.default_rng([seed, index])
    outline, filling = divmod(index % 16, 4)
    y, x = np.mgrid[0 : 1 : 1j * size, 0 : 1 : 1j * size]  # type: ignore[misc]
    centre = rng.uniform(0.32, 0.68, 2)
    radius = rng.uniform(0.16, 0.3)
    angle = rng.uniform(0, 2 * np.pi)
    u = ((x - centre[1]) * np.cos(angle) + (y - centre[0]) * np.sin(angle)) / radius
    v = ((y - centre[0]) * np.cos(angle) - (x - centre[1]) * np.sin(angle)) / radius
    distance = np.hypot(u, v)
    square = np.maximum(np.abs(u), np.abs(v)) * 1.15
    triangle = np.maximum.reduce([2 * v, np.sqrt(3) * u - v, -np.sqrt(3) * u - v]) * 0.8
    reach = (distance, square, triangle, np.abs(distance - 0.7) / 0.3)[outline]
    inside = np.clip((1 - reach) * radius * size / 2 + 0.5, 0, 1)

    waves = rng.uniform(2.5, 4.0) * np.pi
    stripes, columns = np.sin(waves * u), np.sin(waves * v)
    ink = (
        np.zeros_like(u),
        stripes > 0,
        (stripes > 0) ^ (columns > 0),
        (stripes > 0.45) & (columns > 0.45),
    )[filling]

    ground, first = rng.uniform(0.1, 0.9, (2, 3))
    second = np.where(first > 0.5, first - 0.4, first + 0.4)
    blotches = np.zeros((size, size))
    for _ in range(4):
        position, width = rng.uniform(0, 1, 2), rng.uniform(0.08, 0.3)
        squared = (y - position[0]) ** 2 + (x - position[1]) ** 2
        blob = np.exp(-squared / (2 * width**2))
        blotches += rng.uniform(-0.25, 0.25) * blob
    image = ground + blotches[..., None]
    shape = np.where(ink[..., None], second, first)
    image = image * (1 - inside[..., None]) + shape * inside[..., None]
    image += rng.normal(0, 0.03, image.shape)
    return np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)
