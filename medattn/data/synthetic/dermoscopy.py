"""Drawn moles under a dermatoscope with exact evidence masks, standing in for ISIC2020.

A lesion is a patch of melanin under the skin. Every lesion is drawn twice with the same
nuisance: as it is, and as its benign twin, without lobe, abrupt border, colours and
structures beyond those of any mole. Label 1 means a total dermoscopy score
1.3 A + 0.1 B + 0.5 C + 0.5 D above 5.45; benign ones stay below 4.75. The lobe is paid
for by a bite elsewhere, so that the area tells nothing. Freckles, angiomas, milk cysts,
hairs and gel bubbles lie in both classes alike. The lamp's colour and slope can be read
from the skin: they help to see colours and say nothing about the label (a suppressor).
The artefact is a ruler or an ink mark.

Reference: Nachbar et al., 1994, https://doi.org/10.1016/S0190-9622(94)70061-3
"""

import numpy as np

from medattn.data.synthetic.common import (
    PRESETS,
    answer,
    checked,
    in_parts,
    part_of,
    shrink,
    stack,
    to_bytes,
    touched,
)
from medattn.data.synthetic.dermoscopy_chances import LOBE, parameters
from medattn.data.synthetic.paint import blobs, discs, grid, tint, waves

EVIDENCE = ("asymmetry", "border", "colour", "structure")
NUISANCE = (
    *("tone", "skin", "blotch_amplitude", "line_amplitude", "light", "slope", "corner"),
    *("centre", "radius", "contour", "softness", "melanin", "middle", "network"),
    *("mesh", "grain", "distractors", "globule_radius", "freckle_radius"),
    *("angioma_radius", "cyst_radius", "hair_width", "bubble_radius"),
)
DERMOSCOPY_PRESETS = (*PRESETS, "colour_only", "border_only")
# The twin is drawn with all of these at zero.
FACTORS = (
    *("lobe", "bite", "border", "colour_radius", "streak_width", "dot_radius"),
    "regression_radius",
)
MELANIN = np.float64([0.85, 1.55, 2.0])  # absorption of red, green, blue
BLOOD = np.float64([0.12, 0.95, 0.80])
VEIL = (0.40, 0.46, 0.58)
SCAR = (0.93, 0.86, 0.83)


def draw(indices, *, seed, size=64, preset="standard", shortcut=None):
    """Draws moles, their benign twins and their masks.

    Image `index` is the same whatever the batch it is drawn in.

    Args:
        indices: Which images, integers >= 0.
        seed: The seed of the whole collection.
        size: Height and width in pixels, 32 to 512. Up to 128 everything is painted
            twice as fine and averaged.
        preset: `"standard"`; `"easy"` (all criteria together), `"hard"` (fainter, more
            hairs), `"xor"` (malignant if lobed or blue-grey and black, not both), and
            the single-factor modes `"colour_only"` and `"border_only"`.
        shortcut: Correlation of ruler or ink with the label, in [-1, 1]; None puts
            them on a quarter of either class.

    Returns:
        As `medattn.data.synthetic.fundus.draw`, with `tone`, 0 to 5, for subgroups, and
        `score`, the total dermoscopy score.

    Raises:
        ValueError: If an option is out of range.
    """
    checked(size, preset, shortcut, DERMOSCOPY_PRESETS)
    factor = 2 if size <= 128 else 1

    def part(some):
        p = stack([parameters(seed, i, size, preset, shortcut) for i in some])
        return _render(p, factor * size, factor)

    return in_parts(part, indices, (factor * size) ** 2)


def _render(p, size, factor):
    skin = _skin(p, size)
    top, distractor = _on_top(p, size)
    outline = _outline(p, size)
    scene, owners = _lesion(skin, outline, p, size)
    marks = _artefact(p, size)
    image = _photograph(scene, marks, top, p, size, factor)
    twin, plain = image.copy(), image.copy()
    # Only what has evidence has another twin, only what is marked another plain self.
    some = np.any([p[k].reshape(len(image), -1).any(1) for k in FACTORS], 0)
    if some.any():
        q = part_of(p, some)
        healthy = q | {key: 0 * q[key] for key in FACTORS}
        benign, _ = _lesion(skin[some], part_of(outline, some), healthy, size)
        layers = part_of(top, some), [mark[some] for mark in marks]
        twin[some] = _photograph(benign, layers[1], layers[0], q, size, factor)
    some = p["ruler"] | p["ink_radius"].any(1)
    if some.any():
        plain[some] = _photograph(
            scene[some], None, part_of(top, some), part_of(p, some), size, factor
        )
    owners = {kind: touched(where, factor) for kind, where in owners.items()}
    drawn = answer(image, twin, plain, owners, touched(distractor, factor), p)
    return drawn | {"tone": p["tone"], "score": p["score"]}


def _skin(p, size):
    """Bare skin with blotches and criss-cross lines, `(n, size, size, 3)`."""
    y, x = grid(size)
    depth = waves(y, x, p["blotch_frequency"], p["blotch_phase"], p["blotch_amplitude"])
    lines = waves(y, x, p["line_frequency"], p["line_phase"], p["line_amplitude"])
    depth = depth - 0.6 * np.abs(lines)
    return p["skin"][:, None, None] * (1 + depth[..., None] * np.float64([0.6, 1, 1.2]))


def _outline(p, size):
    """What a lesion and its twin share: rim, distance to the middle, mottling."""
    y, x = grid(size)
    dy, dx = (a - p["centre"][:, k, None, None] for k, a in ((0, y), (1, x)))
    far = np.sqrt(dy * dy + dx * dx) + 1e-6
    sin, cos = dy / far, dx / far
    # Even modes leave the lesion point-symmetric; cos(k t + phase) by doubling angles.
    cos2, sin2 = cos * cos - sin * sin, 2 * sin * cos
    cos4, sin4 = cos2 * cos2 - sin2 * sin2, 2 * sin2 * cos2
    shape = np.ones_like(far)
    for mode, (c, s) in enumerate(((cos2, sin2), (cos4, sin4))):
        phase = p["contour_phase"][:, mode, None, None]
        shape += p["contour"][:, mode, None, None] * (
            c * np.cos(phase) - s * np.sin(phase)
        )
    mottle = waves(y, x, p["patch_frequency"], p["patch_phase"], p["patch_amplitude"])
    rim = p["radius"][:, None, None] * shape
    return dict(far=far, sin=sin, cos=cos, rim=rim, mottle=mottle)


def _lesion(skin, outline, p, size):
    """Lays the lesion into the skin; returns the scene and who owns which evidence."""
    y, x = grid(size)
    far, sin, cos, rim, mottle = outline.values()

    def number(key):
        return p[key][:, None, None]

    def towards(turn):
        """Cosine of the angle between a pixel, seen from the middle, and `turn`."""
        return cos * np.cos(turn) + sin * np.sin(turn)

    lobes = np.zeros_like(far)
    if p["lobe"].any():
        up, down = towards(number("lobe_turn")), towards(number("bite_turn"))
        lobes = number("lobe") * np.exp(LOBE * (up - 1))
        lobes -= number("bite") * np.exp(LOBE * (down - 1))
    gap = rim * (1 + lobes) - far  # positive inside
    soft = np.broadcast_to(number("softness"), gap.shape)
    abrupt = np.zeros_like(far)
    if p["border"].any():
        # So many octants side by side break off at once instead of fading.
        sector = towards(number("abrupt_turn")) - np.cos(number("border") * np.pi / 8)
        abrupt = np.clip(6 * sector + 0.5, 0, 1) * (number("border") > 0)
        soft = soft * (1 - abrupt) + 0.006 * abrupt
    abrupt_all = abrupt
    cover = np.clip(gap / soft + 0.5, 0, 1)
    cover = cover * cover * (3 - 2 * cover)

    patches = [_patch(p, "colour", which, size, soft=0.03) for which in range(4)]
    scar = _patch(p, "regression", 0, size, soft=0.03)
    streaks = _streaks(p, size)
    dots = [_dots(p, kind, size) for kind in ("dot", "globule")]

    # From here on only the pixels that the lesion touches, in one long row.
    where = np.nonzero((cover > 0) | (streaks > 0))
    which = where[0]
    ys, xs = y[where[1], 0], x[0, where[2]]
    p = {key: value[which] for key, value in p.items() if value.ndim == 1} | {
        key: p[key][which] for key in ("mesh_phase", "bend_frequency", "bend_phase")
    }
    black, red, veil, white = (patch[where] for patch in patches)
    far, gap, abrupt, cover, streak, regression = (
        field[where] for field in (far, gap, abrupt, cover, streaks, scar)
    )
    core = np.exp(-((far / (p["radius"] * p["middle_width"])) ** 2))
    melanin = p["melanin"] + p["middle"] * core + mottle[where]
    melanin += p["network"] * _network(ys, xs, p) * (1 - 0.6 * core)
    melanin = np.maximum(melanin, 0.05) + 0.6 * dots[1][where]
    # An abrupt rim is pigmented up to its end.
    melanin += 0.45 * abrupt * np.exp(-((np.maximum(gap, 0) / 0.03) ** 2))
    faint, inside = p["faint"], np.clip(cover * 1.5, 0, 1)
    melanin += faint * 1.9 * black * inside
    # Streaks reach beyond the rim, so they bring their own cover.
    depth = melanin * cover + faint * 1.5 * np.maximum(streak, dots[0][where] * cover)
    blood = faint * 0.9 * red * inside * cover
    colour = skin[where] * np.exp(-depth[:, None] * MELANIN - blood[:, None] * BLOOD)
    for paint, weight in (
        (VEIL, 0.80 * veil),
        (SCAR, 0.80 * white),
        ((0.80, 0.74, 0.72), 0.70 * regression),
        ((0.42, 0.42, 0.47), 0.6 * regression * _pepper(ys, xs, p, regression)),
    ):
        if not weight.any():
            continue
        colour += (faint * weight * inside)[:, None] * (np.float64(paint) - colour)
    scene = skin.copy()
    scene[where] = colour
    owners = {
        "asymmetry": np.abs(lobes) > 0,
        "border": abrupt_all > 0,
        "colour": np.max(patches, 0) > 0,
        "structure": (streaks + dots[0] + scar) > 0,
    }
    return scene, owners


def _network(y, x, p):
    """A honeycomb of brown lines with lighter holes; a row of pixels, in [0, 1]."""
    bend = 0
    for wave in range(p["bend_phase"].shape[1]):
        down, side = (p["bend_frequency"][:, wave, axis] for axis in (0, 1))
        bend = bend + 0.9 * np.cos(
            2 * np.pi * (down * y + side * x) + p["bend_phase"][:, wave]
        )
    total = 0
    for third in range(3):
        turn = p["mesh_turn"] + np.float64(third * np.pi / 3)
        along = (np.sin(turn) * y + np.cos(turn) * x) * (2 * np.pi / p["mesh"])
        total = total + np.cos(along + p["mesh_phase"][:, third] + bend)
    return np.clip(0.55 - 0.45 * total, 0, 1)


def _pepper(y, x, p, regression):
    """Grey grains of a regression, a row of pixels, in [0, 1]."""
    if not regression.any():
        return regression
    total = 0
    for third in range(3):
        turn = p["mesh_turn"] + np.float64(0.5 + third * np.pi / 3)
        along = (np.sin(turn) * y + np.cos(turn) * x) * 330
        total = total + np.cos(along + p["mesh_phase"][:, third])
    return np.clip(total - 0.8, 0, 1)


def _dots(p, kind, size):
    layer = np.zeros((len(p["label"]), size, size), np.float64)
    radius = p[f"{kind}_radius"] * size
    if radius.any():
        discs(layer, p[kind][..., 0], p[kind][..., 1], radius, edge=2.0)
    return layer


def _patch(p, kind, which, size, soft=0.008):
    layer = np.zeros((len(p["label"]), size, size), np.float64)
    one = slice(which, which + 1)
    shown = p[f"{kind}_radius"][:, which] > 0
    if shown.any():
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


def _streaks(p, size):
    """Radial strokes over the rim, thicker at their ends."""
    layer = np.zeros((len(p["label"]), size, size), np.float64)
    shown = (p["streak_width"] > 0).any(1)
    if shown.any():
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


def _contour(p, turn, shown):
    """The outline at given angles, `(n, angles)`, in radii."""
    total = np.ones_like(turn)
    for column, mode in enumerate((2, 4)):
        phase = p["contour_phase"][shown, column, None]
        total += p["contour"][shown, column, None] * np.cos(mode * turn + phase)
    for sign, key in ((1, "lobe"), (-1, "bite")):
        bump = np.exp(LOBE * (np.cos(turn - p[f"{key}_turn"][shown, None]) - 1))
        total += sign * p[key][shown, None] * bump
    return total


def _on_top(p, size):
    """Freckles, angiomas, cysts, hairs and bubbles, laid over any lesion."""
    n = len(p["label"])
    hair = np.zeros((n, size, size), np.float64)
    shown = (p["hair_width"] > 0).any(1)
    if shown.any():
        part, points = hair[shown], p["hair"][shown]
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
        hair[shown] = part
    top = {kind: _dots(p, kind, size) for kind in ("freckle", "angioma", "cyst")}
    ring, glint = _bubbles(p, size)
    top |= dict(hair=hair, ring=ring, glint=glint)
    return top, sum(layer for layer in top.values()) > 0


def _bubbles(p, size):
    """Gel bubbles: a bright rim, and a glint on one side."""
    outer, inner, glint = (
        np.zeros((len(p["label"]), size, size), np.float64) for _ in range(3)
    )
    radius = p["bubble_radius"] * size
    if radius.any():
        y, x = p["bubble"][..., 0], p["bubble"][..., 1]
        reach = p["bubble_radius"]
        discs(outer, y, x, radius, edge=2.0)
        discs(inner, y, x, 0.8 * radius, edge=2.0)
        discs(glint, y - 0.4 * reach, x - 0.4 * reach, 0.22 * radius, edge=2.0)
    return np.maximum(outer - inner, 0), glint


def _artefact(p, size):
    """Coverage of ruler and ink, `(n, size, size)` each."""
    n = len(p["label"])
    ruler, ink = (np.zeros((n, size, size), np.float64) for _ in range(2))
    y, x = grid(size)
    for i in np.flatnonzero(p["ruler"]):
        along, inward = (x, y + 0.5) if p["ruler_side"][i] % 2 else (y, x + 0.5)
        if p["ruler_side"][i] >= 2:
            inward = 1 - inward
        inward = inward - p["ruler_depth"][i]
        step = p["ruler_step"][i]
        place = (along + 0.5 + p["ruler_phase"][i]) / step
        tick = np.rint(place)
        length = np.where(tick % 5 == 0, 0.085, 0.05)
        near = np.abs(place - tick) * step * size
        stroke = np.clip(0.0045 * size - near + 0.5, 0, 1)
        ruler[i] = stroke * ((inward > 0) & (inward < length))
        ruler[i] = np.maximum(ruler[i], np.clip(2 - np.abs(inward) * size, 0, 1))
    for which in range(p["ink_radius"].shape[1]):
        ink = np.maximum(ink, _patch(p, "ink", which, size))
    return ruler, ink


def _photograph(scene, marks, top, p, size, factor):
    """The dermatoscope: what lies on the skin, light, dark corners, grain, 8 bits."""
    image = scene.copy()
    y, x = grid(size)
    tint(image, (0.45, 0.27, 0.18), 0.55 * top["freckle"])
    tint(image, (0.72, 0.12, 0.14), 0.75 * top["angioma"])
    tint(image, (0.97, 0.90, 0.80), 0.70 * top["cyst"])
    if marks is not None:
        ruler, ink = marks
        tint(image, p["ink_colour"], 0.72 * ink)
        tint(image, (0.10, 0.10, 0.12), 0.85 * ruler)
    tint(image, p["hair_colour"], 0.9 * top["hair"])
    tint(image, (1.0, 0.97, 0.95), 0.35 * top["ring"])
    tint(image, (1.0, 1.0, 1.0), 0.85 * top["glint"])
    slope = p["slope"][:, 0, None, None] * y + p["slope"][:, 1, None, None] * x
    light = 1 + slope - 0.25 * (y * y + x * x)
    dark = np.sqrt(y * y + x * x) - p["corner"][:, None, None]
    light = light * np.clip(0.5 - dark * 18, 0.02, 1)
    image *= light[..., None] * p["light"][:, None, None]
    image = shrink(image, factor)
    image += p["grain"][:, None, None, None] * p["noise"]
    return to_bytes(image)
