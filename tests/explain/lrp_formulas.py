"""LRP's rules for one dense layer in plain numpy, written from the papers."""

import numpy as np


def parts(c):
    return np.maximum(c, 0), np.minimum(c, 0)


def share(c, denominator, relevance):
    """R_j = sum_k c_jk R_k / denominator_k; zero where the denominator is zero."""
    safe = np.where(denominator == 0, 1, denominator)
    return (c * np.where(denominator == 0, 0, relevance / safe)).sum(-1)


# Of contributions c (inputs, outputs), bias b, relevance R (outputs): written from the
# papers, one line a rule.
EXPECTED = {
    "lrp.z": lambda c, b, R, w: share(c, c.sum(0) + b, R),
    "lrp.epsilon": lambda c, b, R, w: share(
        c, c.sum(0) + b + 1e-7 * np.where(c.sum(0) + b >= 0, 1, -1), R
    ),
    "lrp.alpha_1_beta_0": lambda c, b, R, w: share(
        parts(c)[0], parts(c)[0].sum(0) + b, R
    ),
    "lrp.alpha_1_beta_0_IB": lambda c, b, R, w: share(
        parts(c)[0], parts(c)[0].sum(0), R
    ),
    "lrp.alpha_2_beta_1_IB": lambda c, b, R, w: (
        2 * share(parts(c)[0], parts(c)[0].sum(0), R)
        - share(parts(c)[1], parts(c)[1].sum(0), R)
    ),
    "lrp.flat": lambda c, b, R, w: np.full(len(c), R.sum() / len(c)),
    "lrp.w_square": lambda c, b, R, w: share(w**2, (w**2).sum(0), R),
}
EXPECTED["lrp.z_plus"] = EXPECTED["lrp.alpha_1_beta_0_IB"]
EXPECTED["lrp.z_plus_fast"] = EXPECTED["lrp.alpha_1_beta_0_IB"]
EXPECTED["lrp.attention"] = EXPECTED["lrp.epsilon"]


def gamma(c, b, R, w, gamma=0.25):
    up = c.sum(0) + b > 0
    favoured = c + gamma * np.where(up, *parts(c))
    bias = b + gamma * np.where(up, *parts(b))
    return share(favoured, favoured.sum(0) + bias, R)


EXPECTED["lrp.gamma"] = gamma
