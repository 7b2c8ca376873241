"""Brushes: many small soft shapes laid on a batch of canvases at once, in numpy."""

from collections.abc import Callable

import numpy as np

Coverage = Callable[[np.ndarray, np.ndarray], np.ndarray]


def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the pixel centres `(y, x)` in image widths, 0 in the middle."""
    centres = ((np.arange(size, dtype=np.float64) + 0.5) / size) - 0.5
    return centres[:, None], centres[None, :]


def stamp(
    canvas: np.ndarray,
    y: np.ndarray,
    x: np.ndarray,
    coverage: Coverage,
    *,
    reach: float,
) -> None:
    """Lays one soft shape a point on the canvases; where they overlap, the larger wins.

    Args:
        canvas: Coverage so far, `(batch, size, size)`, float64 in [0, 1]. Changed in
            place.
        y: Heights of the points, `(batch, points)`, in image widths from the middle.
        x: The same, sideways.
        coverage: A function from the offsets `(dy, dx)` in pixels, each
            `(batch, points, window, window)` when broadcast, to coverage in [0, 1] of
            that full shape.
        reach: The largest distance in pixels at which coverage is not zero.
    """
    batch, size, _ = canvas.shape
    half = int(np.ceil(reach - 0.5))  # a point lies within half a pixel of its pixel
    window = np.arange(-half, half + 1)
    row = np.floor((y + 0.5) * size).astype(np.int32)
    column = np.floor((x + 0.5) * size).astype(np.int32)
    # Centre of each pixel of the window, seen from the point.
    dy = (row + 0.5 - (y + 0.5) * size)[..., None] + window  # (batch, points, window)
    dx = (column + 0.5 - (x + 0.5) * size)[..., None] + window
    value = coverage(
        dy[..., :, None].astype(np.float64), dx[..., None, :].astype(np.float64)
    )
    rows, columns = row[..., None] + window, column[..., None] + window
    inside = ((rows >= 0) & (rows < size))[..., :, None] & (
        (columns >= 0) & (columns < size)
    )[..., None, :]
    which = np.arange(batch, dtype=np.int32)[:, None, None, None]
    flat = (which * size + rows[..., :, None]) * size + columns[..., None, :]
    keep = inside & (value > 0)
    np.maximum.at(canvas.reshape(-1), flat[keep], value[keep])


def discs(
    canvas: np.ndarray,
    y: np.ndarray,
    x: np.ndarray,
    radius: np.ndarray,
    *,
    weight: np.ndarray | float = 1.0,
    edge: np.ndarray | float = 1.0,
) -> None:
    """Lays discs; `radius` and `edge` (the width of the soft rim) in pixels.

    Args:
        canvas: As in `stamp`.
        y: As in `stamp`.
        x: As in `stamp`.
        radius: Radii, `(batch, points)`; zero or less paints nothing.
        weight: Coverage of the middle, in [0, 1], shape as `radius` or a number.
        edge: Width of the rim over which coverage falls from full to none.
    """
    radius = np.asarray(radius, np.float64)[..., None, None]
    weight = np.asarray(weight, np.float64)
    weight = weight[..., None, None] if weight.ndim else weight
    edge = np.asarray(edge, np.float64)
    edge = edge[..., None, None] if edge.ndim else edge

    def coverage(dy, dx):
        distance = np.sqrt(dy * dy + dx * dx)
        return np.where(
            radius > 0,
            weight * np.clip((radius - distance) / edge + 0.5, 0, 1),
            np.float64(0),
        )

    stamp(canvas, y, x, coverage, reach=float(np.max(radius + edge / 2, initial=0)))


def blobs(
    canvas: np.ndarray,
    y: np.ndarray,
    x: np.ndarray,
    radius: np.ndarray,
    *,
    stretch: np.ndarray,
    angle: np.ndarray,
    waves: np.ndarray,
    phases: np.ndarray,
    weight: float = 1.0,
    edge: float = 1.0,
) -> None:
    """Lays irregular ovals, `r(t) = radius (1 + sum_k waves_k cos(k t + phases_k))`.

    Args:
        canvas: As in `stamp`.
        y: As in `stamp`.
        x: As in `stamp`.
        radius: Radii in pixels, `(batch, points)`; zero or less paints nothing.
        stretch: Length over width, `(batch, points)`, 1 for a round shape.
        angle: Direction of the long axis in radians, `(batch, points)`.
        waves: Amplitudes for k = 2, 3, ..., `(batch, points, modes)`.
        phases: Their phases, same shape.
        weight: Coverage of the middle, in [0, 1].
        edge: Width in pixels of the rim over which coverage falls from full to none.
    """
    broad = [
        np.asarray(a, np.float64)[..., None, None] for a in (radius, stretch, angle)
    ]
    radius_, stretch_, angle_ = broad

    def coverage(dy, dx):
        along = dx * np.cos(angle_) + dy * np.sin(angle_)
        across = (dy * np.cos(angle_) - dx * np.sin(angle_)) * stretch_
        distance = np.sqrt(along * along + across * across)
        turn = np.arctan2(across, along)
        rim = np.ones_like(distance)
        for mode in range(waves.shape[-1]):
            amplitude = waves[..., mode, None, None].astype(np.float64)
            phase = phases[..., mode, None, None].astype(np.float64)
            rim += amplitude * np.cos((mode + 2) * turn + phase)
        # Across the long axis one pixel counts `stretch` units of `distance`.
        width = np.sqrt(stretch_) * np.float64(edge)
        soft = np.clip((radius_ * rim - distance) / width + 0.5, 0, 1)
        return np.where(radius_ > 0, np.float64(weight) * soft, np.float64(0))

    furthest = 1 + np.abs(waves).sum(-1).max(initial=0)
    reach = float(np.max(radius, initial=0)) * furthest + edge * np.sqrt(
        np.max(stretch)
    )
    stamp(canvas, y, x, coverage, reach=reach)


def waves(
    y: np.ndarray,
    x: np.ndarray,
    frequencies: np.ndarray,
    phases: np.ndarray,
    amplitudes: np.ndarray,
) -> np.ndarray:
    """Sums cosines into a smooth field, `(batch, size, size)`.

    Args:
        y: Pixel heights in image widths, `(size, 1)`.
        x: Pixel sides in image widths, `(1, size)`.
        frequencies: Waves a width in y and x, `(batch, waves, 2)`.
        phases: `(batch, waves)`, radians.
        amplitudes: `(batch, waves)`.
    """
    # cos(a + b) from the parts: two small matrix products instead of a large cosine.
    down = 2 * np.pi * frequencies[..., 0, None] * y[:, 0] + phases[..., None]
    side = 2 * np.pi * frequencies[..., 1, None] * x[0]
    down, side = down.astype(np.float64), side.astype(np.float64)
    heavy = amplitudes[..., None].astype(np.float64)
    return np.einsum("bky,bkx->byx", heavy * np.cos(down), np.cos(side)) - np.einsum(
        "bky,bkx->byx", heavy * np.sin(down), np.sin(side)
    )


def tint(
    planes: np.ndarray,
    colour: np.ndarray | tuple[float, float, float],
    coverage: np.ndarray,
    weight: float = 1.0,
) -> None:
    """Moves an image towards `colour` by `weight * coverage`, in place.

    Args:
        planes: Its red, green and blue, each of the shape of `coverage`.
        colour: `(3,)`, or one for each entry of the first axis of `coverage`.
        coverage: In [0, 1].
        weight: Of all of it.
    """
    covered = np.flatnonzero(coverage > 0)  # lesions are small: leave the rest alone
    strength = weight * coverage.reshape(-1)[covered]
    colour = np.asarray(colour, np.float64)
    if colour.ndim > 1:  # one a canvas
        colour = colour[covered // coverage[0].size].T
    for plane, shade in zip(planes, colour, strict=True):
        seen = plane.take(covered)
        plane.put(covered, seen + strength * (shade - seen))
