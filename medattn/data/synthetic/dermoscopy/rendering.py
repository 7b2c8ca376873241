"""Renders synthetic moles with exact evidence masks, in place of ISIC2020.

A lesion is a patch of melanin under the skin. Every lesion is rendered twice with the
same nuisance: as it is, and as its benign twin, without lobe, abrupt border, colours
and structures beyond those of any mole. Label 1 means a total dermoscopy score
1.3 A + 0.1 B + 0.5 C + 0.5 D above 5.45; benign ones stay below 4.75. The lobe is
balanced by a bite elsewhere, so that the area does not depend on the label. Freckles,
angiomas, milk cysts, hairs and gel bubbles lie in both classes alike. The lamp's colour
and slope can be read from the skin: they help to see colours and say nothing about the
label (a suppressor).
The artefact is a ruler or an ink mark.

Reference: Nachbar et al., 1994, https://doi.org/10.1016/S0190-9622(94)70061-3
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from medattn.data.synthetic.common import (
    PRESETS,
    check_options,
    compose,
    in_chunks,
    stack,
)
from medattn.data.synthetic.dermoscopy.layers import (
    bubbles,
    hairs,
    ink,
    patch,
    ruler,
    spots,
    streaks,
)
from medattn.data.synthetic.dermoscopy.sampling import COLOURS, LOBE, parameters
from medattn.data.synthetic.paint import grid, tint, waves
from medattn.data.synthetic.pixels import (
    Region,
    in_planes,
    shrink,
    shrink_mask,
    to_bytes,
)

EVIDENCE = ("asymmetry", "border", "colour", "structure")
NUISANCE = (
    *("tone", "skin", "blotch_amplitude", "line_amplitude", "light", "slope", "corner"),
    *("centre", "radius", "contour", "softness", "melanin", "middle", "network"),
    *("mesh", "grain", "distractors", "globule_radius", "freckle_radius"),
    *("angioma_radius", "cyst_radius", "hair_width", "bubble_radius"),
)
DERMOSCOPY_PRESETS = (*PRESETS, "colour_only", "border_only")
# The twin is rendered with all of these at zero.
FACTORS = (
    *("lobe", "bite", "border", "colour_radius", "streak_width", "dot_radius"),
    "regression_radius",
)
MELANIN = np.array([0.85, 1.55, 2.0])  # absorption of red, green, blue
BLOOD = np.array([0.12, 0.95, 0.80])
VEIL = (0.40, 0.46, 0.58)
SCAR = (0.93, 0.86, 0.83)


def render(
    indices: Iterable[int],
    *,
    seed: int,
    size: int = 64,
    preset: str = "standard",
    shortcut: float | None = None,
) -> dict[str, Any]:
    """Renders moles, their benign twins and their masks.

    Image `index` is the same in every batch.

    Args:
        indices: Which images, integers >= 0.
        seed: The seed of the whole data set.
        size: Height and width in pixels, 32 to 512. Up to 128 everything is painted
            twice as fine and averaged.
        preset: `"standard"`; `"easy"` (all criteria together), `"hard"` (fainter, more
            hairs), `"xor"` (malignant if lobed or blue-grey and black, not both), and
            the single-factor modes `"colour_only"` and `"border_only"`.
        shortcut: Correlation of ruler or ink with the label, in [-1, 1]; None puts
            them on a quarter of either class.

    Returns:
        As `medattn.data.synthetic.fundus.render`, with `tone`, 0 to 5, for subgroups,
        and `score`, the total dermoscopy score.

    Raises:
        ValueError: If an option is out of range.
    """
    check_options(size, preset, shortcut, DERMOSCOPY_PRESETS)
    factor = 2 if size <= 128 else 1

    def render_chunk(chunk: list[int]) -> dict[str, Any]:
        p = stack([parameters(seed, i, size, preset, shortcut) for i in chunk])
        return _render(p, factor * size, factor)

    return in_chunks(render_chunk, indices, (factor * size) ** 2)


def _render(p, size, factor):
    """Paints images once, and twins and unmarked images only where they can differ."""
    shape = (len(p["label"]), size // factor, size // factor)
    scene, light = _skin(p, size), _light(p, size)
    rays = streaks(p, size)
    at = Region(_near(p, rays, shape, factor), factor)
    bare = at.take(scene)
    mole = _mole(p, at, size)
    colour, owners = _lesion(bare, mole, p, at, _structures(p, at, rays, size))
    at.put(scene, colour)
    below, marks, above = _on_top(p, size)
    layers = [*below, *marks, *above]

    unmarked = Region(_union(marks, shape, factor), factor)
    without_marks = unmarked.take(scene)  # before the photograph changes the scene
    lit = _photograph(scene, layers, light)
    lit = shrink(lit.reshape(-1, size, size), factor).reshape(3, *shape)
    image = _develop(np.moveaxis(lit, 0, -1), p["grain"][:, None, None], p["noise"])

    def again(pixels, region, layers):
        """Renders some pixels of the image with another scene or fewer layers."""
        layers = [
            (c[region.image] if np.ndim(c) > 1 else c, w, region.take(layer))
            for c, w, layer in layers
        ]
        lit = region.shrink(_photograph(pixels, layers, region.take(light)))
        which, row, column = region.coarse
        seen = _develop(lit.T, p["grain"][which], p["noise"][which, row, column])
        other = image.copy()
        other[which, row, column] = seen
        return other

    twin = plain = image
    if any(p[key].any() for key in FACTORS):
        benign, _ = _lesion(bare, mole, p, at)
        twin = again(benign, at, layers)
    if marks:
        plain = again(without_marks, unmarked, [*below, *above])
    owners = {kind: at.spread(where, shape) for kind, where in owners.items()}
    distractor = _union([*below, *above], shape, factor)
    composed = compose(image, twin, plain, owners, distractor, p)
    return composed | {"tone": p["tone"], "score": p["score"]}


def _skin(p, size):
    """Bare skin with blotches and criss-cross lines, `(3, n, size, size)`."""
    y, x = grid(size)
    depth = waves(y, x, p["blotch_frequency"], p["blotch_phase"], p["blotch_amplitude"])
    lines = waves(y, x, p["line_frequency"], p["line_phase"], p["line_amplitude"])
    np.abs(lines, out=lines)
    lines *= 0.6
    depth -= lines
    skin = np.empty((3, *depth.shape))
    for channel, (plane, factor) in enumerate(zip(skin, (0.6, 1, 1.2), strict=True)):
        np.multiply(depth, factor, out=plane)
        plane += 1
        plane *= p["skin"][:, channel, None, None]
    return skin


def _light(p, size):
    """The lamp, its slope and dark corners, `(3, n, size, size)`."""
    y, x = grid(size)
    slope = p["slope"][:, 0, None, None] * y + p["slope"][:, 1, None, None] * x
    far = y * y + x * x
    light = 1 + slope - 0.25 * far
    for i in np.flatnonzero(p["corner"] < 1):  # of the others the corners are bright
        light[i] *= np.clip(0.5 - (np.sqrt(far) - p["corner"][i]) * 18, 0.02, 1)
    return light * in_planes(p["light"])


def _near(p, rays, shape, factor):
    """Marks the pixels that a lesion or its twin may reach, with a margin."""
    y, x = grid(shape[1])
    dy, dx = (a - p["centre"][:, k, None, None] for k, a in ((0, y), (1, x)))
    reach = p["radius"] * (1 + np.abs(p["contour"]).sum(1)) * (1 + p["lobe"])
    reach = reach + p["softness"] / 2 + 2 / shape[1]
    near = dy * dy + dx * dx < (reach**2)[:, None, None]
    return near if rays is None else near | shrink_mask(rays > 0, factor)


def _mole(p, at, size):
    """What a lesion and its twin share, each a row of pixels."""
    y, x = grid(size)
    y, x = y[at.row, 0], x[0, at.column]
    repeat = at.repeat
    dy, dx = y - repeat(p["centre"][:, 0]), x - repeat(p["centre"][:, 1])
    far = np.sqrt(dy * dy + dx * dx) + 1e-6
    sin, cos = dy / far, dx / far
    # Even modes leave the lesion point-symmetric; cos(k t + phase) by doubling angles.
    cos2, sin2 = cos * cos - sin * sin, 2 * sin * cos
    cos4, sin4 = cos2 * cos2 - sin2 * sin2, 2 * sin2 * cos2
    shape = np.ones_like(far)
    for mode, (c, s) in enumerate(((cos2, sin2), (cos4, sin4))):
        phase = p["contour_phase"][:, mode]
        shape += repeat(p["contour"][:, mode]) * (
            c * repeat(np.cos(phase)) - s * repeat(np.sin(phase))
        )
    mottle = waves(
        *grid(size), p["patch_frequency"], p["patch_phase"], p["patch_amplitude"]
    )
    core = np.exp(-((far / repeat(p["radius"] * p["middle_width"])) ** 2))
    melanin = repeat(p["melanin"]) + repeat(p["middle"]) * core + at.take(mottle)
    some = np.flatnonzero(repeat(p["network"]))
    image = at.image[some]
    lines = p["network"][image] * _network(y[some], x[some], p, image)
    melanin[some] += lines * (1 - 0.6 * core[some])
    melanin = np.maximum(melanin, 0.05)
    globule = spots(p, "globule", size)
    if globule is not None:
        melanin += 0.6 * at.take(globule)
    rim = repeat(p["radius"]) * shape
    return dict(y=y, x=x, far=far, sin=sin, cos=cos, rim=rim, melanin=melanin)


def _structures(p, at, rays, size):
    """Colours and structures beyond those of any mole, each a row of pixels or None."""
    layers = {
        name: patch(p, "colour", which, size, soft=0.03)
        for which, name in enumerate(COLOURS)
    }
    layers["regression"] = patch(p, "regression", 0, size, soft=0.03)
    layers |= dict(streaks=rays, dots=spots(p, "dot", size))
    return {k: None if v is None else at.take(v) for k, v in layers.items()}


def _lesion(bare, mole, p, at, found=None):
    """Lays the lesion into the skin; without `found`, its benign twin.

    Args:
        bare: The skin, `(3, pixels)`.
        mole: What `_mole` returned.
        p: The sampled parameters.
        at: The `Region` of the pixels.
        found: What `_structures` returned.

    Returns:
        The scene, `(3, pixels)`, and a mask of the pixels for each kind of evidence.
    """
    repeat, malignant = at.repeat, found is not None
    found = found or dict.fromkeys((*COLOURS, "regression", "streaks", "dots"))

    def towards(turn):
        """Cosine of the angle between a pixel, seen from the middle, and `turn`."""
        return mole["cos"] * repeat(np.cos(turn)) + mole["sin"] * repeat(np.sin(turn))

    rim, soft, lobes, abrupt = mole["rim"], repeat(p["softness"]), None, None
    if malignant and p["lobe"].any():
        up, down = towards(p["lobe_turn"]), towards(p["bite_turn"])
        lobes = repeat(p["lobe"]) * np.exp(LOBE * (up - 1))
        lobes -= repeat(p["bite"]) * np.exp(LOBE * (down - 1))
        rim = rim * (1 + lobes)
    gap = rim - mole["far"]  # positive inside
    if malignant and p["border"].any():
        # So many neighbouring octants end abruptly instead of fading.
        sector = towards(p["abrupt_turn"]) - repeat(np.cos(p["border"] * np.pi / 8))
        abrupt = np.clip(6 * sector + 0.5, 0, 1) * repeat(p["border"] > 0)
        soft = soft * (1 - abrupt) + 0.006 * abrupt
    cover = np.clip(gap / soft + 0.5, 0, 1)
    cover = cover * cover * (3 - 2 * cover)

    melanin, faint = mole["melanin"], repeat(p["faint"])
    inside = np.clip(cover * 1.5, 0, 1)
    if abrupt is not None:  # an abrupt rim is pigmented up to its end
        melanin = melanin + 0.45 * abrupt * np.exp(-((np.maximum(gap, 0) / 0.03) ** 2))
    if found["black"] is not None:
        melanin = melanin + faint * 1.9 * found["black"] * inside
    depth = melanin * cover
    dark = None if found["dots"] is None else found["dots"] * cover
    if found["streaks"] is not None:  # they reach beyond the rim with their own cover
        dark = found["streaks"] if dark is None else np.maximum(found["streaks"], dark)
    if dark is not None:
        depth += faint * 1.5 * dark
    depth = -depth * MELANIN[:, None]
    if found["red"] is not None:
        depth -= faint * 0.9 * found["red"] * inside * cover * BLOOD[:, None]
    colour = bare * np.exp(depth)
    scar, grains = found["regression"], 1.0
    if scar is not None:
        grains = _pepper(mole["y"], mole["x"], p, at.image)
    for paint, weight, layer, factor in (
        (VEIL, 0.80, found["blue_grey"], 1.0),
        (SCAR, 0.80, found["white"], 1.0),
        ((0.80, 0.74, 0.72), 0.70, scar, 1.0),
        ((0.42, 0.42, 0.47), 0.6, scar, grains),
    ):
        if layer is not None:
            tint(colour, paint, faint * (weight * layer * factor) * inside)
    nowhere = np.zeros(len(cover), bool)

    def shown(*layers):
        masks = [layer != 0 for layer in layers if layer is not None]
        return np.any(masks, 0) if masks else nowhere

    owners = {
        "asymmetry": shown(lobes),
        "border": shown(abrupt),
        "colour": shown(*(found[name] for name in COLOURS)),
        "structure": shown(found["streaks"], found["dots"], scar),
    }
    return colour, owners


def _network(y, x, p, image):
    """A honeycomb of brown lines with lighter holes; a row of pixels, in [0, 1]."""
    distortion = 0
    for wave in range(p["bend_phase"].shape[1]):
        down, side = (p["bend_frequency"][image, wave, axis] for axis in (0, 1))
        distortion = distortion + 0.9 * np.cos(
            2 * np.pi * (down * y + side * x) + p["bend_phase"][image, wave]
        )
    total = 0
    for third in range(3):
        turn = p["mesh_turn"] + np.float64(third * np.pi / 3)
        along = np.sin(turn)[image] * y + np.cos(turn)[image] * x
        along = along * (2 * np.pi / p["mesh"])[image]
        total = total + np.cos(along + p["mesh_phase"][image, third] + distortion)
    return np.clip(0.55 - 0.45 * total, 0, 1)


def _pepper(y, x, p, image):
    """Grey grains of a regression, a row of pixels, in [0, 1]."""
    total = 0
    for third in range(3):
        turn = p["mesh_turn"] + np.float64(0.5 + third * np.pi / 3)
        along = (np.sin(turn)[image] * y + np.cos(turn)[image] * x) * 330
        total = total + np.cos(along + p["mesh_phase"][image, third])
    return np.clip(total - 0.8, 0, 1)


def _on_top(p, size):
    """What lies on the skin, in three parts: below the marks, the marks, above them.

    Each is a list of colour, `(3,)` or one an image, weight, and layer.
    """
    ring, glint = bubbles(p, size)
    parts = (
        [
            ((0.45, 0.27, 0.18), 0.55, spots(p, "freckle", size)),
            ((0.72, 0.12, 0.14), 0.75, spots(p, "angioma", size)),
            ((0.97, 0.90, 0.80), 0.70, spots(p, "cyst", size)),
        ],
        [
            (p["ink_colour"], 0.72, ink(p, size)),
            ((0.10, 0.10, 0.12), 0.85, ruler(p, size)),
        ],
        [
            (p["hair_colour"], 0.9, hairs(p, size)),
            ((1.0, 0.97, 0.95), 0.35, ring),
            ((1.0, 1.0, 1.0), 0.85, glint),
        ],
    )
    return tuple([one for one in part if one[2] is not None] for part in parts)


def _union(layers, shape, factor):
    """Marks the pixels of the image that any layer covers."""
    found = np.zeros(shape, bool)
    for _, _, layer in layers:
        found |= shrink_mask(layer > 0, factor)
    return found


def _photograph(scene, layers, light):
    """Lays the layers on a scene and lights it, in place; any pixels, `(3, ...)`."""
    for colour, weight, layer in layers:
        tint(scene, colour, layer, weight)
    scene *= light
    return scene


def _develop(lit, grain, noise):
    """Adds the grain and rounds to 8 bits; `(..., 3)`."""
    return to_bytes(lit + grain[..., None] * noise)
