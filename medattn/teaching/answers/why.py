"""Checks of tutorial 1: AUROC without a network, and occlusion."""

import numpy as np

from medattn.teaching.errors import NotYet, Solution, call_solution, expect_close


def no_network(function: Solution) -> str:
    """`no_network(feature, labels)`: AUROC of a single feature per image."""
    feature = np.array([3.0, 1.0, 2.0, 2.0, 5.0])
    labels = np.array([1, 0, 0, 1, 1])
    expect_close(
        call_solution(function, feature, labels),
        5.5 / 6,
        "of all pairs of a diseased and a healthy image, the fraction in which the "
        "diseased one has the larger number; equal numbers count half.",
    )
    rng = np.random.default_rng(1)
    feature, labels = rng.normal(size=60), rng.integers(0, 2, 60)
    pairs = [
        (a > b) + 0.5 * (a == b)
        for a in feature[labels == 1]
        for b in feature[labels == 0]
    ]
    expect_close(
        call_solution(function, feature, labels),
        np.mean(pairs),
        "compare each diseased image with each healthy one.",
    )
    return "your number is the area under the ROC curve."


def occlusion(function: Solution) -> str:
    """`occlusion(predict, image, size)`: the drop under each grey square."""
    rng = np.random.default_rng(2)
    image, weights = rng.random((8, 8, 3)), rng.normal(size=(8, 8, 3))

    def predict(images):
        return np.asarray([(weights * one).sum() for one in np.asarray(images)])

    expected = np.zeros((4, 4))
    for i in range(4):
        for j in range(4):
            square = (slice(2 * i, 2 * i + 2), slice(2 * j, 2 * j + 2))
            expected[i, j] = (weights[square] * (image[square] - 0.5)).sum()
    before = image.copy()
    found = call_solution(function, predict, image, 2)
    if not np.array_equal(before, image):
        raise NotYet("Your function changed the image itself. Hint: `image.copy()`.")
    if np.allclose(found, -expected):
        raise NotYet("The sign is wrong. Hint: the drop is before minus after.")
    expect_close(
        found,
        expected,
        "one number a square: prediction of the intact image minus that of the image "
        "with this square set to 0.5.",
    )
    return "your map needs only the predictions of the model."
