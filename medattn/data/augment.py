"""Augmentation as numbers: one warp, one change of light, seeded by the sample.

A hash of (seed, epoch, sample) gives all random numbers, without any state: the same
sample in the same epoch of the same run gets the same pixels, whatever ran before it,
at the same time or in another process.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True)
class Augmentation:
    """How far training images may be rotated, shifted, scaled and changed in light.

    Attributes:
        flip_horizontal: Whether left and right may be exchanged.
        flip_vertical: Whether up and down may be exchanged.
        quarter_turns: Whether images may be turned by 90, 180, 270 degrees; with the
            flips alone this moves pixels without changing any.
        degrees: Largest rotation to either side.
        shift: Largest shift down and sideways, in image sizes.
        scale: Largest relative change of size.
        brightness: Largest brightness added, in [0, 1].
        contrast: Largest relative change of contrast.
        saturation: Largest relative change of saturation.
        rand_augment: How many random operations of RandAugment to add; 0 for none.
        magnitude: Their strength, in [0, 1].
    """

    flip_horizontal: bool = False
    flip_vertical: bool = False
    quarter_turns: bool = False
    degrees: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    scale: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    rand_augment: int = 0
    magnitude: float = 0.3


STUDY = Augmentation(
    flip_horizontal=True, degrees=10.0, shift=(0.1, 0.05), scale=0.05
)  # as the study did, on chest films too, which our cards never flip

OPERATIONS = (
    *("identity", "rotate", "shear_x", "shear_y", "translate_x", "translate_y"),
    *("brightness", "contrast", "saturation", "posterize", "solarize"),
)
NEUTRAL_LIGHT = (0.0, 1.0, 1.0, 255.0, 2.0)


def uniforms(
    seed: int, epoch: np.ndarray, sample: np.ndarray, count: int
) -> np.ndarray:
    """Hashes (seed, epoch, sample, k) into numbers in [0, 1).

    Args:
        seed: An integer.
        epoch: Which pass over the data, `(n,)`.
        sample: Which sample, `(n,)`, integers.
        count: How many numbers a sample.

    Returns:
        `(n, count)`, float64.

    Reference: SplitMix64, Steele et al., 2014, https://doi.org/10.1145/2660193.2660195
    """
    with np.errstate(over="ignore"):
        state = _mix(np.full(np.shape(sample), seed & (2**64 - 1), np.uint64))
        state = _mix(state ^ np.asarray(epoch).astype(np.uint64))
        state = _mix(state ^ np.asarray(sample).astype(np.uint64))
        steps = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN
        mixed = _mix(state[:, None] + steps)
    return (mixed >> np.uint64(11)) / 2.0**53


def sample_changes(
    augmentation: Augmentation,
    seed: int,
    epoch: np.ndarray,
    sample: np.ndarray,
    height: int,
    width: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Samples the warp and the light of each image.

    Args:
        augmentation: An `Augmentation`.
        seed: An integer.
        epoch: Which pass over the data, `(n,)`.
        sample: Which sample, `(n,)`, integers.
        height: Of the images, in pixels.
        width: Of the images, in pixels.

    Returns:
        `warp`, `(n, 8)` float32, the projective transform from output to input pixels
        that `tf.raw_ops.ImageProjectiveTransformV3` takes; and `light`, `(n, 5)`
        float32: brightness, contrast, saturation, levels, threshold of solarisation.
    """
    a = augmentation
    u = uniforms(seed, epoch, sample, 12 + 3 * a.rand_augment)
    s = 2 * u - 1
    n = len(u)
    matrix = np.tile(np.eye(2), (n, 1, 1))  # acts on (x, y)
    move = np.stack([s[:, 0] * a.shift[1], s[:, 1] * a.shift[0]], 1)
    flip = np.ones((n, 2))
    flip[:, 0] -= 2 * ((u[:, 2] < 0.5) & a.flip_horizontal)
    flip[:, 1] -= 2 * ((u[:, 3] < 0.5) & a.flip_vertical)
    matrix = matrix * flip[:, None]
    if a.quarter_turns:
        turns = np.array([[[1, 0], [0, 1]], [[0, -1], [1, 0]]])
        turns = np.concatenate([turns, -turns])  # by 0, 90, 180, 270 degrees
        matrix = turns[(4 * u[:, 4]).astype(int)] @ matrix
    if a.degrees:
        matrix = _rotation(np.deg2rad(a.degrees) * s[:, 5]) @ matrix
    if a.scale:
        matrix = matrix / (1 + a.scale * s[:, 6])[:, None, None]
    light = np.tile(np.array(NEUTRAL_LIGHT), (n, 1))
    light[:, 0] += a.brightness * s[:, 7]
    light[:, 1:3] *= 1 + np.array([a.contrast, a.saturation]) * s[:, 8:10]
    for k in range(a.rand_augment):
        which, sign, strength = u[:, 12 + 3 * k : 15 + 3 * k].T
        extra = a.magnitude * strength * np.where(sign < 0.5, -1, 1)
        matrix, move, light = _operate(
            (len(OPERATIONS) * which).astype(int), extra, matrix, move, light
        )
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    start = centre + move * np.array([width, height]) - matrix @ centre
    warp = np.concatenate(
        [matrix[:, 0], start[:, :1], matrix[:, 1], start[:, 1:], np.zeros((n, 2))], 1
    )
    return warp.astype(np.float32), light.astype(np.float32)


def apply(
    images: "tf.Tensor",
    warp: "tf.Tensor",
    light: "tf.Tensor | None",
    *,
    exact: bool,
) -> "tf.Tensor":
    """Warps a batch and changes its light, in TensorFlow.

    Args:
        images: `(n, height, width, channels)`, float32 in [0, 1].
        warp: As `sample_changes` returns it.
        light: As `sample_changes` returns it; None for masks.
        exact: Whether the warp only moves whole pixels.

    Returns:
        The batch, same shape. What was outside is mirrored in.
    """
    import tensorflow as tf

    images = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=warp,
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="NEAREST" if exact or light is None else "BILINEAR",
        fill_mode="REFLECT",
    )
    if light is None or exact:
        return images
    light = light[:, :, None, None, None]
    mean = tf.reduce_mean(images, (1, 2, 3), keepdims=True)
    grey = tf.reduce_mean(images, 3, keepdims=True)
    images = grey + (images - grey) * light[:, 2]
    images = mean + (images - mean) * light[:, 1] + light[:, 0]
    images = tf.clip_by_value(images, 0.0, 1.0)
    images = tf.where(images >= light[:, 4], 1.0 - images, images)
    return tf.where(
        light[:, 3] < 255.0, tf.round(images * light[:, 3]) / light[:, 3], images
    )


def is_exact(a: Augmentation) -> bool:
    """Whether an `Augmentation` moves pixels without changing any."""
    blurs = (a.degrees, *a.shift, a.scale, a.rand_augment)
    return not any((*blurs, a.brightness, a.contrast, a.saturation))


def _operate(which, extra, matrix, move, light):
    """Adds one RandAugment operation to the changes of each sample."""
    here = {name: which == k for k, name in enumerate(OPERATIONS)}
    turn = _rotation(np.deg2rad(60) * extra * here["rotate"])
    shear = np.tile(np.eye(2), (len(extra), 1, 1))
    shear[:, 0, 1] += extra * here["shear_x"]
    shear[:, 1, 0] += extra * here["shear_y"]
    move = move + 0.5 * extra[:, None] * np.stack(
        [here["translate_x"], here["translate_y"]], 1
    )
    light = light.copy()
    light[:, 0] += 0.5 * extra * here["brightness"]
    light[:, 1] *= 1 + 0.9 * extra * here["contrast"]
    light[:, 2] *= 1 + 0.9 * extra * here["saturation"]
    size = np.abs(extra)
    levels = np.maximum(np.rint(255 * (1 - size) ** 4), 3)
    light[:, 3] = np.where(here["posterize"], levels, light[:, 3])
    light[:, 4] = np.where(here["solarize"], 1 - size, light[:, 4])
    return shear @ turn @ matrix, move, light


def _rotation(angle):
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(z):
    z = np.asarray(z, np.uint64) + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
