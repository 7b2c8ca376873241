"""What is sampled for one synthetic mole: skin, lesion, criteria, artefact.

Lengths are in image widths from the middle of the image, points are `(y, x)`, angles in
radians. Everything comes in fixed shapes; what is absent has radius zero.
"""

from typing import Any

import numpy as np

from medattn.data.synthetic.common import sample_artefact

# Six skin tones in the order of Fitzpatrick's types, red green blue.
TONES = np.array(
    [
        (0.95, 0.80, 0.75),
        (0.92, 0.74, 0.66),
        (0.85, 0.65, 0.54),
        (0.72, 0.52, 0.41),
        (0.55, 0.38, 0.29),
        (0.40, 0.27, 0.21),
    ]
)
COLOURS = ("black", "red", "blue_grey", "white")  # beyond the browns of any mole
STRUCTURES = ("streaks", "dots", "regression")  # beyond network and globules
MAXIMUM = {
    "globule": 22,
    "freckle": 6,
    "angioma": 3,
    "cyst": 4,
    "hair": 14,
    "bubble": 5,
}
STREAKS, DOTS, STROKES = 11, 12, 3  # maximum numbers
BENIGN_BELOW, MALIGNANT_ABOVE = 4.75, 5.45
LOBE = 6.0  # concentration of the lobe and of the bite opposite to it
_TURN = np.linspace(0, 2 * np.pi, 720, endpoint=False)
_LOBE_1 = np.exp(LOBE * (np.cos(_TURN) - 1)).mean() * 2 * np.pi
_LOBE_2 = np.exp(2 * LOBE * (np.cos(_TURN) - 1)).mean() * 2 * np.pi


def total_score(asymmetry: int, border: int, colours: int, structures: int) -> float:
    """Returns the total dermoscopy score, 1.3 A + 0.1 B + 0.5 C + 0.5 D."""
    return 1.3 * asymmetry + 0.1 * border + 0.5 * colours + 0.5 * structures


def parameters(
    seed: int,
    index: int,
    size: int,
    preset: str = "standard",
    shortcut: float | None = None,
) -> dict[str, Any]:
    """Samples all parameters of one image, in fixed shapes."""
    rng = np.random.default_rng([seed, int(index)])
    skin, mole, distractors, criteria, artefact, noise = rng.spawn(6)
    p = _skin(skin)
    p |= _mole(mole)
    p |= _distractors(distractors, p, preset)
    p |= _criteria(criteria, p, rng, preset)
    p |= _artefact(artefact, p, shortcut)
    p["noise"] = noise.standard_normal((size, size, 3), dtype=np.float32)
    return p


def _skin(rng: np.random.Generator) -> dict[str, Any]:
    tone = int(rng.integers(len(TONES)))
    heading = rng.uniform(0, np.pi) + np.array([0, 1.1, 2.1])[np.arange(12) % 3]
    heading = heading + 0.25 * rng.standard_normal(12)
    wave = rng.uniform(16, 34, 12)
    turn = rng.uniform(0, 2 * np.pi)
    return dict(
        tone=tone,
        skin=np.clip(TONES[tone] * (1 + 0.035 * rng.standard_normal(3)), 0.1, 1),
        blotch_frequency=rng.uniform(-2.5, 2.5, (8, 2)),
        blotch_phase=rng.uniform(0, 2 * np.pi, 8),
        blotch_amplitude=rng.uniform(0.01, 0.04, 8),
        line_frequency=np.stack([wave * np.sin(heading), wave * np.cos(heading)], 1),
        line_phase=rng.uniform(0, 2 * np.pi, 12),
        line_amplitude=rng.uniform(0.004, 0.013, 12),
        light=np.clip(1 + 0.025 * rng.standard_normal(3), 0.93, 1.07),
        slope=rng.uniform(0.05, 0.35) * np.array([np.sin(turn), np.cos(turn)]),
        corner=rng.uniform(0.50, 0.64) if rng.random() < 0.3 else 2.0,
        grain=rng.uniform(0.006, 0.016),
    )


def _mole(rng: np.random.Generator) -> dict[str, Any]:
    dark = rng.random() < 0.6
    network = rng.random() < 0.65
    globules = rng.random() < 0.5 or not network
    turn = rng.uniform(0, np.pi / 3)
    return dict(
        centre=rng.uniform(-0.30, 0.30, 2),
        radius=rng.uniform(0.115, 0.205),
        contour=rng.uniform(0.03, 0.14, 2) * np.array([1.0, 0.45]),  # modes 2 and 4
        contour_phase=rng.uniform(0, 2 * np.pi, 2),
        softness=rng.uniform(0.030, 0.060),
        melanin=rng.uniform(0.34, 0.55),
        middle=rng.uniform(0.35, 0.75) * dark,
        middle_width=rng.uniform(0.45, 0.7),
        patch_frequency=rng.uniform(-6, 6, (8, 2)),
        patch_phase=rng.uniform(0, 2 * np.pi, 8),
        patch_amplitude=rng.uniform(0.02, 0.06, 8),
        network=rng.uniform(0.25, 0.5) * network,
        mesh=rng.uniform(0.030, 0.044),
        mesh_turn=turn,
        mesh_phase=rng.uniform(0, 2 * np.pi, 3),
        bend_frequency=rng.uniform(-4, 4, (3, 2)),
        bend_phase=rng.uniform(0, 2 * np.pi, 3),
        colours=1 + int(dark),
        structures=int(network) + int(globules),
        globules=globules,
    )


def _distractors(
    rng: np.random.Generator, p: dict[str, Any], preset: str
) -> dict[str, Any]:
    """Spots, hairs and bubbles that lie in both classes alike."""
    found: dict[str, Any] = {}
    probability = dict(globule=p["globules"], freckle=0.6, angioma=0.35, cyst=0.35)
    probability |= dict(hair=0.45, bubble=0.25)
    low = dict(globule=0.006, freckle=0.006, angioma=0.008, cyst=0.006, bubble=0.012)
    high = dict(globule=0.010, freckle=0.016, angioma=0.016, cyst=0.011, bubble=0.035)
    for kind in low:
        maximum = MAXIMUM[kind]
        count = rng.integers(max(1, maximum // 2), maximum + 1)
        shown = (np.arange(maximum) < count) & (rng.random() < probability[kind])
        if preset == "easy" and kind != "globule":
            shown &= np.arange(maximum) < maximum / 2
        if kind in ("globule", "cyst"):
            points = _inside(rng, maximum, p, 0.72)
        else:
            points = rng.uniform(-0.47, 0.47, (maximum, 2))
        found[kind] = points
        found[f"{kind}_radius"] = rng.uniform(low[kind], high[kind], maximum) * shown
    maximum = MAXIMUM["hair"]
    count = rng.integers(3, maximum + 1) * (rng.random() < probability["hair"])
    if preset == "hard":
        count = rng.integers(5, maximum + 1)
    start = rng.uniform(-0.5, 0.5, (maximum, 2))
    heading = rng.uniform(0, 2 * np.pi) + 0.7 * rng.standard_normal(maximum)
    length = rng.uniform(0.3, 0.9, maximum)[:, None]
    along = np.stack([np.sin(heading), np.cos(heading)], 1)
    across = along[:, ::-1] * np.array([1, -1])
    bow = rng.uniform(-0.18, 0.18, (maximum, 1)) * length
    found["hair"] = np.stack(  # three points of a Bezier curve
        [start - length / 2 * along, start + bow * across, start + length / 2 * along],
        axis=1,
    )
    found["hair_width"] = rng.uniform(0.004, 0.0085, maximum) * (
        np.arange(maximum) < count
    )
    found["hair_colour"] = rng.uniform(0.06, 0.22) * np.array([1.0, 0.8, 0.65])
    found["distractors"] = sum(int((found[f"{k}_radius"] > 0).sum()) for k in low)
    return found


def _criteria(
    rng: np.random.Generator,
    p: dict[str, Any],
    classes: np.random.Generator,
    preset: str,
) -> dict[str, Any]:
    """Evidence: what a malignant lesion has beyond the same lesion when benign."""
    malignant = classes.random() < 0.5
    factors = classes.random(2) < 0.5  # of the presets with factors of their own
    a = b = 0
    colours = structures = np.zeros(0, int)
    if preset == "xor":
        a, colours = 2 * int(factors[0]), np.array([0, 2])[: 2 * factors[1]]
        malignant = factors[0] != factors[1]
    elif preset == "colour_only":
        colours = rng.permutation(4)[: rng.integers(2, 5) * malignant]
    elif preset == "border_only":
        b = int(rng.integers(4, 9)) * int(malignant)
    elif malignant:
        score = 0.0
        while score <= MALIGNANT_ABOVE:
            a, b = int(rng.integers(0, 3)), int(rng.integers(0, 9))
            colours = rng.permutation(4)[: rng.integers(0, 5)]
            structures = rng.permutation(3)[: rng.integers(0, 4)]
            if preset == "easy":
                a, b, colours = 2, 8, rng.permutation(4)[:3]
            score = total_score(
                a, b, p["colours"] + len(colours), p["structures"] + len(structures)
            )
    faint = 0.6 if preset == "hard" else 1.0
    lobe = {0: 0.0, 1: 0.26, 2: 0.36}[a] * (0.8 if preset == "hard" else 1.0)
    shown = np.isin(np.arange(4), colours)
    has = dict(zip(STRUCTURES, np.isin(np.arange(3), structures), strict=True))
    turn = rng.uniform(0, 2 * np.pi, 2)
    streak = rng.uniform(0, 2 * np.pi) + rng.uniform(-0.9, 0.9, STREAKS)
    # The bite opposite to the lobe takes away the area that the lobe adds:
    # 2 a L1 + a^2 L2 = 2 b L1 - b^2 L2, with L the integrals of the bump.
    gain = 2 * lobe * _LOBE_1 + lobe**2 * _LOBE_2
    bite = (_LOBE_1 - np.sqrt(max(_LOBE_1**2 - _LOBE_2 * gain, 0))) / _LOBE_2
    return dict(
        label=int(malignant),
        asymmetry=a,
        border=b,
        score=total_score(
            a, b, p["colours"] + len(colours), p["structures"] + len(structures)
        ),
        faint=faint,
        lobe=lobe,
        lobe_turn=turn[0],
        bite=bite,
        bite_turn=turn[0] + np.pi + rng.uniform(-0.6, 0.6),
        abrupt_turn=turn[1],
        colour=_inside(rng, 4, p, 0.55),
        colour_radius=rng.uniform(0.34, 0.52, 4) * p["radius"] * shown,
        colour_waves=rng.uniform(-0.12, 0.12, (4, 4)),
        colour_phases=rng.uniform(0, 2 * np.pi, (4, 4)),
        colour_angle=rng.uniform(0, np.pi, 4),
        colour_stretch=rng.uniform(1.0, 1.6, 4),
        streak_turn=streak,
        streak_width=rng.uniform(0.006, 0.011, STREAKS) * has["streaks"],
        streak_length=rng.uniform(0.10, 0.28, STREAKS) * p["radius"],
        dot=_inside(rng, DOTS, p, 0.85, inner=0.4),
        dot_radius=rng.uniform(0.006, 0.013, DOTS) * has["dots"],
        regression=_inside(rng, 1, p, 0.5),
        regression_radius=rng.uniform(0.34, 0.5, 1) * p["radius"] * has["regression"],
        regression_waves=rng.uniform(-0.16, 0.16, (1, 4)),
        regression_phases=rng.uniform(0, 2 * np.pi, (1, 4)),
        regression_angle=rng.uniform(0, np.pi, 1),
        regression_stretch=rng.uniform(1.0, 1.5, 1),
    )


def _artefact(
    rng: np.random.Generator, p: dict[str, Any], shortcut: float | None
) -> dict[str, Any]:
    """A ruler at an edge, or ink marks on the skin."""
    shown = sample_artefact(rng, p["label"], shortcut, natural=0.25)
    ruler = rng.random() < 0.6
    count = np.arange(STROKES) < rng.integers(1, STROKES + 1)
    points = rng.uniform(0.33, 0.45, (STROKES, 2)) * rng.choice([-1, 1], (STROKES, 2))
    return dict(
        ruler=shown and ruler,
        ruler_side=int(rng.integers(4)),
        ruler_step=rng.uniform(0.030, 0.045),
        ruler_phase=rng.uniform(0, 0.045),
        ruler_depth=rng.uniform(0.0, 0.05),
        ink=points,
        ink_radius=rng.uniform(0.03, 0.065, STROKES) * (shown and not ruler) * count,
        ink_waves=rng.uniform(-0.16, 0.16, (STROKES, 4)),
        ink_phases=rng.uniform(0, 2 * np.pi, (STROKES, 4)),
        ink_angle=rng.uniform(0, np.pi, STROKES),
        ink_stretch=rng.uniform(1.0, 2.2, STROKES),
        ink_colour=np.array([0.30, 0.16, 0.48]) * rng.uniform(0.8, 1.2),
    )


def _inside(
    rng: np.random.Generator,
    count: int,
    p: dict[str, Any],
    reach: float,
    inner: float = 0.0,
) -> np.ndarray:
    """Points within `reach` radii of the middle of the lesion, `(count, 2)`."""
    turn = rng.uniform(0, 2 * np.pi, count)
    far = p["radius"] * np.sqrt(rng.uniform(inner**2, reach**2, count))
    return p["centre"] + np.stack([far * np.sin(turn), far * np.cos(turn)], 1)
