"""Checks of tutorial 7: LRP and DeepLIFT in numpy."""

import numpy as np

from medattn.teaching.errors import NotYet, Solution, call_solution, expect_close


def lrp_step(function: Solution) -> str:
    """`lrp_step(x, W, b, R, epsilon)`: relevance of a dense layer's inputs."""
    rng = np.random.default_rng(7)
    for epsilon in (0.25, 1e-6):
        x, b, R = rng.normal(size=4), rng.normal(size=3), rng.normal(size=3)
        W = rng.normal(size=(4, 3))
        found = call_solution(function, x, W, b, R, epsilon)
        expected = np.zeros(4)
        for k in range(3):  # one output after the other, one input after the other
            z = sum(x[j] * W[j, k] for j in range(4)) + b[k]
            signed_epsilon = epsilon if z >= 0 else -epsilon
            for j in range(4):
                expected[j] += x[j] * W[j, k] / (z + signed_epsilon) * R[k]
        expect_close(
            found,
            expected,
            "each output k gives its R[k] to the inputs in proportion to x[j] W[j, k]; "
            "the denominator z has the bias in it, and epsilon takes the sign of z.",
        )
    one, minus_one = np.ones(1), -np.ones(1)
    at_zero = call_solution(function, one, np.ones((1, 1)), minus_one, one, 0.5)
    if not np.isfinite(at_zero).all():
        raise NotYet(
            "With z = 0 the result is not finite. Hint: np.sign(0) is 0, so epsilon "
            "vanishes where it is needed; np.where(z >= 0, 1, -1) does not."
        )
    return "your step distributes relevance as equation 58 of Bach et al. does."


def rescale(function: Solution) -> str:
    """`rescale(z, z_reference)`: the multiplier of a ReLU."""
    z = np.array([2.0, -1.0, 3.0, -2.0, 1.5, -1.5])
    z_reference = np.array([1.0, 1.0, -1.0, -3.0, 1.5, -1.5])
    found = call_solution(function, z, z_reference)
    expect_close(
        found,
        [1.0, 0.5, 0.75, 0.0, 1.0, 0.0],
        "the multiplier is the difference of the outputs over the difference of the "
        "inputs; where the inputs do not differ, it is the ReLU's slope.",
    )
    rng = np.random.default_rng(8)
    z, z_reference = rng.normal(size=(2, 50))
    difference = call_solution(function, z, z_reference) * (z - z_reference)
    expect_close(
        difference,
        np.maximum(z, 0) - np.maximum(z_reference, 0),
        "multiplier times difference must be the difference of the outputs.",
    )
    return "multiplier times difference is the difference of the outputs, everywhere."
