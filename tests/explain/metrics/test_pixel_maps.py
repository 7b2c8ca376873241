"""One number per pixel: by hand."""

import numpy as np
import pytest
from metric_maps import BY_HAND

from medattn.explain import edge_map, pixel_map, sparseness


def test_channels_become_one_number_in_the_chosen_way():
    relevance = np.float32([3, -4]).reshape(1, 1, 1, 2)
    for channels, expected in (("sum", 1), ("norm", 5), ("max", 4)):
        assert pixel_map(relevance, channels=channels).item() == expected
    assert pixel_map(relevance, sign="signed").item() == -1


def test_edges_are_at_the_step():
    image = np.zeros((1, 8, 8, 3))
    image[:, :, 4:] = 1
    edges = edge_map(image)[0]
    assert edges[:, 3:5].min() > 0.5 and edges[:, :2].max() == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sparseness(BY_HAND, channels="mean"), "channels='mean'"),
        (lambda: sparseness(np.ones((4, 4))), "no maps"),
        (lambda: sparseness(np.full((1, 2, 2), np.nan)), "4 that are NaN"),
    ],
)
def test_what_is_not_a_map_is_refused_in_three_parts(call, message):
    with pytest.raises(ValueError, match=r"Expected.*Received: ") as error:
        call()
    assert message in str(error.value)
