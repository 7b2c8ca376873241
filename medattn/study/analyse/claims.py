"""Published claims: how probable is it that "A beats B" is false?

Two methods are tried on the same `n` images. With p_A and p_B their accuracies and p_11
the fraction of images that both get right (their congruence), A alone is right on
x_A = n (p_A - p_11) images and B alone on x_B = n (p_B - p_11). Under a flat prior the
fractions of those images are Dirichlet(x_A + 1, x_B + 1, n - x_A - x_B + 2), and

    P(A is no better than B) = I_{1/2}(x_A + 1, x_B + 1),

the regularised incomplete beta function. Papers rarely print the congruence; it lies
between max(0, p_A + p_B - 1) and min(p_A, p_B), and the claim is judged at several
fractions of that range.

Reference:
    [Christodoulou et al., 2025](https://arxiv.org/abs/2505.04720), section 2; for AUROC
    [Hanley and McNeil, 1983](https://doi.org/10.1148/radiology.148.3.6878708), whose
    standard errors are correlated by an assumed r.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

Metric = Literal["accuracy", "auroc"]
COLUMNS = ("method_a", "method_b", "a", "b", "classes")
OPTIONAL = ("metric", "congruence", "dataset", "paper")
ASSUMED = (0.5, 0.9)  # fractions of the congruence's range, from unlike to alike
DOUBTFUL = 0.05  # the paper's bar: a claim more probably false than that is doubtful
LEVEL = 0.95


@dataclass(frozen=True)
class CheckedClaim:
    """One comparison of two methods, judged.

    Attributes:
        better: Name of the method with the larger value; None if they tie.
        worse: The other one; None if they tie.
        difference: Value of the better minus that of the worse, in [0, 1].
        congruence: The congruences assumed, one a fraction of `ASSUMED`, or the one
            that was given. Of accuracies the fraction of images that both get right, of
            AUROCs the correlation of the two.
        p_false: P(the better is no better), one a congruence, in [0, 1].
        low: Lower end of the interval of the difference, at the first congruence.
        high: Its upper end.
        majority: Accuracy of always naming the commonest class, in [0, 1].
        below_majority: Whether both accuracies lie below it; False of AUROCs.
    """

    better: str | None
    worse: str | None
    difference: float
    congruence: tuple[float, ...]
    p_false: tuple[float, ...]
    low: float
    high: float
    majority: float
    below_majority: bool


def check_claim(
    method_a: str,
    method_b: str,
    a: float,
    b: float,
    classes: Sequence[int],
    *,
    metric: Metric = "accuracy",
    congruence: float | None = None,
) -> CheckedClaim:
    """Judges one published comparison.

    Args:
        method_a: Name of the first method.
        method_b: Name of the second.
        a: Accuracy or AUROC of the first on the test set, in [0, 1].
        b: That of the second, on the same images.
        classes: Test images of each class; for an AUROC `(negatives, positives)`.
        metric: What `a` and `b` are.
        congruence: Where it is known: of accuracies the fraction of images that both
            get right, of AUROCs their correlation. Else `ASSUMED` fractions of what is
            possible are tried.

    Returns:
        A `CheckedClaim`.

    Raises:
        ValueError: If a number is out of range, or no two methods could have it.
    """
    _check(a, b, classes, metric, congruence)
    names = (method_a, method_b) if a >= b else (method_b, method_a)
    top, bottom = max(a, b), min(a, b)
    images, majority = sum(classes), max(classes) / sum(classes)
    low_end, high_end = _possible(a, b, metric)
    if congruence is None:
        assumed = tuple(low_end + f * (high_end - low_end) for f in ASSUMED)
    else:
        assumed = (congruence,)
    if metric == "accuracy":
        p_false = tuple(probability_false(top, bottom, images, p) for p in assumed)
        low, high = difference_interval(top, bottom, images, assumed[0])
    else:
        error = auroc_error(top, bottom, classes, assumed[0])
        p_false = tuple(
            _normal(bottom - top, auroc_error(top, bottom, classes, r)) for r in assumed
        )
        reach = _quantile((1 + LEVEL) / 2) * error
        low, high = top - bottom - reach, top - bottom + reach
    return CheckedClaim(
        better=None if a == b else names[0],
        worse=None if a == b else names[1],
        difference=top - bottom,
        congruence=assumed,
        p_false=p_false,
        low=low,
        high=high,
        majority=majority,
        below_majority=metric == "accuracy" and top < majority,
    )


def probability_false(a: float, b: float, images: int, congruence: float) -> float:
    """Computes the probability that a method of accuracy `a` is no better than `b`.

    I_{1/2}(n (a - p_11) + 1, n (b - p_11) + 1)

    Args:
        a: Accuracy of the method that is claimed to be better, in [0, 1].
        b: That of the other.
        images: Test images `n`.
        congruence: Fraction of the images that both get right, `p_11`.

    Reference: [Christodoulou et al., 2025](https://arxiv.org/abs/2505.04720), section 2
    """
    from scipy.special import betainc

    only_a, only_b = images * (a - congruence), images * (b - congruence)
    return float(betainc(only_a + 1, only_b + 1, 0.5))


def difference_interval(
    a: float, b: float, images: int, congruence: float, level: float = LEVEL
) -> tuple[float, float]:
    """Computes the interval in which the true difference of two accuracies lies.

    The fraction of images on which just one method is right is s, A's part of them
    is u: the difference is s (2 u - 1), with s and u independent beta variables.

    Args:
        a: Accuracy of the first method, in [0, 1].
        b: That of the second.
        images: Test images.
        congruence: Fraction of the images that both get right.
        level: Probability inside the interval, equal tails.
    """
    from scipy.optimize import brentq
    from scipy.special import betainc
    from scipy.stats import beta

    only_a, only_b = images * (a - congruence), images * (b - congruence)
    either = beta(only_a + only_b + 2, images - only_a - only_b + 2)
    # Quantiles at the middles of 2,000 equal parts: a sum is the integral over s.
    s = either.ppf((np.arange(2000) + 0.5) / 2000)

    def below(difference: float) -> float:
        part = np.clip((1 + difference / s) / 2, 0, 1)
        return float(betainc(only_a + 1, only_b + 1, part).mean())

    tail = (1 - level) / 2
    low, high = (
        float(brentq(lambda d, q=q: below(d) - q, -1.0, 1.0)) for q in (tail, 1 - tail)
    )
    return low, high


def auroc_error(
    a: float, b: float, classes: Sequence[int], correlation: float
) -> float:
    """Computes the standard error of a difference of two AUROCs on the same images.

    Args:
        a: AUROC of the first method.
        b: That of the second.
        classes: `(negatives, positives)`.
        correlation: Of the two AUROCs, in [0, 1).

    Reference: [Hanley and McNeil, 1982](https://doi.org/10.1148/radiology.143.1.7063747),
    equation 1, and [1983](https://doi.org/10.1148/radiology.148.3.6878708), equation 1
    """
    negatives, positives = classes

    def variance(area: float) -> float:
        q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
        spread = area * (1 - area)
        spread += (positives - 1) * (q1 - area**2) + (negatives - 1) * (q2 - area**2)
        return spread / (positives * negatives)

    first, second = variance(a), variance(b)
    both = first + second - 2 * correlation * np.sqrt(first * second)
    return float(np.sqrt(max(both, 0.0)))


def read_claims(path: str | Path) -> list[dict[str, object]]:
    """Reads a table of published comparisons.

    Args:
        path: A CSV with the columns `method_a`, `method_b`, `a`, `b` and `classes`
            (test images of each class, `279/271`), and if wanted `metric` (`accuracy`
            or `auroc`), `congruence`, `dataset` and `paper`.

    Returns:
        A list of dicts, one a row, ready for `check_claim` but for the columns
        `dataset` and `paper`.

    Raises:
        ValueError: If a column is missing or a cell cannot be read; the message names
            row and column.
    """
    import csv

    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        columns = [name.strip() for name in reader.fieldnames or ()]
        if missing := [name for name in COLUMNS if name not in columns]:
            raise ValueError(
                f"{path} lacks columns. Expected {list(COLUMNS)}, and if wanted "
                f"{list(OPTIONAL)}. Received: {columns}, without {missing}"
            )
        reader.fieldnames = columns
        return [_read_row(path, n, row) for n, row in enumerate(reader, start=2)]


def check_claims(rows: Sequence[Mapping[str, object]]) -> list[CheckedClaim]:
    """Judges a table of comparisons, of `read_claims` or made by hand.

    Args:
        rows: Dicts with the arguments of `check_claim`; further keys are left alone.

    Returns:
        One `CheckedClaim` a row.
    """
    known = ("method_a", "method_b", "a", "b", "classes", "metric", "congruence")
    return [
        check_claim(**{key: row[key] for key in known if key in row})  # type: ignore[arg-type]
        for row in rows
    ]


def claim_sentence(claim: CheckedClaim) -> str:
    """Says in one sentence what a claim can bear."""
    if claim.better is None:
        return "No difference is claimed."
    p_false = " to ".join(f"{p:.2f}" for p in sorted(set(claim.p_false)))
    doubtful = max(claim.p_false) > DOUBTFUL
    sentence = (
        f"{claim.better} beats {claim.worse} by {100 * claim.difference:.1f} points "
        f"[{100 * claim.low:+.1f}, {100 * claim.high:+.1f}]: the claim is false with "
        f"probability {p_false}" + (", so it is doubtful." if doubtful else ".")
    )
    if claim.below_majority:
        sentence += (
            " Both lie below always naming the commonest class "
            f"({100 * claim.majority:.1f}%)."
        )
    return sentence


def _read_row(path: str | Path, number: int, row: Mapping[str, str]) -> dict:
    cells = {key: (value or "").strip() for key, value in row.items() if key}
    made: dict[str, object] = dict(cells)
    for column, read, what in (
        ("a", float, "a number from 0 to 1"),
        ("b", float, "a number from 0 to 1"),
        ("congruence", float, "a number from 0 to 1"),
        ("classes", _counts, "test images of each class, such as 279/271"),
    ):
        if not cells.get(column) and column == "congruence":
            made.pop(column, None)
            continue
        try:
            made[column] = read(cells[column])
        except ValueError as error:
            raise ValueError(
                f"{path}, row {number}, column {column!r} cannot be read. Expected "
                f"{what}. Received: {cells[column]!r}"
            ) from error
    if not cells.get("metric"):
        made.pop("metric", None)
    return made


def _counts(cell: str) -> tuple[int, ...]:
    return tuple(int(part) for part in cell.split("/"))


def _possible(a: float, b: float, metric: Metric) -> tuple[float, float]:
    """Returns the range of the congruence that two results allow."""
    if metric == "auroc":
        return 0.0, 1.0
    return max(0.0, a + b - 1), min(a, b)


def _check(
    a: float,
    b: float,
    classes: Sequence[int],
    metric: Metric,
    congruence: float | None,
) -> None:
    if metric not in get_args(Metric):
        raise ValueError(
            f"Unknown metric. Expected one of {list(get_args(Metric))}. "
            f"Received: metric={metric!r}"
        )
    if not (0 <= a <= 1 and 0 <= b <= 1):
        raise ValueError(
            f"Results lie between 0 and 1. Expected fractions. Received: a={a}, b={b}"
        )
    fits = len(classes) >= 2 if metric == "accuracy" else len(classes) == 2
    if not fits or min(classes) < 1:
        raise ValueError(
            "The test images of each class are needed, two numbers for an AUROC. "
            f"Expected counts >= 1. Received: classes={tuple(classes)}"
        )
    low, high = _possible(a, b, metric)
    rounding = 0.5 / sum(classes)  # results are printed rounded
    if congruence is not None and not low - rounding <= congruence <= high + rounding:
        raise ValueError(
            f"No two methods with these results agree so. Expected a congruence from "
            f"{low:.3f} to {high:.3f}. Received: congruence={congruence}"
        )


def _normal(difference: float, error: float) -> float:
    from scipy.stats import norm

    if error == 0:
        return 0.5 if difference == 0 else float(difference > 0)
    return float(norm.cdf(difference / error))


def _quantile(probability: float) -> float:
    from scipy.stats import norm

    return float(norm.ppf(probability))
