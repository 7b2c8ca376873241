"""Tokens and maps as positions in the image: by hand."""

import numpy as np
import pytest

from medattn.explain.spatial import spread, token_grid, upsampled


@pytest.mark.parametrize(
    ("tokens", "shape", "grid"),
    [
        (65, (64, 64), (1, 8, 8)),
        (64, (64, 64), (0, 8, 8)),
        (197, (224, 224), (1, 14, 14)),
        (33, (32, 64), (1, 4, 8)),
        (50, (64, 64), None),
        (66, (64, 64), None),
    ],
)
def test_patches_are_found_among_tokens(tokens, shape, grid):
    assert token_grid(tokens, shape) == grid


def test_spreading_keeps_the_sum_and_enlarging_keeps_a_constant():
    maps = np.random.default_rng(2).random((2, 3, 4)).astype(np.float32)
    images = np.zeros((2, 3, 4, 5))
    np.testing.assert_allclose(spread(maps, images).sum(-1), maps, rtol=1e-6)
    np.testing.assert_allclose(upsampled(np.ones((1, 2, 2)), (6, 6)), 1, rtol=1e-6)
    # Two columns 0 and 1 enlarged to four: centres at 1/4 and 3/4 of the way.
    ramp = upsampled(np.float32([[[0, 1]]]), (1, 4))[0, 0]
    np.testing.assert_allclose(ramp, [0, 0.25, 0.75, 1], atol=1e-6)
