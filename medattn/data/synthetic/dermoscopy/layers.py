"""Layers of a synthetic mole: spots, patches, streaks, hairs, bubbles, ruler and ink.

A layer is coverage, `(n, size, size)` in [0, 1]; what no image of the batch has is None
instead, so that no time is spent on empty canvases. `p` holds the sampled parameters.
"""

from collections.abc import Mapping

import numpy as np

from medattn.data.synthetic.dermoscopy.sampling import LOBE
from medattn.data.synthetic.paint import blobs, discs, grid

Parameters = Mapping[str, np.ndarray]


def spots(p: Parameters, kind: str, size: int) -> np.ndarray | None:
    """Round soft spots of one kind, or None."""
    radius = p[f"{kind}_radius"] * size
    if not radius.any():
        return None
    layer = _canvas(p, size)
    discs(layer, p[kind][..., 0], p[kind][..., 1], radius, edge=2.0)
    return layer


def patch(
    p: Parameters, kind: str, which: int, size: int, soft: float = 0.008
) -> np.ndarray | None:
    """One irregular oval an image, or None."""
    one = slice(which, which + 1)
    shown = p[f"{kind}_radius"][:, which] > 0
    if not shown.any():
        return None
    layer = _canvas(p, size)
    part = layer[shown]
    blobs(
        part,
        p[kind][shown, one, 0],
        p[kind][shown, one, 1],
        p[f"{kind}_radius"][shown, one] * size,
        stretch=p[f"{kind}_stretch"][shown, one],
        angle=p[f"{kind}_angle"][shown, one],
        waves=p[f"{kind}_waves"][shown, one],
        phases=p[f"{kind}_phases"][shown, one],
        edge=max(soft * size, 1.0),
    )
    layer[shown] = part
    return layer


def streaks(p: Parameters, size: int) -> np.ndarray | None:
    """Radial strokes over the rim, thicker at their ends, or None."""
    shown = np.asarray((p["streak_width"] > 0).any(1))
    if not shown.any():
        return None
    layer = _canvas(p, size)
    part = layer[shown]
    turn = p["streak_turn"][shown]  # (n, streaks)
    along = np.linspace(-0.6, 1, 24, dtype=np.float64)
    reach = p["radius"][shown, None] * _contour(p, turn, shown)
    far = reach[..., None] + p["streak_length"][shown, :, None] * along
    bow = turn[..., None] + 0.10 * np.sin(5 * turn)[..., None] * along
    y = p["centre"][shown, 0, None, None] + far * np.sin(bow)
    x = p["centre"][shown, 1, None, None] + far * np.cos(bow)
    thick = p["streak_width"][shown, :, None] * size * (0.75 + 0.25 * along)
    flat = (len(part), -1)
    discs(part, y.reshape(flat), x.reshape(flat), thick.reshape(flat), edge=3.0)
    layer[shown] = part
    return layer


def hairs(p: Parameters, size: int) -> np.ndarray | None:
    """Hairs, each a Bezier curve of round stamps, or None."""
    shown = (p["hair_width"] > 0).any(1)
    if not shown.any():
        return None
    layer = _canvas(p, size)
    part, points = layer[shown], p["hair"][shown]
    t = np.linspace(0, 1, max(48, int(0.9 * size)), dtype=np.float64)[:, None]
    start, middle, end = (points[:, :, None, k] for k in range(3))
    path = (1 - t) ** 2 * start + 2 * t * (1 - t) * middle + t**2 * end
    path = path.reshape(len(part), -1, 2)
    width = np.repeat(p["hair_width"][shown] * size, len(t), 1)
    discs(
        part,
        path[..., 0],
        path[..., 1],
        np.where(width > 0, np.maximum(width / 2, 0.7), 0),
        weight=np.clip(width, 0, 1),
    )
    layer[shown] = part
    return layer


def bubbles(
    p: Parameters, size: int
) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
    """Gel bubbles: a bright rim, and a glint on one side; or None twice."""
    radius = p["bubble_radius"] * size
    if not radius.any():
        return None, None
    outer, inner, glint = (_canvas(p, size) for _ in range(3))
    y, x = p["bubble"][..., 0], p["bubble"][..., 1]
    reach = p["bubble_radius"]
    discs(outer, y, x, radius, edge=2.0)
    discs(inner, y, x, 0.8 * radius, edge=2.0)
    discs(glint, y - 0.4 * reach, x - 0.4 * reach, 0.22 * radius, edge=2.0)
    return np.maximum(outer - inner, 0), glint


def ink(p: Parameters, size: int) -> np.ndarray | None:
    """Strokes of a marker on the skin, or None."""
    found = None
    for which in range(p["ink_radius"].shape[1]):
        stroke = patch(p, "ink", which, size)
        if found is None or stroke is None:
            found = stroke if found is None else found
        else:
            np.maximum(found, stroke, out=found)
    return found


def ruler(p: Parameters, size: int) -> np.ndarray | None:
    """A ruler at an edge of the picture, or None."""
    if not p["ruler"].any():
        return None
    layer = _canvas(p, size)
    y, x = grid(size)
    for i in np.flatnonzero(p["ruler"]):
        along, inward = (x, y + 0.5) if p["ruler_side"][i] % 2 else (y, x + 0.5)
        if p["ruler_side"][i] >= 2:
            inward = 1 - inward
        inward = inward - p["ruler_depth"][i]
        step = p["ruler_step"][i]
        number = (along + 0.5 + p["ruler_phase"][i]) / step
        tick = np.rint(number)
        length = np.where(tick % 5 == 0, 0.085, 0.05)
        near = np.abs(number - tick) * step * size
        stroke = np.clip(0.0045 * size - near + 0.5, 0, 1)
        layer[i] = stroke * ((inward > 0) & (inward < length))
        layer[i] = np.maximum(layer[i], np.clip(2 - np.abs(inward) * size, 0, 1))
    return layer


def _canvas(p: Parameters, size: int) -> np.ndarray:
    return np.zeros((len(p["label"]), size, size), np.float64)


def _contour(p: Parameters, turn: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """The outline at given angles, `(n, angles)`, in radii."""
    total = np.ones_like(turn)
    for column, mode in enumerate((2, 4)):
        phase = p["contour_phase"][shown, column, None]
        total += p["contour"][shown, column, None] * np.cos(mode * turn + phase)
    for sign, key in ((1, "lobe"), (-1, "bite")):
        bump = np.exp(LOBE * (np.cos(turn - p[f"{key}_turn"][shown, None]) - 1))
        total += sign * p[key][shown, None] * bump
    return total
