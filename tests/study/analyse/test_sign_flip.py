"""The sign-flip test against loops over the signs, and against hand-worked p."""

import itertools

import numpy as np
import pytest

from medattn.study.analyse import sign_flip
from medattn.study.analyse.sign_flip import sign_flip_p


def p_by_loops(d):
    """Counts the sign vectors whose absolute mean is as large, one after the other."""
    observed, far, every = abs(sum(d)) / len(d), 0, 0
    for signs in itertools.product((1, -1), repeat=len(d)):
        mean = abs(sum(s * x for s, x in zip(signs, d, strict=True))) / len(d)
        far += mean >= observed - 1e-12
        every += 1
    return far / every


def test_a_p_by_hand():
    """1, 2, 3: only +++ and --- reach a sum of 6: 2 of 8. -1, 2, 3 sum to 4: so do
    -++, +-- and the two of 6: 4 of 8. 1, -1: every sum is 0 or 2, so all reach 0."""
    assert sign_flip_p([1, 2, 3]) == 2 / 8
    assert sign_flip_p([-1, 2, 3]) == 4 / 8
    assert sign_flip_p([1, -1]) == 1 and sign_flip_p([0.3]) == 1
    assert sign_flip_p([0, 0, 0]) == 1


def test_it_is_the_count_over_all_signs():
    rng = np.random.default_rng(0)
    for n in (2, 3, 5, 8, 10):
        d = rng.normal(0.5, 1, n)
        assert sign_flip_p(d) == pytest.approx(p_by_loops(d))


def test_ties_count_whatever_their_rounding():
    """.1 + .2 is not .3 in floating point; both sums of these are 0 by hand, and
    0.1, 0.2, 0.3, 0.3 has the ties that integers have."""
    assert sign_flip_p([0.1, 0.2, -0.3]) == 1
    whole = np.array([1, 2, 3, 3, -2, 4, 1, 1])
    assert sign_flip_p(whole / 10) == sign_flip_p(whole) == p_by_loops(whole)


def test_many_studies_at_once_are_as_one_by_one(monkeypatch):
    monkeypatch.setattr(sign_flip, "CHUNK", 300)  # two lines of 2^7 sums at a time
    studies = np.random.default_rng(1).normal(size=(3, 5, 8))
    found = sign_flip_p(studies)
    assert found.shape == (3, 5)
    for line, p in zip(studies.reshape(15, 8), found.ravel(), strict=True):
        assert p == sign_flip_p(line)


def test_the_smallest_p_is_two_of_all_signs():
    for n in (6, 8, 12, 16):
        assert sign_flip_p(np.linspace(1, 2, n)) == 2.0 ** (1 - n)


def test_drawn_signs_come_close_to_all_signs_and_are_the_same_each_time(monkeypatch):
    d = np.random.default_rng(2).normal(0.4, 1, 14)
    exact = sign_flip_p(d)
    monkeypatch.setattr(sign_flip, "EXACT", 10)
    drawn = sign_flip_p(d)
    assert drawn == sign_flip_p(d)
    error = np.sqrt(exact * (1 - exact) / sign_flip.RESAMPLES)
    assert abs(drawn - exact) < 4 * error
    assert sign_flip_p(np.full(14, 0.1)) > 0  # the observed signs count


def test_it_agrees_with_scipys_permutation_test():
    from scipy.stats import permutation_test

    d = np.random.default_rng(3).normal(0.6, 1, 9)
    theirs = permutation_test(
        (d,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip_p(d) == pytest.approx(theirs.pvalue)
