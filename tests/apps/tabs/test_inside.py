"""What the tab shows of a network's attention is what the library reads from it."""

import re

import numpy as np
import pytest

from medattn.explain import gate_maps
from medattn_app.domain.cases import synthetic_cases
from medattn_app.domain.texts import Words
from medattn_app.tabs.inside import view as inside_view
from medattn_app.tabs.inside.tab import Inside

words = Words()


@pytest.fixture(scope="module")
def inside(service):
    return Inside(service)


@pytest.mark.parametrize(("block", "kinds"), [("SE", 1), ("CBAM", 2)])
def test_the_gates_are_those_of_the_network_itself(
    service, inside, trained, block, kinds
):
    case = synthetic_cases("fundus")[1]
    for regime in (1.0, 0.1):  # one reader, two networks
        cell = service.cell("fundus", "ResNet", block, regime)
        look = inside.look(case, cell)
        assert len({"spatial", "channel"} & set(look)) == kinds
        model = trained(cell.model_name, regime)
        for kind in {"spatial", "channel"} & set(look):
            own = gate_maps(model, case.pixels[None], kind=kind)
            assert list(own) == list(look[kind])
            for name, values in own.items():
                np.testing.assert_allclose(look[kind][name], values[0], atol=1e-5)
                assert 0 <= values.min() and values.max() <= 1


def test_every_picture_is_told_in_words_and_every_gate_is_there(service, inside):
    case, cell = (
        synthetic_cases("fundus")[1],
        service.cell("fundus", "ResNet", "CBAM", 1.0),
    )
    look = inside.look(case, cell)
    html = inside_view.page(case, cell, look, words)
    told = re.findall(r'role="img" aria-label="([^"]+)"', html)
    gates = len(look["spatial"]) + len(look["channel"])
    assert len(told) == gates + 2 and all(told)
    first = next(iter(look["spatial"].values()))
    assert f"{first.min():.2f} – {first.max():.2f}" in html
    assert "<script" not in html and "http" not in html


def test_a_network_without_attention_says_so(service, inside):
    case, cell = (
        synthetic_cases("fundus")[1],
        service.cell("fundus", "ResNet", "none", 1.0),
    )
    html = inside_view.page(case, cell, inside.look(case, cell), words)
    assert "no attention to look at" in html and "afterwards, LRP" in html


def test_a_gate_that_does_not_choose_is_drawn_empty_and_not_full_of_noise():
    assert not inside_view._shape(np.full((4, 4), 0.5)).any()
    np.testing.assert_allclose(inside_view._shape([[0.2, 0.4], [0.6, 0.2]])[1], [1, 0])
