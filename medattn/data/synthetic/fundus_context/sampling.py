"""What is sampled for one synthetic retina in context: its lesions and its cue.

The optic disc decides which lesions are evidence: beside a full disc the dark ones,
beside a cupped disc the bright ones. All else is sampled as in the data set fundus.
"""

from typing import Any

import numpy as np

from medattn.data.synthetic.common import sample_artefact
from medattn.data.synthetic.fundus import sampling as fundus

# Probability of each combination of lesions, independent of the cue.
COMBINATIONS = {"none": 0.05, "bright": 0.45, "dark": 0.45, "both": 0.05}
GRADE = 2  # as many lesions as in a moderate retinopathy
KINDS = (*fundus.DARK, *fundus.BRIGHT)
# From the rim of the disc to the rim of a lesion along an axis, in image widths: no
# window of 12 of 64 pixels sees a part of both.
DISTANCE = 0.19
MARGIN = 0.02  # the rims of blobs are wavy
FULL, CUPPED = (-0.25, -0.25), (0.9, 1.05)  # radius of the cup over that of the disc
DISC_SCALE = 1.15  # the disc is larger than in fundus, so that 64 pixels show its cup
TRIES = 40  # points tried for a lesion that lies too near to the disc


def parameters(
    seed: int,
    index: int,
    size: int,
    preset: str = "standard",
    shortcut: float | None = None,
) -> dict[str, Any]:
    """Samples all parameters of one image, in fixed shapes.

    Args:
        seed: Of the whole data set.
        index: Which image.
        size: Height and width in pixels.
        preset: `"standard"`, `"easy"`, `"hard"` or `"faint"`, which change the lesions
            as in the data set fundus.
        shortcut: Correlation of a tab at the rim with the label, or None.

    Returns:
        The parameters of `medattn.data.synthetic.fundus.sampling`, and `cue` (0 full,
        1 cupped), `dark` and `bright` (0 or 1: which lesions there are), `twin_cup`,
        the cup of the twin's disc.
    """
    rng = np.random.default_rng([seed, int(index)])
    nuisance, lesions, noise, artefact, options = rng.spawn(5)
    p = fundus._anatomy(nuisance)
    p |= fundus._distractors(nuisance, p)
    p |= fundus._lesions(lesions, GRADE, p)
    cue = int(options.integers(0, 2))
    chosen = options.choice(len(COMBINATIONS), p=list(COMBINATIONS.values()))
    dark, bright = divmod(int(chosen), 2)
    label = bright if cue else dark
    p |= dict(cue=cue, dark=dark, bright=bright, twin_cup=p["cup"])
    p["disc_radius"] = DISC_SCALE * p["disc_radius"]
    p["cup"] = options.uniform(*(CUPPED if cue else FULL))
    kinds = fundus.DARK * dark + fundus.BRIGHT * bright
    for kind in fundus.COUNTS:
        p[f"{kind}_radius"] = p[f"{kind}_radius"] * (kind in kinds)
    if "exudate" in kinds:  # a grade may have none; the factor must show
        p["exudate_radius"][:2] = (0.012, 0.014)
    for kind in KINDS:
        reach = p[f"{kind}_radius"] * p.get(f"{kind}_stretch", 1.0)
        p[kind] = _far_from_disc(options, p[kind], reach, p)
    p["opacity"] = 1.0
    if preset == "easy":
        p |= {f"{kind}_radius": 1.4 * p[f"{kind}_radius"] for kind in fundus.COUNTS}
    elif preset in ("hard", "faint"):
        p |= dict(opacity=0.6 if preset == "hard" else 0.4, grain=1.8 * p["grain"])
        p["choroid_amplitude"] = 2.5 * p["choroid_amplitude"]
    turn = artefact.uniform(-0.9, 0.9)
    rim = p["fov"][:2] + p["fov"][2] * np.array([np.sin(turn), np.cos(turn)])
    p |= dict(tab=rim, tab_radius=0.035 * sample_artefact(artefact, label, shortcut))
    p["noise"] = noise.standard_normal((size, size, 3), dtype=np.float32)
    shown = [p[f"{kind}_radius"] > 0 for kind in fundus.DISTRACTORS]
    p["distractors"] = sum(int(some.sum()) for some in shown)
    return p | dict(grade=0, label=label)


def _far_from_disc(
    rng: np.random.Generator,
    points: np.ndarray,
    reach: np.ndarray,
    p: dict[str, Any],
) -> np.ndarray:
    """Moves lesions that lie near the disc to random points that do not.

    Args:
        rng: A generator.
        points: Centres of lesions, `(n, 2)`.
        reach: Their radius along the longest axis, `(n,)`.
        p: The anatomy: `disc` and `disc_radius`.
    """
    least = p["disc_radius"] + DISTANCE + reach + MARGIN
    gap = np.abs(points - p["disc"]).max(-1) - least
    tries = fundus._anywhere(rng, TRIES * len(points)).reshape(len(points), TRIES, 2)
    gaps = np.abs(tries - p["disc"]).max(-1) - least[:, None]
    first = np.where((gaps >= 0).any(1), (gaps >= 0).argmax(1), gaps.argmax(1))
    moved = tries[np.arange(len(points)), first]
    return np.where((gap >= 0)[:, None], points, moved)
