"""The sentence at the bottom is never stronger than the seeds support."""

import pytest

from medattn.study import compare, compare_networks
from medattn_app.domain.cells import Cell
from medattn_app.domain.texts import Words
from medattn_app.service.conclusion import compared_with, difference, seeds_sentence

words = Words()


def test_two_networks_are_paired_by_seed_by_hand():
    def row(model, seed, auroc, **more):
        return dict(
            dataset="fundus", model=model, regime=0.1, seed=seed, auroc=auroc,
            initialisation="random", shortcut=None, state="done",
        ) | more  # fmt: skip

    rows = [row("a", s, v) for s, v in ((0, 0.9), (1, 0.8), (2, 0.7))]
    rows += [row("b", s, v) for s, v in ((2, 0.5), (1, 0.7), (0, 0.6), (9, 0.1))]
    rows += [row("a", 3, 0.9, state="failed"), row("b", 3, 0.1)]
    rows += [row("b", 0, 0.0, shortcut=0.9)]
    sides = [dict(dataset="fundus", model=name, regime=0.1) for name in "ab"]
    one = compare_networks(rows, *sides)
    assert one.seeds == 3 and one.mean == pytest.approx((0.3 + 0.1 + 0.2) / 3)
    assert compare_networks(rows[:1], *sides) is None


def test_a_small_difference_cannot_tell_and_says_how_many_seeds_are_needed():
    one = compare([0.71, 0.75, 0.70, 0.74], [0.70, 0.76, 0.69, 0.70])
    said = seeds_sentence(one, "AUROC", words)
    assert "Over 4 seeds AUROC differs by +1.3 points" in said
    assert "cannot tell" in said and f"About {one.needed} seeds" in said


def test_six_seeds_that_agree_are_enough_for_a_verdict():
    one = compare([0.9, 0.91, 0.92, 0.9, 0.93, 0.9], [0.5, 0.52, 0.6, 0.55, 0.5, 0.51])
    said = seeds_sentence(one, "AUROC", words)
    assert "higher, beyond the noise of the seeds" in said and "cannot" not in said


def test_the_difference_names_only_what_changed():
    none, cbam = (Cell("fundus", "ResNet", block, 1.0) for block in ("none", "CBAM"))
    few = Cell("fundus", "DenseNet", "CBAM", 0.01)
    assert difference(none, cbam, words) == "CBAM instead of no attention"
    assert difference(cbam, few, words) == (
        "DenseNet instead of ResNet, 1 % instead of 100 %"
    )


def test_a_cell_is_compared_with_the_one_before_or_with_no_attention(service):
    cell = service.cell("fundus", "ResNet", "CBAM", 0.1)
    assert compared_with(service, cell, None).attention == "none"
    assert compared_with(service, cell, "ResNet|SE|1").regime == 1.0
    assert compared_with(service, cell, "<script>").attention == "none"
    assert compared_with(service, cell, {"no": "id"}).attention == "none"
    plain = service.cell("fundus", "ResNet", "none", 1.0)
    assert compared_with(service, plain, None).attention == "CBAM"
