"""Remove and debias: pixels are removed by filling them in from their neighbours."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from medattn.explain.metrics.deletion_curves import Curve, ranks_of
from medattn.explain.metrics.pixel_maps import Channels, Sign

FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9)
ORDERS = ("most", "least")
# The weights of a pixel's neighbours: those beside it count twice those at its corners.
NEIGHBOURS = {
    (row, column): 1 / 6 if 0 in (row, column) else 1 / 12
    for row in (-1, 0, 1)
    for column in (-1, 0, 1)
    if (row, column) != (0, 0)
}


def road(
    predict: Callable[[np.ndarray], Any],
    images: np.ndarray,
    relevance: np.ndarray,
    *,
    fractions: Sequence[float] = FRACTIONS,
    order: Literal["most", "least"] = "most",
    noise: float = 0.01,
    channels: Channels = "sum",
    sign: Sign = "signed",
    seed: int = 0,
) -> Curve:
    """Removes pixels so that the image does not tell where they were.

    A black or blurred region is seen by a network as what it is, and its shape may
    tell the class. Here what is removed is filled in from around it, see `imputed`.

    Args:
        predict: A function from `(batch, height, width, channels)` to one value per
            sample, such as the probability of the class explained.
        images: `(batch, height, width, channels)`, pixels in [0, 1].
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        fractions: Of the pixels that are removed, each in (0, 1).
        order: `"most"` relevant first, where a good map makes the prediction drop; or
            `"least"`, where it keeps it.
        noise: Standard deviation of the noise that is added to filled-in pixels, so
            that they are not known by their smoothness.
        channels: See `pixel_map`.
        sign: See `pixel_map`.
        seed: Seed of the noise, and of the order of pixels with the same relevance.

    Returns:
        A `Curve`: the `fractions`; `values` of `predict`, `(batch, fractions)`; and as
        `area` their mean, `(batch,)`.

    Raises:
        ValueError: If an argument cannot be used.

    Reference:
        [Rong et al., 2022](https://arxiv.org/abs/2202.00449), section 4.
    """
    images = np.asarray(images, np.float32)
    wanted = np.asarray(fractions, np.float64)
    if not wanted.size or (wanted <= 0).any() or (wanted >= 1).any():
        raise ValueError(
            "Unusable fractions. Expected some between 0 and 1. Received: "
            f"fractions={fractions!r}"
        )
    if order not in ORDERS:
        raise ValueError(
            f"Unknown order. Expected one of {ORDERS}. Received: order={order!r}"
        )
    rank = ranks_of(images, relevance, channels, sign, seed)
    if order == "least":
        rank = rank[0].size - 1 - rank
    rng = np.random.default_rng(seed)
    rows = []
    for fraction in wanted:
        removed = rank < np.rint(fraction * rank[0].size)
        filled = np.stack(
            [imputed(*pair) for pair in zip(images, removed, strict=True)]
        )
        added = rng.normal(0, noise, images.shape) * removed[..., None]
        changed = (filled + added).astype(np.float32)
        rows.append(np.asarray(predict(changed), np.float64))
    values = np.stack(rows, axis=1)
    return Curve(wanted, values, values.mean(axis=1))


def imputed(image: np.ndarray, removed: np.ndarray) -> np.ndarray:
    """Fills in removed pixels, each as the weighted mean of its eight neighbours.

    x_i = sum_j w_ij x_j / sum_j w_ij, with w = 1/6 beside and 1/12 at the corners, over
    the neighbours inside the image; those that are removed too are unknowns of the same
    equations.

    Args:
        image: `(height, width, channels)`.
        removed: `(height, width)`, bool.

    Returns:
        The image, float64, its kept pixels as they were.

    Reference:
        [Rong et al., 2022](https://arxiv.org/abs/2202.00449), section 4.2.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import spsolve

    filled = np.array(image, np.float64)
    removed = np.asarray(removed, bool)
    if removed.all():
        raise ValueError(
            "There is nothing to fill in from. Expected some pixels that are kept. "
            f"Received: all {removed.size} removed"
        )
    rows, columns = np.nonzero(removed)
    count = len(rows)
    if not count:
        return filled
    number = np.full(removed.shape, -1)
    number[rows, columns] = np.arange(count)
    known = np.zeros((count, filled.shape[-1]))
    total = np.zeros(count)
    parts = []
    for (down, right), weight in NEIGHBOURS.items():
        row, column = rows + down, columns + right
        inside = (row >= 0) & (row < removed.shape[0])
        inside &= (column >= 0) & (column < removed.shape[1])
        here = np.flatnonzero(inside)
        row, column = row[inside], column[inside]
        total[here] += weight
        unknown = removed[row, column]
        known[here[~unknown]] += weight * filled[row[~unknown], column[~unknown]]
        others = number[row[unknown], column[unknown]]
        parts.append((here[unknown], others, np.full(len(others), -weight)))
    parts.append((np.arange(count), np.arange(count), total))
    i, j, weights = (np.concatenate(each) for each in zip(*parts, strict=True))
    system = coo_matrix((weights, (i, j)), (count, count)).tocsc()
    filled[rows, columns] = spsolve(system, known).reshape(count, -1)
    return filled
