"""Renders synthetic retinas with exact evidence masks, in place of APTOS2019.

Every image is rendered twice with the same nuisance: with its lesions, and without them
(the healthy twin). Evidence is where the two differ, pixel by pixel. Dust, drusen and
pigment lie in both classes alike, so that "any spot" is not the answer. The camera's
tint can be read from the black border alone: it helps to see, and says nothing about
the label (a suppressor). The artefact that can be planted is the small tab that some
cameras leave at the rim of the field of view.

Lengths are in image widths, so that a retina looks the same at any size; dots never
fall below a pixel.

Reference: International Clinical Diabetic Retinopathy scale, whose order of grades the
lesion counts follow in idea, not to the letter: Wilkinson et al., 2003,
https://doi.org/10.1016/S0161-6420(03)00475-5
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from medattn.data.synthetic.common import check_options, compose, in_chunks, stack
from medattn.data.synthetic.fundus.sampling import STEPS, VEIN, parameters
from medattn.data.synthetic.paint import blobs, discs, grid, tint, waves
from medattn.data.synthetic.pixels import in_planes, to_bytes

DARK_RED = (0.34, 0.05, 0.04)
YELLOW = (0.98, 0.88, 0.45)
WHITE = (0.93, 0.86, 0.70)
PALE = (0.90, 0.70, 0.42)
BROWN = (0.22, 0.13, 0.10)

EVIDENCE = (
    "microaneurysm",
    "haemorrhage",
    "flame",
    "exudate",
    "cotton_wool",
    "new_vessel",
)
# Sampled parameters on which no label depends.
NUISANCE = (
    *("fov", "base", "camera", "border", "vignette", "disc", "disc_radius", "cup"),
    *("macula", "macula_depth", "field_amplitude", "choroid_amplitude", "grain"),
    *("distractors", "drusen_radius", "dust_radius", "pigment_radius"),
)


def render(
    indices: Iterable[int],
    *,
    seed: int,
    size: int = 64,
    preset: str = "standard",
    shortcut: float | None = None,
) -> dict[str, Any]:
    """Renders retinas, their healthy twins and their masks.

    Image `index` is the same in every batch.

    Args:
        indices: Which images, integers >= 0.
        seed: The seed of the whole data set.
        size: Height and width in pixels, 32 to 512.
        preset: `"standard"`; `"easy"` (larger lesions, fewer distractors), `"hard"`
            (fainter lesions, more grain), or `"xor"`: diseased if there are dark
            lesions or bright ones, but not both, so that neither kind alone decides.
        shortcut: Correlation of a tab at the rim with the label, in [-1, 1]; None
            renders no tab.

    Returns:
        A dict of arrays, first axis as `indices`: `image` and `twin`
        `(n, size, size, 3)` uint8; `evidence`, `artefact` and `distractor`
        `(n, size, size)` bool; `kinds`, uint8, whose bit k is set where evidence of
        kind `EVIDENCE[k]` lies; `label` (0 healthy, 1 diseased), `grade` (0 to 4),
        `distractors`, the number of dust, drusen and pigment spots; and `params`, a
        dict of all sampled parameters.

    Raises:
        ValueError: If an option is out of range.
    """
    check_options(size, preset, shortcut)

    def render_chunk(chunk: list[int]) -> dict[str, Any]:
        p = stack([parameters(seed, i, size, preset, shortcut) for i in chunk])
        return _render(p, size)

    return in_chunks(render_chunk, indices, size**2)


def _render(p, size):
    n = len(p["label"])
    distractor = np.zeros((n, size, size), bool)
    healthy = _background(p, size, distractor)
    diseased = healthy.copy()
    owners = _add_lesions(diseased, p, size)
    dust = _spots(p, "dust", n, size, soft=0.45)
    distractor |= dust > 0
    image, twin = (_photograph(scene, dust, p, size) for scene in (diseased, healthy))
    plain = image
    if p["tab_radius"].any():
        plain = _photograph(
            diseased, dust, p | {"tab_radius": 0 * p["fov"][:, 2]}, size
        )
    composed = compose(image, twin, plain, owners, distractor, p)
    return composed | {
        "grade": p["grade"].astype(np.int64),
        "distractors": p["distractors"].astype(np.int64),
    }


def _background(p, size, distractor):
    """The eye without lesions: ground, macula, drusen, optic disc, vessels."""
    n = len(p["grade"])
    y, x = grid(size)
    field = waves(y, x, p["field_frequency"], p["field_phase"], p["field_amplitude"])
    choroid = waves(
        y, x, p["choroid_frequency"], p["choroid_phase"], p["choroid_amplitude"]
    )
    light = 1 + field + choroid
    scene = light * in_planes(p["base"])  # (3, n, size, size)

    far = _square_distance(y, x, p["macula"])
    dark = np.exp(-far / (2 * 0.055**2)) * p["macula_depth"][:, None, None]
    scene *= 1 - dark * _planes(0.55, 0.8, 0.9)

    pale = _spots(p, "drusen", n, size, soft=0.55)
    tint(scene, PALE, pale)
    pigment = _spots(p, "pigment", n, size, soft=0.55)
    tint(scene, BROWN, pigment)
    distractor |= (pale > 0) | (pigment > 0)

    dy, dx = (a - p["disc"][:, k, None, None] for k, a in ((0, y), (1, x)))
    radius = p["disc_radius"][:, None, None]
    reach = np.sqrt(dy**2 + (dx / p["disc_oval"][:, None, None]) ** 2)
    rim = np.clip((radius - reach) / (0.35 * radius) + 0.8, 0, 1)
    cup = np.clip(
        (radius * p["cup"][:, None, None] - reach) / (0.5 * radius) + 0.5, 0, 1
    )
    tint(scene, (0.96, 0.76, 0.46), rim, 0.85)
    tint(scene, (1.0, 0.92, 0.74), cup, 0.8)

    artery = np.zeros((n, size, size), np.float64)
    vein = np.zeros((n, size, size), np.float64)
    path, width = _densify(p["vessel"], p["vessel_width"], size)
    for canvas, which in ((artery, ~VEIN), (vein, VEIN)):
        points = path[:, which].reshape(n, -1, 2)
        radius = 0.5 * size * width[:, which].reshape(n, -1)
        discs(
            canvas,
            points[..., 0],
            points[..., 1],
            np.maximum(radius, 0.35),
            weight=np.clip(2 * radius, 0.35, 1),
        )
    scene *= 1 - artery * _planes(0.20, 0.42, 0.38)
    scene *= 1 - vein * _planes(0.36, 0.60, 0.52)
    return scene


def _add_lesions(scene, p, size):
    n = scene.shape[1]

    def canvas():
        return np.zeros((n, size, size), np.float64)

    def dots(kind, minimum):
        layer, radius = canvas(), p[f"{kind}_radius"] * size
        y, x = p[kind][..., 0], p[kind][..., 1]
        discs(layer, y, x, np.where(radius > 0, np.maximum(radius, minimum), 0))
        return layer

    soft = _soften(_spots(p, "cotton_wool", n, size, soft=1.0))
    layers = {
        "cotton_wool": (WHITE, 0.8, soft),
        "exudate": (YELLOW, 0.92, dots("exudate", 0.8)),
        "haemorrhage": (DARK_RED, 0.85, _spots(p, "haemorrhage", n, size, soft=1.0)),
        "flame": (DARK_RED, 0.80, _spots(p, "flame", n, size, soft=1.0)),
        "microaneurysm": (DARK_RED, 0.85, dots("microaneurysm", 0.85)),
    }
    tangle = canvas()
    reach = p["new_vessel_radius"]
    loop = p["new_vessel"][:, :, None] + reach[..., None, None] * p["new_vessel_loop"]
    thin = np.where(np.repeat(reach, loop.shape[2], 1) > 0, max(0.0035 * size, 0.4), 0)
    flat = loop.reshape(n, -1, 2)
    discs(tangle, flat[..., 0], flat[..., 1], thin)
    layers["new_vessel"] = ((0.45, 0.08, 0.06), 0.85, tangle)
    for colour, strength, layer in layers.values():
        tint(scene, colour, layer * p["opacity"][:, None, None], strength)
    return {kind: layers[kind][2] > 0 for kind in EVIDENCE}


def _photograph(scene, dust, p, size):
    """The camera: dust on its lens, vignette, tint, field of view, grain, 8 bits."""
    y, x = grid(size)
    image = scene * (1 - dust)
    dy, dx = (a - p["fov"][:, k, None, None] for k, a in ((0, y), (1, x)))
    far = np.sqrt(dy**2 + dx**2)
    edge = p["fov"][:, 2, None, None]
    seen = np.clip((edge - far) * size + 0.5, 0, 1)
    if p["tab_radius"].any():
        away = np.sqrt(_square_distance(y, x, p["tab"]))
        tab = np.clip((p["tab_radius"][:, None, None] - away) * size + 0.5, 0, 1)
        seen = np.maximum(seen, np.where(p["tab_radius"][:, None, None] > 0, tab, 0))
    light = seen * (1 - p["vignette"][:, None, None] * (far / edge) ** 4)
    glow = (1 - seen) * p["border"][:, None, None]
    image *= light
    image += glow
    image *= in_planes(p["camera"])
    image = np.moveaxis(image, 0, -1)
    return to_bytes(image + p["grain"][:, None, None, None] * p["noise"])


def _planes(*factors: float) -> np.ndarray:
    """One factor a colour, in the shape of a scene, `(3, 1, 1, 1)`."""
    return np.array(factors, np.float64)[:, None, None, None]


def _spots(p, kind, n, size, *, soft):
    layer = np.zeros((n, size, size), np.float64)
    radius = p[f"{kind}_radius"] * size
    blobs(
        layer,
        p[kind][..., 0],
        p[kind][..., 1],
        np.where(radius > 0, np.maximum(radius, 0.85), 0),
        stretch=p[f"{kind}_stretch"],
        angle=p[f"{kind}_angle"],
        waves=p[f"{kind}_waves"],
        phases=p[f"{kind}_phases"],
        weight=soft,
    )
    return layer


def _soften(layer):
    """A small blur, for edges without a line."""
    padded = np.pad(layer, ((0, 0), (1, 1), (1, 1)))
    rows = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    return (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 16


def _densify(path, width, size):
    """Interpolates the vessels, so that neighbouring stamps touch at every size."""
    fine = np.linspace(0, STEPS - 1, max(STEPS, int(0.75 * size)))
    low = np.minimum(fine.astype(int), STEPS - 2)
    part = (fine - low).astype(np.float64)
    points = path[:, :, low] * (1 - part[:, None]) + path[:, :, low + 1] * part[:, None]
    return points, width[:, :, low] * (1 - part) + width[:, :, low + 1] * part


def _square_distance(y, x, points):
    return (y - points[:, 0, None, None]) ** 2 + (x - points[:, 1, None, None]) ** 2
