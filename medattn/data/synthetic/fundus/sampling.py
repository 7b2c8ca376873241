"""What is sampled for one synthetic retina: anatomy, distractors, lesions.

Lengths are in image widths from the middle of the image, points are `(y, x)`, angles in
radians. Everything comes in fixed shapes, so that many eyes can be rendered at once;
what is absent has radius zero.
"""

from typing import Any

import numpy as np

from medattn.data.synthetic.common import sample_artefact

# Probability of each grade among the diseased.
GRADE_PROBABILITIES = {1: 0.30, 2: 0.35, 3: 0.20, 4: 0.15}

# Minimum and maximum number of lesions of each kind by grade.
COUNTS = {
    "microaneurysm": {1: (3, 7), 2: (3, 8), 3: (4, 12), 4: (3, 8)},
    "haemorrhage": {1: (0, 0), 2: (1, 4), 3: (6, 14), 4: (1, 5)},
    "flame": {1: (0, 0), 2: (0, 2), 3: (1, 4), 4: (0, 2)},
    "exudate": {1: (0, 0), 2: (0, 14), 3: (0, 18), 4: (0, 14)},
    "cotton_wool": {1: (0, 0), 2: (0, 1), 3: (0, 3), 4: (0, 1)},
    "new_vessel": {1: (0, 0), 2: (0, 0), 3: (0, 0), 4: (4, 6)},
}
MAXIMUM = {kind: max(high for _, high in by.values()) for kind, by in COUNTS.items()}
DARK = ("microaneurysm", "haemorrhage", "flame")
BRIGHT = ("exudate", "cotton_wool")
DISTRACTORS = {"drusen": 7, "dust": 4, "pigment": 2}  # maximum numbers

TRUNKS, BRANCHES = 8, 12  # vessels leaving the optic disc; their side branches
STEPS = 48  # points along a vessel
VEIN = np.arange(TRUNKS + BRANCHES) % 4 >= 2  # the others are arteries


def parameters(
    seed: int,
    index: int,
    size: int,
    preset: str = "standard",
    shortcut: float | None = None,
) -> dict[str, Any]:
    """Samples all parameters of one image, in fixed shapes."""
    rng = np.random.default_rng([seed, int(index)])
    grade = 0
    if rng.random() < 0.5:
        grade = int(
            rng.choice(list(GRADE_PROBABILITIES), p=list(GRADE_PROBABILITIES.values()))
        )
    # Lesions and noise have streams of their own: the twin shares all but the lesions,
    # and the same retina can be rendered at any size. So have the presets.
    nuisance, lesions, noise, artefact, options = rng.spawn(5)
    p = _anatomy(nuisance)
    p |= _distractors(nuisance, p)
    kinds, label = tuple(COUNTS), int(grade > 0)
    if preset == "xor":
        dark, bright = options.integers(0, 2, 2)
        kinds = DARK * int(dark) + BRIGHT * int(bright)
        label, grade = int(dark != bright), 2
    p |= _lesions(lesions, grade, p)
    p["opacity"] = 1.0
    if preset == "easy":
        p |= {f"{k}_radius": 1.4 * p[f"{k}_radius"] for k in COUNTS}
        for kind, maximum in DISTRACTORS.items():
            p[f"{kind}_radius"] = p[f"{kind}_radius"] * (
                np.arange(maximum) < maximum / 2
            )
    elif preset == "hard":
        p |= dict(opacity=0.6, grain=1.8 * p["grain"])
        p["choroid_amplitude"] = 2.5 * p["choroid_amplitude"]
    elif preset == "xor":
        p |= {f"{k}_radius": p[f"{k}_radius"] * (k in kinds) for k in COUNTS}
        if "exudate" in kinds:  # a grade may have none; the factor must show
            p["exudate_radius"][:2] = (0.012, 0.014)
    turn = artefact.uniform(-0.9, 0.9)
    rim = p["fov"][:2] + p["fov"][2] * np.array([np.sin(turn), np.cos(turn)])
    p |= dict(tab=rim, tab_radius=0.035 * sample_artefact(artefact, label, shortcut))
    p["noise"] = noise.standard_normal((size, size, 3), dtype=np.float32)
    p["distractors"] = sum(int((p[f"{k}_radius"] > 0).sum()) for k in DISTRACTORS)
    return p | dict(grade=grade * (preset != "xor"), label=label)


def _anatomy(rng: np.random.Generator) -> dict[str, Any]:
    side = rng.choice([-1.0, 1.0])  # the optic disc lies right or left
    tilt = rng.uniform(-0.2, 0.2)
    disc = np.array([rng.uniform(-0.03, 0.03), side * rng.uniform(0.25, 0.30)])
    macula = disc + np.array([rng.uniform(0.0, 0.05), -side * rng.uniform(0.25, 0.29)])
    up = np.where(np.arange(TRUNKS) % 2, 1.0, -1.0)
    # The arcades, an artery and a vein above and below, go around the macula; the
    # others go towards the nose and are short.
    arcade = np.arange(TRUNKS) < 4

    def between(low, high):
        low = np.where(arcade, low[0], low[1])
        return rng.uniform(low, np.where(arcade, high[0], high[1]))

    control = disc + np.stack(
        [
            up * between((0.20, 0.05), (0.27, 0.12)),
            side * between((-0.08, 0.0), (0.02, 0.08)),
        ],
        axis=1,
    )
    end = np.where(arcade[:, None], macula, disc) + np.stack(
        [
            up * between((0.14, 0.16), (0.26, 0.36)),
            side * between((-0.20, 0.04), (-0.12, 0.20)),
        ],
        axis=1,
    )
    t = np.linspace(0, 1, STEPS)[:, None]
    trunks = (1 - t) ** 2 * disc
    trunks = trunks + 2 * t * (1 - t) * control[:, None] + t**2 * end[:, None]
    trunks += _wander(rng, TRUNKS, 0.006)

    # Side branches leave a trunk at an angle and curve a little.
    trunk, start = np.arange(BRANCHES) % TRUNKS, rng.integers(8, 40, BRANCHES)
    fork = trunks[trunk, start]
    ahead = fork - trunks[trunk, start - 4]
    heading = np.arctan2(ahead[:, 0], ahead[:, 1])
    heading += rng.choice([-1, 1], BRANCHES) * rng.uniform(0.45, 1.0, BRANCHES)
    turn = heading[:, None] + rng.uniform(-0.6, 0.6, BRANCHES)[:, None] * t[:, 0]
    step = rng.uniform(0.10, 0.24, BRANCHES)[:, None, None] / STEPS
    branches = np.cumsum(np.stack([np.sin(turn), np.cos(turn)], -1) * step, axis=1)
    branches += fork[:, None] + _wander(rng, BRANCHES, 0.004)

    calibre = np.where(VEIN, rng.uniform(0.019, 0.025), rng.uniform(0.013, 0.017))
    relative = np.concatenate(
        [np.where(arcade, 1.0, 0.7), 0.62 * (1 - 0.7 * start / STEPS)]
    )
    taper = 1 - 0.75 * t[:, 0]
    paths = np.concatenate([trunks, branches])  # (vessels, steps, 2)

    base = np.array(
        [rng.uniform(0.58, 0.76), rng.uniform(0.27, 0.40), rng.uniform(0.10, 0.20)]
    )
    p = dict(
        fov=np.array([*rng.uniform(-0.008, 0.008, 2), rng.uniform(0.46, 0.49)]),
        base=base,
        camera=np.clip(1 + 0.07 * rng.standard_normal(3), 0.8, 1.2),
        border=rng.uniform(0.02, 0.05),
        vignette=rng.uniform(0.15, 0.45),
        disc=disc,
        disc_radius=rng.uniform(0.044, 0.056),
        disc_oval=rng.uniform(0.82, 1.0),
        cup=rng.uniform(0.35, 0.6),
        macula=macula,
        macula_depth=rng.uniform(0.25, 0.45),
        field_frequency=rng.uniform(-1.6, 1.6, (6, 2)),
        field_phase=rng.uniform(0, 2 * np.pi, 6),
        field_amplitude=rng.uniform(0.01, 0.04, 6),
        choroid_frequency=rng.uniform(-9, 9, (10, 2)),
        choroid_phase=rng.uniform(0, 2 * np.pi, 10),
        choroid_amplitude=rng.uniform(0.003, 0.012, 10),
        vessel=paths,
        vessel_width=(calibre * relative)[:, None] * taper,
        grain=rng.uniform(0.006, 0.016),
        tilt=tilt,
    )
    for key in ("disc", "macula", "vessel"):
        p[key] = _rotate(p[key], tilt)
    return p


def _distractors(rng: np.random.Generator, p: dict[str, Any]) -> dict[str, Any]:
    """Spots that lie in both classes alike."""
    found: dict[str, Any] = {}
    for kind, maximum in DISTRACTORS.items():
        count = rng.integers(0, maximum + 1)
        shown = np.arange(maximum) < count
        if kind == "drusen":
            points = p["macula"] + 0.09 * rng.standard_normal((maximum, 2))
            radius = rng.uniform(0.008, 0.020, maximum)
        else:
            points = _anywhere(rng, maximum)
            low, high = {"dust": (0.008, 0.024), "pigment": (0.015, 0.04)}[kind]
            radius = rng.uniform(low, high, maximum)
        found[kind] = points
        found[f"{kind}_radius"] = radius * shown
        found[f"{kind}_waves"] = rng.uniform(-0.14, 0.14, (maximum, 3))
        found[f"{kind}_phases"] = rng.uniform(0, 2 * np.pi, (maximum, 3))
        found[f"{kind}_angle"] = rng.uniform(0, np.pi, maximum)
        found[f"{kind}_stretch"] = rng.uniform(1.0, 1.6, maximum)
    return found


def _lesions(rng: np.random.Generator, grade: int, p: dict[str, Any]) -> dict[str, Any]:
    """Evidence: kinds and numbers of lesions depend on the grade alone."""
    found: dict[str, Any] = {}
    vessels = p["vessel"].reshape(-1, 2)
    for kind, by_grade in COUNTS.items():
        maximum = MAXIMUM[kind]
        low, high = by_grade.get(grade, (0, 0))
        shown = np.arange(maximum) < rng.integers(low, high + 1)
        if kind == "microaneurysm":
            points = _away(rng, maximum, p, from_points=vessels, by=0.026)
            radius = rng.uniform(0.007, 0.011, maximum)
        elif kind == "haemorrhage":
            points = _away(rng, maximum, p)
            radius = rng.uniform(0.014, 0.034, maximum)
        elif kind == "flame":
            at = rng.integers(4, STEPS - 4, maximum)
            vessel = rng.integers(0, 4, maximum)
            points = p["vessel"][vessel, at]
            ahead = p["vessel"][vessel, at + 3] - points
            points = points + rng.uniform(-0.012, 0.012, (maximum, 2))
            radius = rng.uniform(0.022, 0.036, maximum)
        elif kind == "exudate":
            centre = p["macula"] + rng.uniform(-0.13, 0.13, 2)
            ring = rng.uniform(0.03, 0.09) * (1 + 0.25 * rng.standard_normal(maximum))
            turn = rng.uniform(0, 2 * np.pi, maximum)
            points = centre + np.stack([np.sin(turn), np.cos(turn)], 1) * ring[:, None]
            radius = rng.uniform(0.006, 0.014, maximum)
        elif kind == "cotton_wool":
            points = _away(rng, maximum, p)
            radius = rng.uniform(0.026, 0.042, maximum)
        else:  # new vessels: a tangle of thin loops in one spot
            points = np.repeat(_away(rng, 1, p), maximum, 0)
            points = points + 0.012 * rng.standard_normal((maximum, 2))
            radius = rng.uniform(0.025, 0.05, maximum)
        found[kind] = points
        found[f"{kind}_radius"] = radius * shown
        if kind in ("haemorrhage", "cotton_wool"):
            found[f"{kind}_waves"] = rng.uniform(-0.13, 0.13, (maximum, 4))
            found[f"{kind}_phases"] = rng.uniform(0, 2 * np.pi, (maximum, 4))
            found[f"{kind}_angle"] = rng.uniform(0, np.pi, maximum)
            found[f"{kind}_stretch"] = rng.uniform(1.0, 1.5, maximum)
        elif kind == "flame":
            found["flame_waves"] = rng.uniform(-0.12, 0.12, (maximum, 4))
            found["flame_phases"] = rng.uniform(0, 2 * np.pi, (maximum, 4))
            found["flame_angle"] = np.arctan2(ahead[:, 0], ahead[:, 1])
            found["flame_stretch"] = rng.uniform(2.6, 4.0, maximum)
        elif kind == "new_vessel":
            turn = rng.uniform(0, 2 * np.pi, (maximum, 1)) + np.linspace(0, 5.2, 40)
            squeeze = rng.uniform(0.35, 1.0, (maximum, 1))
            loop = np.stack([squeeze * np.sin(turn), np.cos(turn)], -1)
            found["new_vessel_loop"] = _rotate(loop, rng.uniform(0, np.pi))
    return found


def _wander(rng: np.random.Generator, walks: int, scale: float) -> np.ndarray:
    """Smooth random walks that start at zero, `(walks, STEPS, 2)`."""
    walk = np.cumsum(rng.standard_normal((walks, STEPS + 7, 2)), axis=1)
    total = np.cumsum(walk, axis=1)
    smooth = (total[:, 7:] - total[:, :-7]) / 7
    return 2 * scale / np.sqrt(STEPS) * (smooth - smooth[:, :1])


def _rotate(points: np.ndarray, angle: float) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array([[cos, -sin], [sin, cos]])


def _anywhere(rng: np.random.Generator, count: int) -> np.ndarray:
    """Points spread evenly over the field of view, `(count, 2)`."""
    radius, turn = 0.42 * np.sqrt(rng.random(count)), rng.uniform(0, 2 * np.pi, count)
    return np.stack([radius * np.sin(turn), radius * np.cos(turn)], 1)


def _away(
    rng: np.random.Generator,
    count: int,
    p: dict[str, Any],
    from_points: np.ndarray | None = None,
    by: float = 0.0,
) -> np.ndarray:
    """Points anywhere but on the optic disc, and `by` away from the points given."""
    tries = _anywhere(rng, 8 * count)
    gap = np.sqrt(((tries - p["disc"]) ** 2).sum(1)) - 0.075
    if from_points is not None:
        # |a - b|^2 in three products; the clearance decides the order, not a cut.
        square = (
            (tries**2).sum(1)[:, None]
            + (from_points**2).sum(1)
            - 2 * tries @ from_points.T
        )
        gap = np.minimum(gap, np.sqrt(np.maximum(square.min(1), 0)) - by)
    fits = np.concatenate([np.flatnonzero(gap >= 0), np.argsort(-gap)])
    return tries[fits[:count]]
