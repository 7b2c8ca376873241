"""Renders synthetic chest films with exact evidence masks, in place of MIMIC-CXR.

A film is the log of the attenuation of X-rays: flesh, bones, vessels and heart add to
it, air subtracts. Every film is rendered twice with the same nuisance: as it is, and
without its pleural fluid (the dry twin). Fluid lies between lung and chest wall, climbs
laterally in a meniscus, blunts the costophrenic angle and hides the dome; lying down it
is a haze with the vessels still in sight. Breast shadows, plates of collapsed lung,
patches, apical caps, shoulder blades, leads and raised diaphragms lie in both classes
alike. The exposure can be read from the air beside the body: it helps to see and says
nothing about the label (a suppressor). The artefact is a laterality token or a drain.

Everything is painted with soft edges, so that no finer grid is needed. Left and right
mean something here: films are not to be flipped.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from medattn.data.synthetic.chest.sampling import SIDES, STEPS, parameters
from medattn.data.synthetic.common import (
    check_options,
    compose,
    in_chunks,
    select,
    stack,
)
from medattn.data.synthetic.paint import discs, grid, waves
from medattn.data.synthetic.pixels import to_bytes

EVIDENCE = ("right_effusion", "left_effusion")
NUISANCE = (
    *("shift", "scale", "tilt", "width", "flesh", "lung_width", "lung_length"),
    *("dome", "heart", "heart_size", "rib_step", "rib_width", "exposure", "contrast"),
    *("equalised", "grain", "breast", "plate_length", "patch_radius", "patch_depth"),
    *("cap", "scapula", "lead_radius", "sternal", "distractors", "supine"),
)


def render(
    indices: Iterable[int],
    *,
    seed: int,
    size: int = 64,
    preset: str = "standard",
    shortcut: float | None = None,
) -> dict[str, Any]:
    """Renders chest films, their dry twins and their masks.

    Image `index` is the same in every batch.

    Args:
        indices: Which images, integers >= 0.
        seed: The seed of the whole data set.
        size: Height and width in pixels, 32 to 512.
        preset: `"standard"`; `"easy"` (more fluid, fewer distractors), `"hard"`
            (fainter fluid, more grain), or `"xor"`: label 1 if there is fluid on one
            side or the other, but not on both.
        shortcut: Correlation of token or drain with the label, in [-1, 1]; None puts
            them on a quarter of either class.

    Returns:
        As `medattn.data.synthetic.fundus.render`; greys in three equal channels; with
        `volume`, `(n, 2)`, 0 to 2 for the patient's right and left.

    Raises:
        ValueError: If an option is out of range.
    """
    check_options(size, preset, shortcut)

    def render_chunk(chunk: list[int]) -> dict[str, Any]:
        p = stack([parameters(seed, i, size, preset, shortcut) for i in chunk])
        return _render(p, size)

    return in_chunks(render_chunk, indices, size * size)


def _render(p, size):
    v, u = _body_frame(p, size)
    lungs = [_lung(p, v, u, which) for which in (0, 1)]
    fluids = [_fluid(p, v, u, which, lungs[which]) for which in (0, 1)]
    solid, airless = _solid(p, v, u, size)
    shadows, distractor = _shadows(p, v, u, lungs, size)
    solid += shadows
    marks = _artefact(p, v, u, size)

    def shot(wet, marked):
        air = sum(
            lung[0] * (1 - fluid) if wet else lung[0]
            for lung, fluid in zip(lungs, fluids, strict=True)
        )
        total = solid - 0.50 * air * airless
        if wet:
            total = total + 0.10 * (fluids[0] + fluids[1])
        return total + marks if marked else total

    bare = shot(False, False)
    image = _film(shot(True, True), bare, p)
    twin = _film(shot(False, True), bare, p)
    plain = image.copy()
    some = marks.any((1, 2))
    if some.any():
        plain[some] = _film(shot(True, False)[some], bare[some], select(p, some))
    owners = {kind: f > 0 for kind, f in zip(EVIDENCE, fluids, strict=True)}
    composed = compose(image, twin, plain, owners, distractor, p)
    return composed | {"volume": p["volume"]}


def _expand(p, key, *which):
    return p[key][(slice(None), *which)][:, None, None]


def _body_frame(p, size):
    y, x = grid(size)
    y, x = y - _expand(p, "shift", 0), x - _expand(p, "shift", 1)
    cos, sin = np.cos(_expand(p, "tilt")), np.sin(_expand(p, "tilt"))
    scale = _expand(p, "scale")
    return (y * cos - x * sin) / scale, (x * cos + y * sin) / scale


def _on_film(p, points):
    """Takes points of the body frame to the film, `(n, ..., 2)`."""
    broad = (slice(None), *(None,) * (points.ndim - 2))
    cos, sin = np.cos(p["tilt"])[broad], np.sin(p["tilt"])[broad]
    v, u = points[..., 0] * p["scale"][broad], points[..., 1] * p["scale"][broad]
    y, x = v * cos + u * sin, u * cos - v * sin
    return y + p["shift"][:, 0][broad], x + p["shift"][:, 1][broad]


def _ramp(distance, width):
    """0 outside, 1 inside, smooth over `width`."""
    t = np.clip(distance / width + np.float64(0.5), 0, 1)
    return t * t * (3 - 2 * t)


def _lung(p, v, u, which):
    """Air of one lung, and the distance to its lateral wall."""
    out = SIDES[which] * u
    top = np.clip((-v - 0.02) / 0.34, 0, 1)
    half = _expand(p, "lung_width") * (1 - 0.42 * top * top)
    middle = _expand(p, "lung_middle") - 0.075 * top * top
    across = (out - middle) / half
    down = v / _expand(p, "lung_length")
    far = (np.abs(across) ** 2.6 + np.abs(down) ** 4) ** np.float64(1 / 2.8)
    dome = _expand(p, "dome", which) + 0.085 * (across + 0.12) ** 2 - 0.02
    inside = _ramp((1 - far) * half, 0.016) * _ramp(dome - v, 0.012)
    return inside, (1 - across) * half, dome


def _fluid(p, v, u, which, lung):
    """Share of the lung that fluid hides, in [0, 1]."""
    inside, wall, dome = lung
    climb = _expand(p, "climb", which)
    level = _expand(p, "level", which)
    edge = level - climb * np.exp(-np.maximum(wall, 0) / _expand(p, "reach", which))
    standing = _ramp(v - edge, 0.014)
    haze = 0.6 * np.clip((v - level + 0.22) / 0.30, 0, 1)
    lying = _expand(p, "supine")
    return _expand(p, "opacity", which) * np.where(lying, haze, standing) * (inside > 0)


def _tube(distance, width):
    """A round bone seen from the side: its body, brighter at its rims."""
    near = np.abs(distance) / width
    body = np.sqrt(np.maximum(1 - near * near, 0))
    return 0.6 * body + 0.55 * np.exp(-(((near - 0.9) / 0.3) ** 2))


def _solid(p, v, u, size):
    """What weakens the rays whatever the lungs hold, and how much air remains."""
    n = len(v)
    away = np.abs(u)
    half = _expand(p, "width") * (1 - 0.10 * np.clip(-v - 0.1, 0, 1))
    shoulder = v + 0.445 - 0.42 * np.maximum(away - 0.12, 0) ** 1.3
    neck = 0.115 - away + 0.2 * np.maximum(v + 0.40, 0)
    torso = np.minimum(half - away, shoulder)
    inside = np.maximum(_ramp(torso, 0.03), _ramp(neck, 0.03))
    round_ = np.sqrt(np.clip(1 - (away / (half + 0.03)) ** 2, 0.05, 1))
    total = (
        inside
        * _expand(p, "flesh")
        * (0.50 + 0.30 * round_)
        * (1 - 0.35 * _ramp(-0.36 - v, 0.16))
    )

    domes = np.where(u < 0, _expand(p, "dome", 0), _expand(p, "dome", 1))
    total += 0.14 * _ramp(v - domes - 0.01, 0.10) * inside
    gas = np.hypot((v - domes - 0.075) / 0.7, u - 0.17) - _expand(p, "bubble")
    total -= 0.22 * _ramp(-gas, 0.025) * (_expand(p, "bubble") > 0)

    heart = np.hypot(
        (v - _expand(p, "heart", 0)) / _expand(p, "heart_size", 0),
        (u - _expand(p, "heart", 1) - 0.25 * (v - 0.1)) / _expand(p, "heart_size", 1),
    )
    heart = _ramp((1 - heart) * 0.13, 0.026)
    knob = _ramp(_expand(p, "knob") - np.hypot((v + 0.12) * 0.8, u - 0.035), 0.02)
    middle = _ramp(0.052 + 0.02 * np.clip(-v - 0.15, 0, 0.2) - away, 0.02)
    hilum = 0.5 * np.exp(-(((v - 0.01) / 0.05) ** 2 + ((away - 0.075) / 0.03) ** 2))
    airless = (1 - heart) * (1 - 0.8 * knob) * (1 - 0.92 * middle) * (1 - 0.7 * hilum)
    total += 0.05 * heart + 0.03 * knob + 0.07 * middle
    column = _ramp(0.030 - away, 0.012)
    total += column * (0.05 + 0.03 * np.cos(v * (2 * np.pi / 0.064)))
    total -= 0.20 * _ramp(0.017 - np.abs(u + 0.006), 0.012) * _ramp(-0.11 - v, 0.05)

    # All ribs at once: bone lies where the phase of a comb is near a whole number.
    step, width = _expand(p, "rib_step"), _expand(p, "rib_width")
    t = np.clip((away - 0.04) / 0.32, 0, 1.1)
    cage = _ramp(half - 0.035 - away, 0.02) * _ramp(v + 0.36, 0.03)
    cage = cage * _ramp(0.36 - v, 0.1)
    back = v + 0.03 * np.sin(np.pi * t) - _expand(p, "rib_drop") * t * t
    front = v - _expand(p, "rib_drop") - 0.15 * (1 - t) - 0.02
    for bow, weight, start in ((back, 0.13, 0.04), (front, 0.085, 0.17)):
        phase = bow / step + _expand(p, "rib_phase")
        bone = _tube((phase - np.rint(phase)) * step, width)
        total += weight * bone * cage * _ramp(away - start, 0.03)
    for which, side in enumerate(SIDES):
        out = side * u
        line = _expand(p, "clavicle") - _expand(p, "clavicle_slope", which) * (
            out - 0.03
        )
        line += 0.018 * np.sin((out - 0.03) * (2 * np.pi / 0.34))
        ends = _ramp(out - 0.03, 0.02) * _ramp(0.37 - out, 0.02)
        total += 0.13 * _tube(v - line, 0.0135) * ends * inside

    vessels = np.zeros((n, size, size), np.float64)
    y, x = _on_film(p, p["vessel"])
    taper = 1 - 0.75 * np.linspace(0, 1, STEPS, dtype=np.float64)
    radius = 0.5 * size * p["vessel_width"][:, :, None] * taper
    discs(
        vessels,
        y.reshape(n, -1),
        x.reshape(n, -1),
        np.maximum(radius, 0.5).reshape(n, -1),
        weight=np.clip(2 * radius, 0.15, 1).reshape(n, -1),
        edge=1.5,
    )
    total += 0.085 * vessels * (cage > 0.5)
    rows, columns = grid(size)
    total += inside * waves(
        rows, columns, p["field_frequency"], p["field_phase"], p["field_amplitude"]
    )
    return total, airless


def _shadows(p, v, u, lungs, size):
    """The distractors: what they add to the film, and where."""
    away = np.abs(u)
    centre, wide = p["breast_place"], _expand(p, "breast_radius")
    breast = np.hypot(v - centre[:, 0, None, None], away - centre[:, 1, None, None])
    layers = [_expand(p, "breast") * _ramp(wide - breast, 0.02)]
    turn = _expand(p, "plate_turn")
    dv, du = v - _expand(p, "plate", 0), u - _expand(p, "plate", 1)
    along, across = du * np.cos(turn) + dv * np.sin(turn), dv * np.cos(turn)
    across = across - du * np.sin(turn)
    long = _expand(p, "plate_length")
    flat = _ramp(long - np.abs(along), 0.02) * _ramp(0.006 - np.abs(across), 0.008)
    layers.append(0.13 * flat * (long > 0))
    wide = np.maximum(_expand(p, "patch_radius"), 1e-3)
    far = np.hypot(v - _expand(p, "patch", 0), u - _expand(p, "patch", 1)) / wide
    depth = _expand(p, "patch_depth") * (_expand(p, "patch_radius") > 0)
    layers.append(depth * np.maximum(1 - 0.35 * far * far, 0) ** 2)
    inner = np.where(_expand(p, "cap_side") < 0, lungs[0][0], lungs[1][0])
    cap = (_expand(p, "cap_side") * u > 0) & (_expand(p, "cap") > 0)
    top = _expand(p, "lung_length") - _expand(p, "cap") - 0.035
    layers.append(0.28 * _ramp(-v - top, 0.02) * inner * cap)
    blade = (away - 0.30 - 0.25 * np.maximum(v + 0.12, -0.2)) * (v < 0.12)
    blade = _ramp(blade, 0.015) * _ramp(0.05 - v, 0.06) * _ramp(v + 0.30, 0.05)
    layers.append(_expand(p, "scapula") * blade * _ramp(0.42 - away, 0.05))
    metal = np.zeros_like(v)
    if p["lead_radius"].any():
        y, x = p["lead"][..., 0], p["lead"][..., 1]
        discs(metal, y, x, p["lead_radius"] * size)
        t = np.linspace(0, 1, max(48, int(0.8 * size)), dtype=np.float64)[:, None]
        wire = p["lead"][:, :, None] * (1 - t) + p["lead_end"][:, :, None] * t
        wire = wire.reshape(len(v), -1, 2)
        thin = np.where(np.repeat(p["lead_radius"], len(t), 1) > 0, 0.004 * size, 0)
        thin = np.where(thin > 0, np.maximum(thin, 0.5), 0)
        discs(metal, wire[..., 0], wire[..., 1], thin, weight=min(1, 0.009 * size))
    if p["sternal"].any():
        wires = np.zeros((len(v), 5, 2), np.float64)
        wires[..., 0] = np.linspace(-0.14, 0.12, 5)
        y, x = _on_film(p, wires)
        ring, hole = np.zeros_like(v), np.zeros_like(v)
        discs(ring, y, x, p["sternal"] * size)
        discs(hole, y, x, np.where(p["sternal"] > 0, 0.6 * p["sternal"] * size, 0))
        metal = np.maximum(metal, ring - hole)
    layers.append(0.40 * metal)
    return sum(layers), np.any([layer > 0.004 for layer in layers], 0)


def _artefact(p, v, u, size):
    """What token and drain add to the film, `(n, size, size)`."""
    n = len(v)
    marks = np.zeros((n, size, size), np.float64)
    finer = max(1, 256 // size)  # letters are thinner than a pixel
    y, x = grid(finer * size)
    for i in np.flatnonzero(p["token"]):
        tall = p["token_size"][i]
        row = (y - p["token_place"][i, 0]) / tall + 0.5
        column = (x - p["token_place"][i, 1]) / (tall * 5 / 7) + 0.5
        inside = (row >= 0) & (row < 1) & (column >= 0) & (column < 1)
        r = np.clip((row * 7).astype(int), 0, 6)
        c = np.clip((column * 5).astype(int), 0, 4)
        letter = p["token_letter"][i][r, c] * inside
        marks[i] = 1.25 * letter.reshape(size, finer, size, finer).mean((1, 3))
    if p["drain_width"].any():
        t = np.linspace(0, 1, max(64, 2 * size), dtype=np.float64)[:, None]
        a, b, c = (p["drain"][:, None, k] for k in range(3))
        path = (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c
        py, px = _on_film(p, path)
        holes = (t[:, 0] > 0.7) & (np.sin(60 * t[:, 0]) > 0.8)
        thick = p["drain_width"][:, None] * size / 2 * np.where(holes, 0.3, 1)
        tube = np.zeros_like(marks)
        thick = np.where(thick > 0, np.maximum(thick, 0.6), 0)
        discs(tube, py, px, thick)
        marks = np.maximum(marks, 0.45 * tube)
    return marks


def _film(total, bare, p):
    """The detector: noise where few rays arrive, tone curve, equalisation, 8 bits.

    The tone curve follows the bare film, so that fluid changes no pixel but its own.
    """
    noise = p["noise"] * _expand(p, "grain") * np.exp(0.8 * np.maximum(total, 0))

    image = _tone(total + noise, _expand(p, "contrast"), _expand(p, "exposure"))
    for i in np.flatnonzero(p["equalised"]):
        seen = _tone(bare[i], p["contrast"][i], p["exposure"][i])
        count, edges = np.histogram(seen, 64, (0, 1))
        curve = np.concatenate([[0], np.cumsum(count) / count.sum()])
        even = np.interp(image[i], edges, curve).astype(np.float64)
        image[i] += p["equalised"][i] * (even - image[i])
    return np.repeat(to_bytes(image)[..., None], 3, -1)


def _tone(depth, contrast, exposure):
    return 1 / (1 + np.exp(-contrast * (depth - np.float64(0.55) - exposure)))
