"""Numbers from predictions: discrimination, calibration, and how sure they are."""

import numpy as np

BINS = 15  # of the calibration error
SPECIFICITY = 0.95  # at which sensitivity is read
LEVEL = 0.95  # of all intervals


def score_predictions(labels, chance, *, patients=None, draws=1000, seed=0):
    """Scores the predictions of one model on one test set.

    Args:
        labels: Classes, `(n,)`, integers.
        chance: Probability of each class, `(n, classes)`.
        patients: Whose image it is, `(n,)`; an image is a patient of its own unless
            given. The bootstrap draws patients.
        draws: Draws of the bootstrap; 0 leaves its intervals out.
        seed: Of the bootstrap.

    Returns:
        A dict of numbers. Of two classes: `auroc`, its DeLong interval `auroc_low`,
        `auroc_high`, and `auroc_patient_low`, `auroc_patient_high` of the bootstrap,
        `average_precision`, `balanced_accuracy`, `sensitivity_at_95_specificity`,
        `brier`, `ece`, `accuracy`, `majority_accuracy`. Of more: `auroc` (the mean of
        one against the rest), `balanced_accuracy`, `accuracy`, `majority_accuracy`.
    """
    labels, chance = np.asarray(labels), np.asarray(chance, np.float64)
    named = chance.argmax(axis=-1)
    classes = np.unique(labels)
    found = {
        "accuracy": float(np.mean(named == labels)),
        "majority_accuracy": float(max(np.mean(labels == c) for c in classes)),
        "balanced_accuracy": float(
            np.mean([np.mean(named[labels == c] == c) for c in classes])
        ),
    }
    if chance.shape[1] > 2:
        rest = [auroc(labels == c, chance[:, c]) for c in classes]
        return {"auroc": float(np.mean(rest))} | found
    sick, score = labels == 1, chance[:, 1]
    area, deviation = delong(sick, score)
    low, high = delong_interval(area, deviation)
    found = {
        "auroc": area,
        "auroc_low": low,
        "auroc_high": high,
        "average_precision": average_precision(sick, score),
        "sensitivity_at_95_specificity": sensitivity_at(sick, score),
        "brier": float(np.mean((score - sick) ** 2)),
        "ece": calibration_error(sick, score),
    } | found
    if draws:
        low, high = patient_interval(
            sick, score, patients=patients, draws=draws, seed=seed
        )
        found |= {"auroc_patient_low": low, "auroc_patient_high": high}
    return found


def auroc(sick, score):
    """Computes the chance that a positive scores above a negative; a tie counts half.

    Args:
        sick: Which are positive, `(n,)`, bool.
        score: Higher for the positive, `(n,)`.

    Returns:
        A number in [0, 1]; NaN if there is only one class.
    """
    return delong(sick, score)[0]


def delong(sick, score):
    """Computes the AUROC and its standard deviation.

    With the midranks of every score among all and among its own class,
    `V10_i = (rank_i - own_i) / n` is the share of negatives below positive i, `V01_j`
    likewise, `A = mean V10`, and `var A = var V10 / m + var V01 / n`.

    Args:
        sick: Which are positive, `(n,)`, bool.
        score: Higher for the positive, `(n,)`.

    Returns:
        `(A, deviation)`; NaN where a class is missing or has one member only.

    Reference:
        [Sun and Xu, 2014](https://doi.org/10.1109/LSP.2014.2337313), algorithm 2, for
        [DeLong et al., 1988](https://doi.org/10.2307/2531595).
    """
    positive, negative, placements = _placements(sick, score)
    m, n = len(positive), len(negative)
    if not m or not n:
        return float("nan"), float("nan")
    v10, v01 = placements
    area = float(v10.mean())
    if min(m, n) < 2:
        return area, float("nan")
    return area, float(np.sqrt(v10.var(ddof=1) / m + v01.var(ddof=1) / n))


def delong_interval(area, deviation):
    """Makes an interval on the logit's scale, so that it stays within [0, 1].

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


def delong_difference(sick, score, other):
    """Compares two scores of the same images.

    Args:
        sick: Which are positive, `(n,)`, bool.
        score, other: Higher for the positive, `(n,)` each.

    Returns:
        `(difference of the AUROCs, its deviation, two-sided p)`.
    """
    from scipy.stats import norm

    (a10, a01), (b10, b01) = _placements(sick, score)[2], _placements(sick, other)[2]
    difference = float(a10.mean() - b10.mean())
    variance = (a10 - b10).var(ddof=1) / len(a10) + (a01 - b01).var(ddof=1) / len(a01)
    deviation = float(np.sqrt(variance))
    if deviation == 0:
        return difference, 0.0, 1.0
    return difference, deviation, float(2 * norm.sf(abs(difference) / deviation))


def average_precision(sick, score):
    """Computes the mean precision over the positives, found from the top down."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(sick, score))


def sensitivity_at(sick, score, specificity=SPECIFICITY):
    """Computes the greatest sensitivity at no less than a specificity."""
    from sklearn.metrics import roc_curve

    false, true, _ = roc_curve(sick, score, drop_intermediate=False)
    return float(true[false <= 1 - specificity + 1e-12].max())


def calibration_error(sick, score, bins=BINS):
    """Computes the expected calibration error over bins of equal width.

    `sum_b n_b / n |mean score in b - share of positives in b|`
    """
    place = np.minimum((np.asarray(score) * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    said = np.bincount(place, weights=score, minlength=bins)
    true = np.bincount(place, weights=np.asarray(sick, float), minlength=bins)
    return float(np.abs(said - true)[count > 0].sum() / len(place))


def patient_interval(sick, score, *, patients=None, draws=1000, seed=0):
    """Makes an interval of the AUROC by drawing patients with all their images.

    Args:
        sick: Which are positive, `(n,)`, bool.
        score: Higher for the positive, `(n,)`.
        patients: Whose image it is, `(n,)`; each its own unless given.
        draws: How often.
        seed: Which draws.

    Returns:
        `(low, high)`, the percentiles; NaN if no draw holds both classes.
    """
    sick = np.asarray(sick, bool)
    whose = np.arange(len(sick)) if patients is None else np.asarray(patients)
    whose = np.unique(whose, return_inverse=True)[1]
    members = whose.max() + 1
    chance = np.random.default_rng(seed)
    times = chance.multinomial(members, np.full(members, 1 / members), size=draws)
    weight = times[:, whose]  # (draws, images): how often an image was drawn
    # Images of one score stand together, so that ties count half.
    values, place = np.unique(score, return_inverse=True)
    both = np.zeros((2, draws, len(values)))
    for kind, mine in enumerate((~sick, sick)):
        for value, image in zip(place[mine], np.flatnonzero(mine), strict=True):
            both[kind, :, value] += weight[:, image]
    negative, positive = both
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = negative.sum(1) * positive.sum(1)
    areas = (positive * below).sum(1)[pairs > 0] / pairs[pairs > 0]
    if not len(areas):
        return float("nan"), float("nan")
    low, high = np.quantile(areas, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return float(low), float(high)


def _placements(sick, score):
    """Places each positive among the negatives, and each negative among the positives.

    Returns the positives' and the negatives' scores, and `(V10, V01)`.
    """
    from scipy.stats import rankdata

    sick, score = np.asarray(sick, bool), np.asarray(score, np.float64)
    positive, negative = score[sick], score[~sick]
    m, n = len(positive), len(negative)
    if not m or not n:
        return positive, negative, (np.empty(0), np.empty(0))
    ranks = rankdata(np.concatenate([positive, negative]))
    v10 = (ranks[:m] - rankdata(positive)) / n
    v01 = 1 - (ranks[m:] - rankdata(negative)) / m
    return positive, negative, (v10, v01)
