"""What the tab shows of a network's attention is what the library reads from it."""

import re

import numpy as np
import pytest

from medattn.explain import gate_maps
from medattn_app.domain.cases import synthetic_cases
from medattn_app.domain.texts import Words
from medattn_app.tabs.inside import view as inside_view
from medattn_app.tabs.inside.reader import AttentionReader

words = Words()


@pytest.fixture(scope="module")
def inside(service):
    return AttentionReader(service)


@pytest.mark.parametrize(("block", "kinds"), [("SE", 1), ("CBAM", 2)])
def test_the_gates_are_those_of_the_network_itself(
    service, inside, trained, block, kinds
):
    case = synthetic_cases("fundus")[1]
    for regime in (1.0, 0.1):  # one reader, two networks
        cell = service.cell("fundus", "ResNet", block, regime)
        attention = inside.read(case, cell)
        found = {"spatial": attention.spatial, "channel": attention.channel}
        found = {kind: gates for kind, gates in found.items() if gates}
        assert len(found) == kinds
        model = trained(cell.model_name, regime)
        for kind, gates in found.items():
            own = gate_maps(model, case.pixels[None], kind=kind)
            assert list(own) == list(gates)
            for name, values in own.items():
                np.testing.assert_allclose(gates[name], values[0], atol=1e-5)
                assert 0 <= values.min() and values.max() <= 1


def test_every_picture_is_described_and_every_gate_is_shown(service, inside):
    case, cell = (
        synthetic_cases("fundus")[1],
        service.cell("fundus", "ResNet", "CBAM", 1.0),
    )
    attention = inside.read(case, cell)
    html = inside_view.page(case, cell, attention, words)
    descriptions = re.findall(r'role="img" aria-label="([^"]+)"', html)
    gates = len(attention.spatial) + len(attention.channel)
    assert len(descriptions) == gates + 2 and all(descriptions)
    first = next(iter(attention.spatial.values()))
    assert f"{first.min():.2f} – {first.max():.2f}" in html
    assert "<script" not in html and "http" not in html


def test_a_network_without_attention_says_so(service, inside):
    case, cell = (
        synthetic_cases("fundus")[1],
        service.cell("fundus", "ResNet", "none", 1.0),
    )
    html = inside_view.page(case, cell, inside.read(case, cell), words)
    assert "no attention to look at" in html and "afterwards, LRP" in html


def test_a_gate_that_does_not_choose_is_drawn_empty_and_not_full_of_noise():
    assert not inside_view._shape(np.full((4, 4), 0.5)).any()
    np.testing.assert_allclose(inside_view._shape([[0.2, 0.4], [0.6, 0.2]])[1], [1, 0])
