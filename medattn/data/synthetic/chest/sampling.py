"""What is sampled for one synthetic chest film: body, distractors, fluid, artefact.

Lengths are in image widths in the frame of the body: `v` down, `u` towards the
patient's left, which is the right of the film. What is absent has radius zero.
"""

from typing import Any

import numpy as np

from medattn.data.synthetic.common import sample_artefact

SIDES = (-1.0, 1.0)  # the patient's right, the patient's left
VESSELS, STEPS = 18, 26  # of both lungs together; points along each
# Glyphs of the tokens, 5 x 7.
LETTERS = {
    "R": "11110 10001 10001 11110 10100 10010 10001",
    "L": "10000 10000 10000 10000 10000 10000 11111",
}


def parameters(
    seed: int,
    index: int,
    size: int,
    preset: str = "standard",
    shortcut: float | None = None,
) -> dict[str, Any]:
    """Samples all parameters of one image, in fixed shapes."""
    rng = np.random.default_rng([seed, int(index)])
    body, distractors, fluid, artefact, noise = rng.spawn(5)
    p = _body(body)
    p |= _distractors(distractors, preset)
    p |= _fluid(fluid, p, rng, preset)
    p |= _artefact(artefact, p, shortcut)
    if preset == "hard":
        p["grain"] = 1.6 * p["grain"]
    p["noise"] = noise.standard_normal((size, size), dtype=np.float32)
    return p


def _body(rng: np.random.Generator) -> dict[str, Any]:
    """The patient and the exposure; nothing here depends on the label."""
    raised = np.zeros(2)
    if rng.random() < 0.3:  # a raised diaphragm looks like fluid
        raised[rng.integers(2)] = rng.uniform(0.04, 0.09)
    dome = rng.uniform(0.20, 0.27) - raised
    dome = dome + np.array([0.0, rng.uniform(0.027, 0.054)])  # the left lies lower
    side = np.repeat(SIDES, VESSELS // 2)
    start = np.stack(
        [rng.normal(0.0, 0.03, VESSELS), side * rng.normal(0.075, 0.01, VESSELS)], 1
    )
    heading = np.tile(np.linspace(-1.35, 1.35, VESSELS // 2), 2)
    heading = heading + 0.15 * rng.standard_normal(VESSELS)
    turn = heading[:, None] + np.cumsum(0.07 * rng.standard_normal((VESSELS, STEPS)), 1)
    step = rng.uniform(0.16, 0.29, VESSELS)[:, None] / STEPS
    path = np.cumsum(
        np.stack([np.sin(turn) * step * 1.3, side[:, None] * np.cos(turn) * step], -1),
        axis=1,
    )
    return dict(
        shift=rng.uniform(-0.045, 0.045, 2),
        scale=rng.uniform(0.90, 1.10),
        tilt=rng.uniform(-0.06, 0.06),
        width=rng.uniform(0.41, 0.49),
        flesh=rng.uniform(0.85, 1.15),
        lung_width=rng.uniform(0.145, 0.170),
        lung_middle=rng.uniform(0.190, 0.205),
        lung_length=rng.uniform(0.36, 0.40),
        dome=dome,
        heart=np.array([rng.uniform(0.10, 0.14), rng.uniform(0.03, 0.06)]),
        heart_size=np.array([rng.uniform(0.13, 0.16), rng.uniform(0.105, 0.155)]),
        knob=rng.uniform(0.026, 0.042),
        rib_step=rng.uniform(0.066, 0.076),
        rib_phase=rng.uniform(0, 1),
        rib_width=rng.uniform(0.011, 0.015),
        rib_drop=rng.uniform(0.05, 0.09),
        clavicle=rng.uniform(-0.36, -0.30),
        clavicle_slope=rng.uniform(0.05, 0.28, 2),
        bubble=rng.uniform(0.03, 0.05) * (rng.random() < 0.5),
        vessel=start[:, None] + path,
        vessel_width=rng.uniform(0.007, 0.012, VESSELS),
        field_frequency=rng.uniform(-14, 14, (12, 2)),
        field_phase=rng.uniform(0, 2 * np.pi, 12),
        field_amplitude=rng.uniform(0.002, 0.009, 12),
        exposure=rng.uniform(-0.08, 0.08),
        contrast=rng.uniform(4.4, 5.6),
        equalised=0.7 * float(rng.random() < 0.3),
        grain=rng.uniform(0.008, 0.020),
    )


def _distractors(rng: np.random.Generator, preset: str) -> dict[str, Any]:
    """Shadows that lie over either class alike."""
    probability = 0.2 if preset == "easy" else 0.4
    side, plate = rng.choice(SIDES, 2)
    wire = rng.uniform(-0.3, 0.3, (3, 2)) * np.array([1.0, 1.2])
    shown = rng.random(7) < np.array([probability] * 5 + [0.3, 0.15])
    return dict(
        breast=rng.uniform(0.05, 0.09) * shown[0],
        breast_place=np.array([rng.uniform(0.06, 0.13), rng.uniform(0.19, 0.23)]),
        breast_radius=rng.uniform(0.13, 0.17),
        plate=np.array([rng.uniform(0.06, 0.17), plate * rng.uniform(0.15, 0.25)]),
        plate_length=rng.uniform(0.03, 0.07) * shown[1],
        plate_turn=rng.uniform(-0.4, 0.4),
        patch=np.array([rng.uniform(-0.2, 0.12), side * rng.uniform(0.13, 0.26)]),
        patch_radius=rng.uniform(0.03, 0.065) * shown[2],
        patch_depth=rng.uniform(0.10, 0.22),
        cap=rng.uniform(0.03, 0.06) * shown[3],
        cap_side=rng.choice(SIDES),
        scapula=rng.uniform(0.04, 0.07) * shown[4],
        lead=wire,
        lead_end=wire + rng.uniform(-0.5, 0.5, (3, 2)),
        lead_radius=np.repeat(0.012 * shown[5], 3),
        sternal=0.010 * np.repeat(shown[6], 5),
        distractors=int(shown.sum()),
    )


def _fluid(
    rng: np.random.Generator,
    p: dict[str, Any],
    classes: np.random.Generator,
    preset: str,
) -> dict[str, Any]:
    """Evidence: fluid around a lung, by side."""
    label = int(classes.random() < 0.5)
    sides = [(1, 0), (0, 1), (1, 1)][rng.choice(3, p=[0.36, 0.36, 0.28])]
    wet = label * np.array(sides)
    if preset == "xor":  # one side or the other, but not both
        wet = classes.integers(0, 2, 2)
        label = int(wet[0] != wet[1])
    volume = rng.integers(0, 3, 2)  # blunted angle, moderate, large
    if preset == "easy":
        volume = rng.integers(1, 3, 2)
    supine = bool(rng.random() < (0.0 if preset == "easy" else 0.25))
    rise = np.choose(
        volume,
        [rng.uniform(-0.02, 0.015, 2), rng.uniform(0.05, 0.10, 2)]
        + [rng.uniform(0.15, 0.25, 2)],
    )
    low, high = {"easy": (0.85, 1.0), "hard": (0.35, 0.6)}.get(preset, (0.6, 0.95))
    return dict(
        label=label,
        wet=wet,
        volume=volume * wet,
        supine=supine,
        level=p["dome"] - rise,
        climb=np.where(volume == 0, rng.uniform(0.07, 0.11, 2), 0.10),
        reach=rng.uniform(0.03, 0.06, 2),
        opacity=rng.uniform(low, high, 2) * wet,
    )


def _artefact(
    rng: np.random.Generator, p: dict[str, Any], shortcut: float | None
) -> dict[str, Any]:
    """A laterality token, or a drain in the chest."""
    shown = sample_artefact(rng, p["label"], shortcut, natural=0.25)
    token = rng.random() < 0.5
    letter, side = rng.choice(list(LETTERS)), rng.choice(SIDES)
    glyph = np.array([[float(c) for c in row] for row in LETTERS[letter].split()])
    top = np.array([rng.uniform(-0.12, 0.1), side * 0.20])
    return dict(
        token=shown and token,
        token_letter=glyph * shown * token,
        token_place=np.array([rng.uniform(-0.45, -0.40), rng.uniform(0.37, 0.43)])
        * np.array([1.0, -1.0 if letter == "R" else 1.0]),
        token_size=rng.uniform(0.060, 0.080),
        drain=np.stack(
            [
                np.array([rng.uniform(0.12, 0.25), side * 0.48]),
                np.array([rng.uniform(0.10, 0.20), side * 0.22]),
                top - np.array([0.12, 0.02 * side]),
            ]
        ),
        drain_width=rng.uniform(0.009, 0.013) * (shown and not token),
    )
