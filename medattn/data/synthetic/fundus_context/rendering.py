"""Renders synthetic retinas in which the optic disc decides what is evidence.

Beside a full disc dark lesions mean disease, beside a cupped disc bright ones, and the
disc lies far from every lesion. A network that adds up what it finds in small windows
can know which lesions there are and what the disc looks like, but not that the one
decides about the other; a gate that reads the whole image and multiplies can. The rule
is invented: no disease of the eye is like this.

The twin has no lesions and a disc with a cup of medium size. Evidence is where the two
differ: lesions, and the disc, which is a kind of its own, `"cue"`. So a healthy image
has evidence too.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from medattn.data.synthetic.common import check_options, compose, in_chunks, stack
from medattn.data.synthetic.fundus import rendering as fundus
from medattn.data.synthetic.fundus_context.sampling import KINDS, parameters

EVIDENCE = (*KINDS, "cue")
# Sampled parameters on which no label depends.
NUISANCE = tuple(key for key in fundus.NUISANCE if key not in ("cup", "disc_radius"))
PRESETS = ("easy", "standard", "hard", "faint")


def render(
    indices: Iterable[int],
    *,
    seed: int,
    size: int = 64,
    preset: str = "standard",
    shortcut: float | None = None,
) -> dict[str, Any]:
    """Renders retinas in context, their twins and their masks.

    Args:
        indices: Which images, integers >= 0.
        seed: The seed of the whole data set.
        size: Height and width in pixels, 32 to 512.
        preset: `"standard"`; `"easy"` (larger lesions), `"hard"` (fainter lesions, more
            grain) or `"faint"` (fainter still).
        shortcut: Correlation of a tab at the rim with the label, in [-1, 1]; None
            renders no tab.

    Returns:
        As `render` of the data set fundus; `grade` is 0 throughout.

    Raises:
        ValueError: If an option is out of range.
    """
    check_options(size, preset, shortcut, PRESETS)

    def render_chunk(chunk: list[int]) -> dict[str, Any]:
        p = stack([parameters(seed, i, size, preset, shortcut) for i in chunk])
        return _render(p, size)

    return in_chunks(render_chunk, indices, size**2)


def _render(p, size):
    n = len(p["label"])
    distractor = np.zeros((n, size, size), bool)
    without = fundus._background(p | {"cup": p["twin_cup"]}, size, distractor)
    with_cue = fundus._background(p, size, distractor)
    scene = with_cue.copy()
    owners = fundus._add_lesions(scene, p, size)
    dust = fundus._spots(p, "dust", n, size, soft=0.45)
    distractor |= dust > 0
    image, twin = (fundus._photograph(one, dust, p, size) for one in (scene, without))
    plain = image
    if p["tab_radius"].any():
        hidden = p | {"tab_radius": 0 * p["fov"][:, 2]}
        plain = fundus._photograph(scene, dust, hidden, size)
    owners = {kind: owners[kind] for kind in KINDS}
    owners["cue"] = (with_cue != without).any(0)
    composed = compose(image, twin, plain, owners, distractor, p)
    return composed | {
        "grade": p["grade"].astype(np.int64),
        "distractors": p["distractors"].astype(np.int64),
    }
