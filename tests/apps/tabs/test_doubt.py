"""The four experiments: each number against the library's own."""

import re

import numpy as np
import pytest

from medattn.data import draw_images
from medattn.explain import (
    create_analyzer,
    deletion,
    explainer,
    pixel_map,
    randomisation_check,
    shortcut_share,
)
from medattn.study import probabilities
from medattn.zoo import load_zoo_model
from medattn_app.domain.cases import synthetic_cases
from medattn_app.domain.cells import Cell
from medattn_app.domain.texts import Words
from medattn_app.service import experiments as experiments
from medattn_app.tabs.common.plots import Line, even_steps, line_chart
from medattn_app.tabs.doubt.deletion_view import deleted_html
from medattn_app.tabs.doubt.planted_view import planted_html
from medattn_app.tabs.doubt.randomised_view import randomised_html
from medattn_app.tabs.doubt.reference_view import compared_html

CBAM = Cell("fundus", "ResNet", "CBAM", 1.0)
NONE = Cell("fundus", "ResNet", "none", 1.0)


@pytest.fixture(scope="module")
def rooms():
    return experiments.Experiments()


@pytest.fixture(scope="module")
def case():
    return synthetic_cases("fundus")[0]


def test_randomising_gives_the_library_numbers_and_leaves_the_network_whole(
    rooms, case
):
    before = rooms.delete(case, NONE, "gradient").values
    found = rooms.randomise(case, NONE, "gradient")
    model = load_zoo_model("micro_resnet")
    expected = randomisation_check(
        explainer("gradient", 1),
        model,
        case.pixels[None],
        stages=experiments.RANDOMISATION_STAGES,
    )
    np.testing.assert_allclose(found.spearman, expected.spearman[:, 0], atol=1e-4)
    assert found.depths == tuple(expected.depths)
    assert (
        len(found.maps)
        == len(found.probabilities)
        == experiments.RANDOMISATION_STAGES + 1
    )
    assert found.probabilities[0] == pytest.approx(before[0], abs=1e-5)
    after = experiments.Experiments.delete(rooms, case, NONE, "gradient").values
    np.testing.assert_array_equal(after, before)
    assert probabilities(rooms._model(NONE), case.pixels[None])[0, 1] == pytest.approx(
        before[0], abs=1e-5
    )


def test_a_method_that_cannot_read_the_network_says_so(rooms, case):
    found = rooms.randomise(case, CBAM, "guided_backprop")
    assert "ReLU" in found.refused and found.maps is None
    html = randomised_html(case, [found], Words("en"))
    assert "ReLU" in html and "No chosen method" in html


def test_the_reference_moves_the_sum_and_never_the_completeness(rooms, case):
    sums = []
    for reference in ("zeros", "mean", "blur", 0.5):
        found = rooms.compare(case, NONE, reference)
        gap = found.audit["logit"] - found.audit["reference"]
        assert found.relevance.sum() == pytest.approx(gap, abs=1e-3)
        sums.append(found.audit["relevance"])
    assert len({round(total, 2) for total in sums}) == 4
    assert found.picture.min() == found.picture.max() == 0.5
    built = create_analyzer(
        "deep_lift.rescale",
        load_zoo_model("micro_resnet"),
        neuron_selection_mode="index",
        reference="mean",
    )
    expected = built.analyze(case.pixels[None], 1)[0].sum(-1)
    moved = rooms.compare(case, NONE, "mean").relevance
    np.testing.assert_allclose(moved, expected, atol=1e-4)
    greys = dict(rooms.greys(case, NONE))
    assert greys[0.0]["relevance"] == pytest.approx(sums[0], abs=1e-4)
    assert greys[0.5]["relevance"] == pytest.approx(sums[3], abs=1e-4)


@pytest.mark.parametrize("dataset", ["fundus", "dermoscopy", "chest"])
def test_the_planted_pair_differs_on_the_mark_and_nowhere_else(dataset):
    labels = draw_images(dataset, range(4))["label"]
    assert set(labels) == {0, 1}
    for position in range(4):
        plain, planted, artefact = experiments.planted_pair(dataset, position)
        changed = (plain != planted).any(-1)
        assert changed.any() and not (changed & ~artefact).any()


def test_a_planted_image_is_scored_as_the_library_scores_it(rooms, case):
    found = rooms.plant(case, NONE)
    plain, planted, artefact = experiments.planted_pair("fundus", case.position)
    model = load_zoo_model("micro_resnet")
    chances = probabilities(model, np.stack([plain, planted]))[:, 1]
    assert (found.before, found.after) == pytest.approx(tuple(chances), abs=1e-5)
    size = pixel_map(found.relevance[None])[0]
    assert found.on_artefact == pytest.approx(size[artefact].sum() / size.sum())
    share = shortcut_share(found.relevance[None], case.evidence[None], artefact[None])
    assert found.shortcut_share == pytest.approx(share[0])


def test_a_deletion_is_the_library_and_shows_what_the_network_saw(rooms, case):
    found = rooms.delete(case, NONE, "lrp.epsilon")
    model = load_zoo_model("micro_resnet")
    analyzer = create_analyzer("lrp.epsilon", model, neuron_selection_mode="index")
    expected = deletion(
        lambda images: probabilities(model, images)[:, 1],
        case.pixels[None],
        analyzer.analyze(case.pixels[None], 1),
        steps=experiments.DELETION_STEPS,
    )
    np.testing.assert_allclose(found.values, expected.values[0], atol=1e-3)
    assert found.area == pytest.approx(expected.area[0], abs=1e-3)
    np.testing.assert_array_equal(found.pictures[0], case.pixels)
    taken = [(p != case.pixels).any(-1).mean() for p in found.pictures]
    assert all(np.diff(taken) >= 0)
    assert taken[-1] <= 1 and (np.array(taken) <= found.fractions + 1e-9).all()


def test_equal_experiments_are_made_once_and_memory_is_bounded(case, monkeypatch):
    rooms = experiments.Experiments()
    monkeypatch.setattr(experiments, "MAX_RESULTS", 2)
    first = rooms.delete(case, NONE, "gradient")
    assert rooms.delete(case, NONE, "gradient") is first
    for other in synthetic_cases("fundus")[1:4]:
        rooms.delete(other, NONE, "gradient")
    assert len(rooms._results) == 2


def test_pages_in_several_languages_share_one_lab():
    service, other = object(), object()
    assert experiments.experiments_for(service) is experiments.experiments_for(service)
    assert experiments.experiments_for(service) is not experiments.experiments_for(
        other
    )


@pytest.mark.parametrize("language", ["en", "pt"])
def test_each_view_describes_its_pictures_and_leaves_no_blank(rooms, case, language):
    words = Words(language)
    pair = experiments.planted_pair("fundus", case.position)
    broken = rooms.randomise(case, NONE, "gradient")
    compared, greys = rooms.compare(case, NONE, "zeros"), rooms.greys(case, NONE)
    planted, mark = [rooms.plant(case, NONE)], (pair[:2], pair[2])
    deleted = rooms.delete(case, NONE, "lrp.epsilon")
    for html in (
        randomised_html(case, [broken], words),
        compared_html(case, compared, greys, 0.0, words),
        planted_html(case, planted, mark, words),
        deleted_html(case, deleted, words),
    ):
        assert html.count('role="img"') == html.count('role="img" aria-label="')
        said = re.sub(r'src="data:image/png;base64,[^"]+"', "", html)
        assert "http" not in said and "{" not in said and "nan" not in said


def test_round_numbers_stand_on_the_axes():
    assert even_steps(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert even_steps(-4.57, 15) == [0, 5, 10, 15]
    assert len(even_steps(-0.003, 0.011)) <= 6


def test_a_line_has_a_gap_where_nothing_is_known():
    html = line_chart(
        [Line("a <b>", [(0, 0.1), (0.5, float("nan")), (0.6, 0.2), (1, 0.4)])],
        x=(0, 1), y=(0, 1), x_label="x", y_label="y", alt="a chart",
    )  # fmt: skip
    assert html.count('<polyline class="ma-chart-line') == 2  # one drawn, one in legend
    assert "a &lt;b&gt;" in html and 'aria-label="a chart"' in html
