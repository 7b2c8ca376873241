"""The section on networks set by hand: do maps show what a network is known to use?"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from medattn.data import draw_images
from medattn.figures.known_use import KnownUse, known_use_figure
from medattn.study.analyse.hand_set.context import read_context
from medattn.study.analyse.hand_set.networks import HAND_SET, SPLIT
from medattn.study.analyse.hand_set.table import (
    DRAWN,
    EDGES,
    PATHS,
    RANDOM,
    SHOWN,
    Row,
    read_examples,
    read_hand_set,
)
from medattn.study.report import page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NO_NETWORK = (PATHS, RANDOM, EDGES, "input", "random")  # maps that explain nothing
FAITHFUL = 0.95  # fraction of the relevance in use, in every network
CLOSE = 0.1  # two fractions in the evidence that say the same
SHARP = 256  # pixels of the images in the figure; the network sees 64


def hand_set_sections() -> list[page.Section]:
    """Makes the section, from the shipped table; empty if there is none."""
    rows = read_hand_set()
    if not rows:
        return []
    caption = (
        "One image a network. Green: the pixels from which an active path leads "
        "to the logit. Below a map: how much of its relevance lies there, and how much "
        "in the evidence."
    )
    return [
        page.Section(
            "Networks set by hand",
            [_introduction(rows), conclusion(rows), _caution(rows)],
            figures=[(caption, _figure(rows))],
            tables=[_network_table(rows), _map_table(rows), _all_maps(rows)],
        ),
        *_context_sections(),
    ]


def conclusion(rows: Sequence[Row]) -> str:
    """Says whether a low fraction in the evidence is the map's doing or the network's.

    Args:
        rows: What `read_hand_set` returned.

    Returns:
        Three sentences, every number computed from the rows.
    """
    explained = _by_map(rows)
    faithful = {
        title: of_map
        for title, of_map in explained.items()
        if min(row["used_mass"] for row in of_map) >= FAITHFUL
    }
    text = (
        f"Of {len(explained)} analyzers that explain these networks, {len(faithful)} "
        f"put at least {FAITHFUL:.0%} of their relevance on the pixels in use, in "
        "every network."
    )
    least = sorted(explained, key=lambda t: _mean(explained[t], "used_mass"))[:3]
    text += " The least: " + ", ".join(
        f"{title} ({_mean(explained[title], 'used_mass'):.0%} on average)"
        for title in least
    )
    text += "."
    if not faithful:
        return text + " So a low fraction in the evidence may be the map's fault."
    maps = [row for of_map in faithful.values() for row in of_map]
    by_kind = {
        kind: [row for row in maps if _is_shortcut(row) == kind] for kind in (0, 1)
    }
    inside = {kind: _mean(part, "evidence_mass") for kind, part in by_kind.items()}
    own = [_mean(_only(rows, PATHS, kind), "evidence_mass") for kind in (0, 1)]
    text += (
        f" The same {len(faithful)} put {inside[0]:.0%} of it in the evidence where "
        f"the network looks for evidence (its own paths: {own[0]:.0%}), and "
        f"{inside[1]:.0%} where it looks for a shortcut (paths: {own[1]:.0%}). "
    )
    if max(abs(inside[kind] - own[kind]) for kind in (0, 1)) > CLOSE:
        return text + "So even these misstate how much of the evidence is used."
    return text + (
        "So with these analyzers a low fraction in the evidence reports what the "
        "network does; with the others it may be the map's fault."
    )


def context_sentence(scores: Mapping[str, float]) -> str:
    """Says whether the gate set by hand passes the bound of all sums.

    Args:
        scores: What `read_context` returned.

    Returns:
        One sentence, its numbers from the scores.
    """
    gain = scores["gate"] - scores["bound_nuisance"]
    verb = "passes" if gain > 0 else "does not pass"
    return (
        f"The gate {verb} the bound of every additive score, {scores['gate']:.3f} "
        f"against {scores['bound_nuisance']:.4f}; a linear head on the same features "
        f"reaches {scores['best_sum']:.3f} at best, chosen on the images themselves."
    )


def _context_sections() -> list[page.Section]:
    scores = read_context()
    if not scores:
        return []
    text = (
        "In the eye in context the optic disc decides whether dark or bright lesions "
        "count. Two networks set by hand see the same features in windows of 7 x 7 "
        "pixels; one adds them up, the other lets a `SqueezeExcite` multiply them "
        "first. What adds up has a bound, computed from the probabilities of the "
        "drawing."
    )
    names = {
        "gate": "the gate set by hand",
        "sum": "the same features added up, same weights",
        "best_sum": "the best linear head on these features",
        "bound": "bound: any sum f(cue) + g(lesions)",
        "bound_nuisance": "bound: any additive score, all else in the image included",
    }
    lines = [(name, f"{scores[key]:.4f}") for key, name in names.items()]
    return [
        page.Section(
            "A gate set by hand",
            [text, context_sentence(scores)],
            tables=[page.Table(("score", "AUROC"), lines)],
            level=3,
        )
    ]


def _introduction(rows: Sequence[Row]) -> str:
    low, high = (f(row["auroc"] for row in rows) for f in (min, max))
    return (
        "Whether a map is right cannot be told where nobody knows what the network "
        "uses. Here it is known to the pixel: the weights of six small networks are "
        "written down, not learned (in the manner of AttributionLab, Zhang et al., "
        "2023). Three look for evidence, three for the planted mark alone. They "
        f"classify {DRAWN} unseen images with an AUROC of {low:.2f} to {high:.2f}. "
        "Every map is scored against the pixels that the network does use, and against "
        "those that it should use."
    )


def _caution(rows: Sequence[Row]) -> str:
    images = max(row["images"] or 0 for row in rows)
    return (
        "These networks have one or two layers of ReLUs. A map that is a product with "
        "the gradient cannot leave the pixels in use, by the chain rule; that it does "
        "not is a check of the computation, no proof for deep networks. Means over "
        f"{images:.0f} positive images a network; |R|, summed over the channels of a "
        "pixel; images where a map is zero everywhere are left out of the fractions."
    )


def _network_table(rows: Sequence[Row]) -> page.Table:
    lines = []
    for name, hand_set in HAND_SET.items():
        (paths,) = [r for r in rows if r["network"] == name and r["map"] == PATHS]
        lines.append(
            (
                name,
                hand_set.looks_for,
                f"{paths['auroc']:.3f}",
                f"{paths['used_area']:.1%}",
                f"{paths['evidence_area']:.1%}",
                f"{paths['evidence_mass']:.0%}",
            )
        )
    heads = ("network", "looks for", "AUROC", "area in use", "area of evidence")
    return page.Table((*heads, "paths from evidence"), lines)


def _map_table(rows: Sequence[Row]) -> page.Table:
    """Means over the networks of each kind, the most faithful first."""
    baselines = {title: _only(rows, title) for title in (PATHS, RANDOM, EDGES)}
    explained = _by_map(rows)
    order = sorted(explained, key=lambda t: -_mean(explained[t], "used_mass"))
    lines, key = [], "evidence_mass"
    for title in (*baselines, *order):
        of_map = baselines.get(title) or explained[title]
        lines.append(
            (
                title,
                f"{_mean(of_map, 'used_mass'):.0%}",
                f"{min(row['used_mass'] for row in of_map):.0%}",
                f"{_mean(of_map, 'used_pointing'):.0%}",
                f"{_mean(of_map, 'used_auc'):.3f}",
                *(
                    f"{_mean([r for r in of_map if _is_shortcut(r) == kind], key):.0%}"
                    for kind in (0, 1)
                ),
                str(len(of_map)),
            )
        )
    heads = (
        "map", "relevance in use", "worst network", "strongest pixel in use",
        "AUROC of pixels in use", "in evidence, networks of evidence",
        "in evidence, networks of shortcuts", "networks",
    )  # fmt: skip
    return page.Table(heads, lines)


def _all_maps(rows: Sequence[Row]) -> page.Table:
    keys = [key for key in rows[0] if key.startswith(("used_", "evidence_"))]
    keys = [key for key in keys if not key.endswith("area")]
    lines = [
        (
            row["network"],
            row["map"],
            *("" if row[key] is None else f"{row[key]:.3f}" for key in keys),
            row["refusal"] or "",
        )
        for row in rows
    ]
    heads = ("network", "map", *(key.replace("_", " ") for key in keys), "refused")
    return page.Table(heads, lines, folded="every network and map")


def _figure(rows: Sequence[Row]) -> "Figure":
    shown = []
    for name, example in read_examples().items():
        hand_set = HAND_SET[name]
        drawn = draw_images(
            hand_set.dataset,
            example["position"].tolist(),
            split=SPLIT,
            size=SHARP,
            shortcut=hand_set.shortcut,
        )
        maps = {title: example[title] for title in SHOWN if title in example}
        shown.append(
            KnownUse(
                name.replace("_", "\n"),
                drawn["image"][0] / 255,
                example["used"],
                example["evidence"],
                {title: np.asarray(one, float) for title, one in maps.items()},
                {title: _note(one, example) for title, one in maps.items()},
            )
        )
    return known_use_figure(shown, SHOWN)


def _note(relevance: np.ndarray, example: dict[str, np.ndarray]) -> str:
    sizes = np.abs(np.asarray(relevance, float))
    if not sizes.any():
        return "zero everywhere"
    used, evidence = (
        sizes[example[key]].sum() / sizes.sum() for key in ("used", "evidence")
    )
    return f"{used:.0%} in use, {evidence:.0%} in evidence"


def _by_map(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The scored rows of every analyzer that reads the network."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row["map"] not in NO_NETWORK and row["used_mass"] is not None:
            found.setdefault(row["map"], []).append(row)
    return found


def _only(rows: Sequence[Row], title: str, shortcut: int | None = None) -> list[Row]:
    return [
        row
        for row in rows
        if row["map"] == title and shortcut in (None, _is_shortcut(row))
    ]


def _is_shortcut(row: Row) -> int:
    return int(HAND_SET[row["network"]].shortcut is not None)


def _mean(rows: Sequence[Row], key: str) -> float:
    known = [row[key] for row in rows if row[key] is not None]
    return float(np.mean(known)) if known else float("nan")
