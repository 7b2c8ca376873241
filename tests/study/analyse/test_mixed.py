"""The mixed model against its closed form, and where it disagrees."""

import warnings

import numpy as np
import pytest
from scipy.stats import t

from medattn.study.analyse import mixed
from medattn.study.analyse.contrasts import cell_differences, contrast_table
from medattn.study.analyse.mixed import Opinion, mixed_opinion, opinion_sentence
from medattn.study.analyse.results import SHIPPED, read_results
from medattn.study.analyse.simulate import estimate_noise
from medattn.study.analyse.statistics import compare

ROWS = read_results(SHIPPED / "micro.csv")


def balanced(mean, seed, cell, rest, *, cells=8, seeds=6, draw=0):
    rng = np.random.default_rng(draw)
    of_seed, of_cell = rng.normal(0, seed, seeds), rng.normal(0, cell, cells)
    return {
        c: {
            s: mean + of_seed[s] + of_cell[c] + rng.normal(0, rest)
            for s in range(seeds)
        }
        for c in range(cells)
    }


def compared(cells):
    means = np.mean([list(seeds.values()) for seeds in cells.values()], axis=0)
    return compare(means, np.zeros(len(means)))


@pytest.mark.parametrize(
    "cells",
    [
        cell_differences(ROWS, "SE − none", "auroc"),
        cell_differences(ROWS, "transformer − convolution", "auroc"),
        balanced(0.02, 0.03, 0.05, 0.02),
    ],
)
def test_balanced_it_is_the_analysis_of_variance(cells):
    """REML of a balanced crossed design has a closed form if no variance is zero:
    Var(mean) = (MS_seed + MS_cell - MS_rest) / (S C)."""
    d = np.array([list(seeds.values()) for seeds in cells.values()])
    c, s = d.shape
    a, b = c * d.mean(0).var(ddof=1), s * d.mean(1).var(ddof=1)
    rest = d - d.mean(0) - d.mean(1)[:, None] + d.mean()
    e = (rest**2).sum() / ((c - 1) * (s - 1))
    parts = a**2 / (s - 1) + b**2 / (c - 1) + e**2 / ((s - 1) * (c - 1))
    reach = t.ppf(0.975, (a + b - e) ** 2 / parts) * np.sqrt((a + b - e) / (s * c))
    found = mixed_opinion(cells)
    assert found.converged and found.mean == pytest.approx(d.mean())
    assert found.high - found.mean == pytest.approx(reach, rel=2e-3)
    noise = estimate_noise(cells)
    assert a == pytest.approx(c * noise.seed**2 + noise.rest**2)


def test_it_disagrees_where_the_cells_do():
    """+10 points in one cell and nothing in seven: the mean of these cells is sure,
    that of other cells is not."""
    cells = balanced(0.0, 0.001, 0.0, 0.001)
    cells[0] = {seed: value + 0.1 for seed, value in cells[0].items()}
    one, opinion = compared(cells), mixed_opinion(cells)
    assert one.low > 0 and opinion.low < 0 < opinion.high
    said = opinion_sentence("SE − none", one, opinion)
    assert "second opinion" in said and "which holds zero" in said and "−" in said


def test_it_is_silent_where_it_agrees():
    for mean in (0.2, 0.0):
        cells = balanced(mean, 0.02, 0.02, 0.02, draw=3)
        assert opinion_sentence("a", compared(cells), mixed_opinion(cells)) == ""
    assert opinion_sentence("a", compared(cells), None) == ""


def test_it_uses_the_seeds_that_lack_cells():
    cells = balanced(0.1, 0.02, 0.02, 0.02)
    del cells[3][0], cells[4][1]
    found = mixed_opinion(cells)
    assert found.converged and 0.05 < found.low < found.high < 0.15


def test_few_cells_or_seeds_or_no_variation_give_no_opinion():
    assert mixed_opinion({}) is None
    assert mixed_opinion({"a": {0: 1.0, 1: 2.0, 2: 2.0}}) is None
    assert mixed_opinion({c: {0: 0.1 * c, 1: 0.2} for c in range(5)}) is None
    assert mixed_opinion({c: dict.fromkeys(range(5), 0.1) for c in range(5)}) is None


def test_a_variance_of_zero_is_no_failure_and_warns_nobody():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for draw in range(4):
            cells = balanced(0.01, 0.0, 0.0, 0.02, draw=draw)
            found = mixed_opinion(cells)
            assert found.converged and np.isfinite([found.low, found.high]).all()


def test_a_model_that_does_not_converge_is_said(monkeypatch):
    monkeypatch.setattr(mixed, "_fit", lambda *_: None)
    cells = balanced(0.1, 0.02, 0.02, 0.02)
    found = mixed_opinion(cells)
    assert found == Opinion(found.mean, found.low, found.high, False)
    assert np.isnan(found.low)
    assert "did not converge" in opinion_sentence("a", compared(cells), found)


def test_the_shipped_contrasts_have_an_opinion():
    for name, one in contrast_table(ROWS).items():
        opinion = mixed_opinion(cell_differences(ROWS, name, "auroc"))
        assert opinion.converged
        assert opinion.mean == pytest.approx(one.mean, abs=1e-6)
