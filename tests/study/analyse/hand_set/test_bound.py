"""The additive bound: by mixed integers, by hand and by trying every order."""

import itertools

import numpy as np
import pytest
from scipy.optimize import linprog

from medattn.study.analyse.hand_set.bound import CONTEXT, additive_bound, label, pairs

UNEVEN = {(0, 0): 0.1, (0, 1): 0.2, (1, 0): 0.3, (1, 1): 0.4}


def orders():
    """Every order of the eight kinds that keeps the order of the lesions in each cue.

    An additive score ranks the four lesions alike beside both cues: 4! ranks, and
    (8 over 4) ways to shuffle the two sequences.
    """
    for lesions in itertools.permutations(itertools.product((0, 1), repeat=2)):
        for places in itertools.combinations(range(8), 4):
            first, second = iter(lesions), iter(lesions)
            yield [
                (0, *next(first)) if place in places else (1, *next(second))
                for place in range(8)
            ]


def is_additive(order, presence_only):
    """Whether numbers f, g put the kinds in this order, from the lowest: an LP."""

    def features(kind):
        cue, dark, bright = kind
        if presence_only:
            return np.array([cue, dark, bright])
        one = np.zeros(5)
        one[0], one[1 + 2 * dark + bright] = cue, 1
        return one

    steps = [features(a) - features(b) for a, b in itertools.pairwise(order)]
    found = linprog(
        np.zeros(len(steps[0])), A_ub=steps, b_ub=-np.ones(7), bounds=(None, None)
    )
    return found.status == 0


def best_order(probabilities, presence_only):
    """The best AUROC over all orders; ties are averages of orders on both sides."""
    weights = dict(pairs(probabilities))
    scored = []
    for order in orders():
        rank = {kind: place for place, kind in enumerate(order)}
        won = sum(w for (one, other), w in weights.items() if rank[one] > rank[other])
        scored.append((won, order))
    for won, order in sorted(scored, key=lambda one: -one[0]):
        if is_additive(order, presence_only):
            return won
    raise AssertionError("no order is additive")


@pytest.mark.parametrize("probabilities", [CONTEXT, UNEVEN], ids=["context", "uneven"])
@pytest.mark.parametrize("presence_only", [False, True])
def test_the_bound_is_the_best_of_all_orders(probabilities, presence_only):
    expected = best_order(probabilities, presence_only)
    found = additive_bound(probabilities, presence_only=presence_only)
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_bounds_by_hand():
    """p = .9: 1 - p^2 / 2 = .595, and with nuisance 1 - p^2 / 4 = .7975."""
    assert additive_bound() == pytest.approx(0.595, abs=1e-6)
    assert additive_bound(presence_only=True) == pytest.approx(0.595, abs=1e-6)
    assert additive_bound(nuisance=True) == pytest.approx(0.7975, abs=1e-6)


def test_no_random_additive_score_exceeds_the_bounds():
    """Scores with noise in f and g, drawn for each of many images."""
    rng, weights = np.random.default_rng(0), dict(pairs(CONTEXT))
    for spread in (0.0, 0.3, 1.0, 3.0):
        for _ in range(6):
            numbers = rng.normal(size=6)
            noise = spread * rng.gamma(1, size=6) * rng.normal(size=(2, 400, 6))
            f, g = np.split(numbers + noise, [2], axis=-1)
            assert auroc(f, g, weights) < additive_bound(nuisance=spread > 0) + 0.02


def test_noise_beside_one_cue_wins_half_of_what_cannot_be_won():
    """1 - 3 p^2 / 8 = .696, above the .595 of any one function."""
    rng = np.random.default_rng(1)
    f = np.stack([np.zeros((2, 4000)), 100 * rng.normal(size=(2, 4000))], axis=-1)
    g = np.broadcast_to([-1e4, 0.0, 1.0, 1e4], (2, 4000, 4))  # none, bright, dark, both
    assert auroc(f, g, dict(pairs(CONTEXT))) == pytest.approx(
        1 - 3 * 0.81 / 8, abs=0.01
    )


def auroc(f, g, weights):
    """Of scores f(cue) + g(lesions), drawn twice for many images, `(2, n, kinds)`."""
    won = 0.0
    for (one, other), weight in weights.items():
        mine = f[0, :, one[0]] + g[0, :, 2 * one[1] + one[2]]
        theirs = np.sort(f[1, :, other[0]] + g[1, :, 2 * other[1] + other[2]])
        above = np.searchsorted(theirs, mine, "left")
        below = np.searchsorted(theirs, mine, "right")
        won += weight * (above + below).mean() / 2 / len(theirs)
    return won


def test_half_of_the_images_are_positive():
    kinds = itertools.product((0, 1), repeat=3)
    positive = sum(CONTEXT[kind[1:]] / 2 for kind in kinds if label(kind))
    assert positive == pytest.approx(0.5)
    assert sum(weight for _, weight in pairs(UNEVEN)) == pytest.approx(1)


def test_probabilities_that_do_not_add_up_are_refused():
    with pytest.raises(ValueError, match="with sum 1"):
        additive_bound({(0, 0): 0.5, (0, 1): 0.1, (1, 0): 0.1, (1, 1): 0.1})
