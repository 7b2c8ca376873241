"""How well adding up can do where a cue decides which evidence counts.

The task: beside one cue dark lesions are evidence, beside the other bright ones. An
image has a cue c in {0, 1}, each with probability 1/2, and dark and bright lesions with
P(dark, bright), independent of c. Its label is `dark` if c = 0 and `bright` if c = 1.

A network that sees patches, none of which holds cue and lesions, and adds up over them
(BagNet: global average pooling and a linear head) has the score

    s = f(c) + g(dark, bright)                                                    (1)

Its AUROC is P(s of a positive > s of a negative), ties half. Of the eight kinds of
images four are positive. Write b, d for g of "bright only" and "dark only", and f for
f(1) - f(0). The pairs of a positive and a negative of these two kinds of lesions need

    d > b,      f + b > f + d,      d > f + d,      f + b > b                     (2)

that is d > b, b > d, f < 0, f > 0: two of four at most. So with P(both) = P(none) = q
and p = 1 - 2q, AUROC <= p^2 / 2 + (1 - p^2) = 1 - p^2 / 2, where all pairs with "both"
or "none" are given away as won. In images s also varies with what is neither cue nor
lesion, w: s = f(c, w) + g(dark, bright, w), with w independent of the kind of image. Of
two images with w and w', taken both ways round, (2) has eight comparisons, and sums of
two contradict each other as before (d + d' > b + b' and its opposite): six of eight at
most, AUROC <= 3 p^2 / 4 + (1 - p^2) = 1 - p^2 / 4. That is a bound for all additive
scores. Noise can help a ranking: f(1, w) spread widely around f(0) wins half of the
three comparisons of (2) that it cannot win for certain, which makes 1 - 3 p^2 / 8.

`additive_bound` finds the exact maximum by mixed integer programming, for any P.

Reference: the network, [Brendel and Bethge, 2019](https://arxiv.org/abs/1904.00760)
"""

from collections.abc import Iterator, Mapping

import numpy as np

Kind = tuple[int, int, int]  # cue, dark, bright
# P(dark, bright) of the task "eye in context".
CONTEXT = {(0, 0): 0.05, (0, 1): 0.45, (1, 0): 0.45, (1, 1): 0.05}
LARGE, BIG = 50.0, 400.0  # bound of the scores; more than any difference of two


def additive_bound(
    probabilities: Mapping[tuple[int, int], float] = CONTEXT,
    *,
    presence_only: bool = False,
    nuisance: bool = False,
) -> float:
    """Computes the largest AUROC that an additive score can have on the true kinds.

    Each pair of a positive i and a negative j has two binary variables, `s_i >= s_j`
    and `s_i >= s_j + 1` (scores may be scaled), each worth half of P(i) P(j); their sum
    is maximised over the numbers f and g of equation (1).

    Args:
        probabilities: From `(dark, bright)`, 0 or 1 each, to P.
        presence_only: Whether g too is additive, `g = a dark + b bright`.
        nuisance: Whether the score may vary with what is neither cue nor lesion: the
            bound is then over two images with different f and g, both ways round.

    Returns:
        The AUROC, in [0.5, 1].

    Raises:
        ValueError: If the probabilities are not four that add up to 1.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    weights = dict(pairs(probabilities))
    features = _features(presence_only)
    length = len(features[0, 0, 0])
    ways = ((0, 1), (1, 0)) if nuisance else ((0, 0),)
    scores = length * (1 + nuisance)
    rows, least, worth = [], [], []
    for (positive, negative), weight in weights.items():
        for mine, other in ways:
            difference = np.zeros(scores)
            difference[mine * length : (mine + 1) * length] += features[positive]
            difference[other * length : (other + 1) * length] -= features[negative]
            for margin in (0.0, 1.0):
                rows.append((difference, -(BIG + margin)))  # active if its binary is 1
                least.append(-BIG)
                worth.append(weight / 2 / len(ways))
    binaries = np.diag([slope for _, slope in rows])
    matrix = np.concatenate([np.array([d for d, _ in rows]), binaries], axis=1)
    free, binary = np.full(scores, LARGE), np.ones(len(rows))
    solved = milp(
        np.concatenate([0 * free, -np.array(worth)]),
        constraints=LinearConstraint(matrix, np.array(least), np.inf),
        integrality=np.concatenate([0 * free, binary]),
        bounds=Bounds(
            np.concatenate([-free, 0 * binary]), np.concatenate([free, binary])
        ),
    )
    return float(-solved.fun)


def label(kind: Kind) -> int:
    """The label of a kind of image: dark counts beside cue 0, bright beside cue 1."""
    cue, dark, bright = kind
    return bright if cue else dark


def pairs(
    probabilities: Mapping[tuple[int, int], float],
) -> Iterator[tuple[tuple[Kind, Kind], float]]:
    """Yields every pair of a positive and a negative kind with its weight in the AUROC.

    Args:
        probabilities: See `additive_bound`.

    Raises:
        ValueError: See `additive_bound`.
    """
    lesions = [(dark, bright) for dark in (0, 1) for bright in (0, 1)]
    total = sum(probabilities.values())
    if sorted(probabilities) != lesions or abs(total - 1) > 1e-9:
        raise ValueError(
            f"These are no probabilities of lesions. Expected one of each of "
            f"{lesions}, with sum 1. Received: {dict(probabilities)}"
        )
    probability = {
        (c, d, b): probabilities[d, b] / 2 for c in (0, 1) for d, b in lesions
    }
    positives = [kind for kind in probability if label(kind)]
    negatives = [kind for kind in probability if not label(kind)]
    positive = sum(probability[kind] for kind in positives)
    classes = positive * (1 - positive)
    for one in positives:
        for other in negatives:
            yield (one, other), probability[one] * probability[other] / classes


def _features(presence_only: bool) -> dict[Kind, np.ndarray]:
    """What the numbers f and g multiply in the score of each kind."""
    found = {}
    for cue in (0, 1):
        for dark in (0, 1):
            for bright in (0, 1):
                one = np.zeros(4)
                one[2 * dark + bright] = 1
                g = np.array([dark, bright], float) if presence_only else one
                found[cue, dark, bright] = np.concatenate([[cue], g])
    return found
