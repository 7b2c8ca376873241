"""Numbers from predictions: discrimination, calibration, and their uncertainty."""

from collections.abc import Sequence

import numpy as np

BINS = 15  # of the calibration error
SPECIFICITY = 0.95  # at which sensitivity is read
LEVEL = 0.95  # of all intervals


def score_predictions(
    labels: np.ndarray | Sequence[int],
    chance: np.ndarray,
    *,
    patients: np.ndarray | Sequence | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, float]:
    """Scores the predictions of one model on one test set.

    Args:
        labels: Classes, `(n,)`, integers.
        chance: Probability of each class, `(n, classes)`.
        patients: The patient of each image, `(n,)`; an image is a patient of its own
            unless given. The bootstrap draws patients.
        draws: Draws of the bootstrap; 0 leaves its intervals out.
        seed: Of the bootstrap.

    Returns:
        A dict of numbers. Of two classes: `auroc`, its DeLong interval `auroc_low`,
        `auroc_high`, and `auroc_patient_low`, `auroc_patient_high` of the bootstrap,
        `average_precision`, `balanced_accuracy`, `sensitivity_at_95_specificity`,
        `brier`, `ece`, `accuracy`, `majority_accuracy`. Of more: `auroc` (the mean of
        one against the rest), `balanced_accuracy`, `accuracy`, `majority_accuracy`.
    """
    labels, probabilities = np.asarray(labels), np.asarray(chance, np.float64)
    predicted = probabilities.argmax(axis=-1)
    classes = np.unique(labels)
    accuracies = {
        "accuracy": float(np.mean(predicted == labels)),
        "majority_accuracy": float(max(np.mean(labels == c) for c in classes)),
        "balanced_accuracy": float(
            np.mean([np.mean(predicted[labels == c] == c) for c in classes])
        ),
    }
    if probabilities.shape[1] > 2:
        areas = [auroc(labels == c, probabilities[:, c]) for c in classes]
        return {"auroc": float(np.mean(areas))} | accuracies
    positive, score = labels == 1, probabilities[:, 1]
    area, deviation = delong(positive, score)
    low, high = delong_interval(area, deviation)
    scores = {
        "auroc": area,
        "auroc_low": low,
        "auroc_high": high,
        "average_precision": average_precision(positive, score),
        "sensitivity_at_95_specificity": sensitivity_at(positive, score),
        "brier": float(np.mean((score - positive) ** 2)),
        "ece": calibration_error(positive, score),
    } | accuracies
    if draws:
        low, high = patient_interval(
            positive, score, patients=patients, draws=draws, seed=seed
        )
        scores |= {"auroc_patient_low": low, "auroc_patient_high": high}
    return scores


def auroc(positive: np.ndarray, score: np.ndarray) -> float:
    """Computes the probability that a positive scores above a negative.

    A tie counts half.

    Args:
        positive: Which are positive, `(n,)`, bool.
        score: Higher for the positive, `(n,)`.

    Returns:
        A number in [0, 1]; NaN if there is only one class.
    """
    return delong(positive, score)[0]


def delong(positive: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """Computes the AUROC and its standard deviation.

    With the midranks of every score among all and among its own class,
    `V10_i = (rank_i - own_i) / n` is the fraction of negatives below positive i,
    `V01_j` likewise, `A = mean V10`, and `var A = var V10 / m + var V01 / n`.

    Args:
        positive: Which are positive, `(n,)`, bool.
        score: Higher for the positive, `(n,)`.

    Returns:
        `(A, deviation)`; NaN where a class is missing or has one member only.

    Reference:
        [Sun and Xu, 2014](https://doi.org/10.1109/LSP.2014.2337313), algorithm 2, for
        [DeLong et al., 1988](https://doi.org/10.2307/2531595).
    """
    v10, v01 = _placements(positive, score)
    m, n = len(v10), len(v01)
    if not m or not n:
        return float("nan"), float("nan")
    area = float(v10.mean())
    if min(m, n) < 2:
        return area, float("nan")
    return area, float(np.sqrt(v10.var(ddof=1) / m + v01.var(ddof=1) / n))


def delong_interval(area: float, deviation: float) -> tuple[float, float]:
    """Computes an interval on the logit's scale, so that it stays within [0, 1].

    Args:
        area: AUROC.
        deviation: Its standard deviation, of `delong`.

    Returns:
        `(low, high)`; of a perfect ranking, whose deviation is 0, the area itself.
    """
    from scipy.stats import norm

    if not 0 < area < 1 or not np.isfinite(deviation):
        return area, area
    logit = np.log(area / (1 - area))
    reach = norm.ppf(0.5 + LEVEL / 2) * deviation / (area * (1 - area))
    low, high = 1 / (1 + np.exp(-np.array([logit - reach, logit + reach])))
    return float(low), float(high)


def delong_difference(
    positive: np.ndarray, score: np.ndarray, other: np.ndarray
) -> tuple[float, float, float]:
    """Compares two scores of the same images.

    Args:
        positive: Which are positive, `(n,)`, bool.
        score, other: Higher for the positive, `(n,)` each.

    Returns:
        `(difference of the AUROCs, its deviation, two-sided p)`.
    """
    from scipy.stats import norm

    (a10, a01), (b10, b01) = _placements(positive, score), _placements(positive, other)
    difference = float(a10.mean() - b10.mean())
    variance = (a10 - b10).var(ddof=1) / len(a10) + (a01 - b01).var(ddof=1) / len(a01)
    deviation = float(np.sqrt(variance))
    if deviation == 0:
        return difference, 0.0, 1.0
    return difference, deviation, float(2 * norm.sf(abs(difference) / deviation))


def average_precision(positive: np.ndarray, score: np.ndarray) -> float:
    """Computes the mean precision over the positives, from the highest score down."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(positive, score))


def sensitivity_at(
    positive: np.ndarray, score: np.ndarray, specificity: float = SPECIFICITY
) -> float:
    """Computes the maximum sensitivity at no less than a specificity."""
    from sklearn.metrics import roc_curve

    false, true, _ = roc_curve(positive, score, drop_intermediate=False)
    return float(true[false <= 1 - specificity + 1e-12].max())


def calibration_error(
    positive: np.ndarray, score: np.ndarray, bins: int = BINS
) -> float:
    """Computes the expected calibration error over bins of equal width.

    `sum_b n_b / n |mean score in b - fraction of positives in b|`
    """
    index = np.minimum((np.asarray(score) * bins).astype(int), bins - 1)
    count = np.bincount(index, minlength=bins)
    predicted = np.bincount(index, weights=score, minlength=bins)
    true = np.bincount(index, weights=np.asarray(positive, float), minlength=bins)
    return float(np.abs(predicted - true)[count > 0].sum() / len(index))


def patient_interval(
    positive: np.ndarray,
    score: np.ndarray,
    *,
    patients: np.ndarray | Sequence | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Computes an interval of the AUROC by drawing patients with all their images.

    Args:
        positive: Which are positive, `(n,)`, bool.
        score: Higher for the positive, `(n,)`.
        patients: The patient of each image, `(n,)`; each its own unless given.
        draws: Draws of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        `(low, high)`, the percentiles; NaN if no draw holds both classes.
    """
    positive = np.asarray(positive, bool)
    names = np.arange(len(positive)) if patients is None else np.asarray(patients)
    patient = np.unique(names, return_inverse=True)[1]
    count = patient.max() + 1
    rng = np.random.default_rng(seed)
    times = rng.multinomial(count, np.full(count, 1 / count), size=draws)
    weight = times[:, patient]  # (draws, images): how often an image was drawn
    # Images of one score are added, so that ties count half.
    values, index = np.unique(score, return_inverse=True)
    by_class = np.zeros((2, draws, len(values)))
    for kind, members in enumerate((~positive, positive)):
        for value, image in zip(index[members], np.flatnonzero(members), strict=True):
            by_class[kind, :, value] += weight[:, image]
    negatives, positives = by_class
    below = np.cumsum(negatives, axis=1) - negatives / 2
    pairs = negatives.sum(1) * positives.sum(1)
    areas = (positives * below).sum(1)[pairs > 0] / pairs[pairs > 0]
    if not len(areas):
        return float("nan"), float("nan")
    low, high = np.quantile(areas, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return float(low), float(high)


def _placements(
    positive: np.ndarray, score: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Places each positive among the negatives, and each negative among the positives.

    Returns:
        `(V10, V01)`, one number a positive and one a negative.
    """
    from scipy.stats import rankdata

    positive, score = np.asarray(positive, bool), np.asarray(score, np.float64)
    of_positives, of_negatives = score[positive], score[~positive]
    m, n = len(of_positives), len(of_negatives)
    if not m or not n:
        return np.full(m, np.nan), np.full(n, np.nan)
    ranks = rankdata(np.concatenate([of_positives, of_negatives]))
    v10 = (ranks[:m] - rankdata(of_positives)) / n
    v01 = 1 - (ranks[m:] - rankdata(of_negatives)) / m
    return v10, v01
