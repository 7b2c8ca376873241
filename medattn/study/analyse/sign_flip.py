"""The exact sign-flip test: is the mean difference of paired seeds zero?"""

import itertools

import numpy as np

EXACT = 16  # seeds up to which all signs are tried: 2^15 sums, the rest by symmetry
RESAMPLES = 50_000  # signs drawn above that
TIE = 1e-9  # sums are equal if they differ by less, as a fraction of sum |d|
CHUNK = 1 << 24  # sums held at a time


def sign_flip_p(differences: np.ndarray) -> np.ndarray:
    """Computes the two-sided p of the mean over all `2^n` signs of the differences.

    If networks do not differ, a seed's difference is as likely as its negative. With
    signs s in {-1, +1}^n and d the differences,

        p = fraction of s with |sum_i s_i d_i| >= |sum_i d_i|

    in which sums that differ only by rounding count as equal. The smallest p of n
    differences is `2^(1 - n)`.

    Args:
        differences: `(..., n)`, finite; a study in every line.

    Returns:
        `(...)`, p of each; 1 if nothing differs. With more than 16 differences the
        signs are drawn with a fixed seed, and the signs observed are counted with
        them, so that p is never 0.

    Reference:
        Fisher, The Design of Experiments, 1935, section 21; Good, Permutation,
        Parametric and Bootstrap Tests of Hypotheses, 2005; of drawn signs
        [Phipson and Smyth, 2010](https://doi.org/10.2202/1544-6115.1585).
    """
    d = np.asarray(differences, float)
    n = d.shape[-1]
    lines = d.reshape(-1, n)
    signs = _all_signs(n) if n <= EXACT else _drawn_signs(n)
    found = np.empty(len(lines))
    step = max(1, CHUNK // len(signs))
    for start in range(0, len(lines), step):
        part = lines[start : start + step]
        observed = np.abs(part.sum(-1)) - TIE * np.abs(part).sum(-1)
        found[start : start + step] = np.mean(
            np.abs(part @ signs.T) >= observed[:, None], axis=1
        )
    return found.reshape(d.shape[:-1])


def _all_signs(n: int) -> np.ndarray:
    """Lists the signs with a plus in front; the others give the same absolute sums."""
    rest = itertools.product((1.0, -1.0), repeat=max(n - 1, 0))
    return np.array([(1.0, *signs)[:n] for signs in rest])


def _drawn_signs(n: int) -> np.ndarray:
    signs = np.random.default_rng(0).choice((-1.0, 1.0), (RESAMPLES + 1, n))
    signs[0] = 1  # as observed
    return signs
