"""Networks pretrained or trained with a mark: the page takes the right one."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from medattn_app.domain.cases import is_unmarked, synthetic_cases
from medattn_app.domain.cells import Cell
from medattn_app.domain.constants import SHORTCUTS
from medattn_app.domain.state import Question
from medattn_app.domain.texts import Words
from medattn_app.server.endpoints import endpoints
from medattn_app.service import conclusion as conclude
from medattn_app.service import experiments
from medattn_app.service import shortcut_reliance as reliance
from medattn_app.service.context import Context
from medattn_app.service.grid import comparison_grid
from medattn_app.service.networks import NetworkService
from medattn_app.tabs.common.chooser import _kinds
from medattn_app.tabs.common.export_files import numbers_csv, pack, page_html
from medattn_app.tabs.common.export_view import view_of
from medattn_app.tabs.common.selection import chosen_cell
from medattn_app.tabs.doubt.planted_view import planted_html
from medattn_app.tabs.doubt.reliance_view import reliance_html
from medattn_app.tabs.explore import view
from medattn_app.tabs.explore.calls import ExploreCalls
from medattn_app.tabs.explore.catalogue import build_catalogue

PRETRAINED = dict(initialisation="shapes")
MARKED = dict(shortcut="0.9")


@pytest.fixture(scope="module")
def service(varied_zoo):
    return NetworkService()


@pytest.fixture(scope="module")
def context(service):
    return Context(service=service, words=Words())


@pytest.fixture(scope="module")
def calls(context):
    return ExploreCalls(context)


def ask(calls, **changes):
    question = {"dataset": "fundus", "image": 2} | changes
    return calls.answer({"question": question})


def test_each_kind_answers_with_its_own_weights(service):
    case = synthetic_cases("fundus")[2]
    for kind, source_regime in (
        (dict(initialisation="shapes"), 0.1),
        (dict(shortcut=0.0), 0.5),
        (dict(shortcut=0.9), 0.01),
    ):
        cell = service.cell("fundus", "ResNet", "CBAM", 1.0, **kind)
        plain = service.cell("fundus", "ResNet", "CBAM", source_regime)
        found, expected = (
            service.answer(case, c, "lrp.epsilon") for c in (cell, plain)
        )
        assert (
            found.probability == expected.probability
            and found.audit_line == expected.audit_line
        )
        np.testing.assert_array_equal(found.relevance, expected.relevance)
        own = service.answer(
            case, service.cell("fundus", "ResNet", "CBAM", 1.0), "lrp.epsilon"
        )
        assert found.probability != own.probability


def test_only_plain_networks_are_listed_by_default(service):
    assert all(cell.is_plain for cell in service.networks("fundus"))
    assert len(service.networks("fundus", plain=False)) == 28 + 12
    assert service.networks("chest", plain=False) == service.networks("chest")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (dict(initialisation="shapes", shortcut=0.9), "pairs of initialisation"),
        (dict(initialisation="shapes"), r"a regime of \[0.1, 1.0\]"),
        (dict(shortcut=0.9), r"a regime of \[1.0\]"),
    ],
)
def test_a_kind_that_was_not_trained_is_refused_with_what_is_shipped(
    service, kind, said
):
    with pytest.raises(ValueError, match=said):
        service.cell("fundus", "ResNet", "SE", 0.01, **kind)


def test_every_part_of_the_page_describes_the_chosen_network(calls, service):
    reply = ask(calls, **MARKED)
    assert reply["id"] == "ResNet|CBAM|1|random|0.9"
    assert reply["query"] == "image=2&shortcut=0.9"
    assert "regime=1, shortcut=0.9)" in reply["python"].splitlines()[0]
    assert reply["cell"]["title"].endswith("shortcut ρ = 0.9")
    # Its control is what it is compared with first.
    assert reply["change"].startswith("shortcut ρ = 0.9 instead of shortcut ρ = 0: P(")
    source = service.cell("fundus", "ResNet", "CBAM", 0.01)
    answer = service.answer(synthetic_cases("fundus")[2], source, "lrp.epsilon")
    assert reply["cell"]["audit"] == answer.audit_line
    pretrained = ask(calls, **PRETRAINED)
    assert pretrained["id"] == "ResNet|CBAM|1|shapes|none"
    assert 'initialisation="shapes")' in pretrained["python"]
    said = (
        "starting weights pretrained on shapes instead of random starting weights: P("
    )
    assert pretrained["change"].startswith(said)


def test_the_three_lines_of_python_make_the_map_of_a_marked_network(service):
    shown = synthetic_cases("fundus")[1]
    cell = service.cell("fundus", "ResNet", "none", 1.0, shortcut=0.9)
    names = {}
    exec(
        "import numpy as np\nfrom medattn.data import draw_images\n"
        "from medattn.explain import create_analyzer\n"
        "from medattn.zoo import load_zoo_model\n"
        + view.snippet(cell, "lrp.epsilon", {}, shown),
        names,
    )
    expected = service.answer(shown, cell, "lrp.epsilon").relevance
    np.testing.assert_allclose(names["relevance"][0].sum(-1), expected, atol=1e-5)


def test_the_grid_compares_networks_of_one_kind(service):
    words = Words()
    _, columns, cells = comparison_grid(service, Question(**PRETRAINED))
    assert columns == [0.1, 1.0] and len(cells) == 6
    assert {c.initialisation for c in cells.values()} == {"shapes"}
    rows, columns, cells = comparison_grid(service, Question(**MARKED))
    assert columns == ["0", "0.9"] and len(cells) == 6
    grid = view.grid_view(rows, columns, cells, words)
    assert grid["columns"] == ["ρ = 0", "ρ = 0.9"]
    assert grid["rows"][2]["cells"][1] == "ResNet|CBAM|1|random|0.9"
    assert "mark" in view.grid_title(Question(**MARKED), words)
    _, columns, cells = comparison_grid(service, Question())
    assert len(columns) == 4 and len(cells) == 16
    assert all(cell.is_plain for cell in cells.values())


def test_the_catalogue_lists_what_the_page_may_offer(context):
    catalogue = build_catalogue(context)
    varied = catalogue["varied"]
    assert len(varied["fundus"]) == 12 and varied["chest"] == []
    assert "ResNet|SE|0.1|shapes|none" in varied["fundus"]
    json.dumps(catalogue)


def test_seeds_are_compared_within_one_study_that_has_both(monkeypatch, service):
    def row(study, seed, auroc, start="random", shortcut=None):
        return dict(
            study=study, dataset="fundus", model="cbam_micro_resnet", regime=1.0,
            seed=seed, auroc=auroc, initialisation=start, shortcut=shortcut,
            state="done",
        )  # fmt: skip

    rows = {
        "micro": [row("micro", s, 0.9) for s in (0, 1, 2)],
        "pretraining": [row("pretraining", s, 0.8 + s / 50) for s in (0, 1)]
        + [row("pretraining", s, 0.9 + s / 50, "shapes") for s in (0, 1)],
        "shortcut": [row("shortcut", s, 0.9, shortcut=0.0) for s in (0, 1)]
        + [row("shortcut", s, 0.7 + s / 10, shortcut=0.9) for s in (0, 1)],
    }
    monkeypatch.setattr(conclude, "_rows", lambda: rows)
    conclude._compared.cache_clear()
    (said,) = conclude.over_seeds(service, Question(**PRETRAINED), None, Words())
    assert said["text"].startswith("Over 2 seeds AUROC differs by +10.0 points")
    (said,) = conclude.over_seeds(service, Question(**MARKED), None, Words())
    assert "whose mark means nothing differs by −15.0 points" in said["text"]
    # No study trained both a marked network and a plain one.
    (said,) = conclude.over_seeds(service, Question(**MARKED), "ResNet|CBAM|1", Words())
    assert said["verdict"] == "cannot tell" and "Fewer than two seeds" in said["text"]
    conclude._compared.cache_clear()


def test_the_spread_over_seeds_is_of_the_same_image_or_not_shown(monkeypatch, service):
    from medattn_app.service import networks as room

    asked = []
    monkeypatch.setattr(
        room, "seed_probabilities", lambda cell, place: asked.append(cell) or (0.1, 0.9)
    )
    cell = service.cell("fundus", "ResNet", "SE", 1.0, shortcut=0.9)
    cases = synthetic_cases("fundus")
    clean = [case for case in cases if is_unmarked(case)]
    assert 0 < len(clean) < len(cases)
    for case in cases:
        expected = (0.1, 0.9) if case in clean else ()
        assert service.seed_probabilities(case, cell) == expected
    plain = service.cell("fundus", "ResNet", "SE", 1.0)
    assert all(len(service.seed_probabilities(case, plain)) == 2 for case in cases)


def test_exports_are_of_the_chosen_network_and_those_beside_it(context, service):
    shown = view_of(context, {"image": 2, "attention": "SE", "shortcut": "0.9"})
    rows = list(csv.DictReader(io.StringIO(numbers_csv(shown))))
    assert len(rows) == 6 and {row["shortcut"] for row in rows} == {"0.0", "0.9"}
    assert shown.chosen.cell in shown.hashes
    file = pack(shown, context.words, "csv")
    assert file["name"].startswith("medattn-fundus-ResNet-SE-random-shortcut0.9-")
    html = page_html(shown, context.words)
    assert "shortcut ρ = 0.9" in html and "shortcut=0.9)" in html
    pretrained = view_of(context, {"regime": 0.1, "initialisation": "shapes"})
    assert {a.cell.initialisation for a in pretrained.others} == {"shapes"}


def test_endpoints_list_and_take_the_kind(context):
    listed, predict, explain, *_ = endpoints(context)
    kinds = {(n["initialisation"], n["shortcut"]) for n in listed("fundus")}
    assert kinds == {("random", None), ("shapes", None), ("random", 0.0),
                     ("random", 0.9)}  # fmt: skip
    told = predict(image=2, shortcut="0.9")
    assert told["shortcut"] == 0.9
    source = predict(image=2, regime=0.01)
    assert told["probability"] == source["probability"]
    assert explain(initialisation="shapes")["initialisation"] == "shapes"
    with pytest.raises(ValueError, match="no such shortcut"):
        predict(shortcut="0.5")


def test_compare_takes_the_kind_and_returns_only_what_is_shipped(context, service):
    compare = endpoints(context)[3]
    for kind in ({}, PRETRAINED, MARKED):
        start, shortcut = kind.get("initialisation", "random"), kind.get("shortcut")
        there = [
            cell
            for cell in service.networks("fundus", plain=False)
            if cell.backbone == "ResNet"
            and cell.initialisation == start
            and cell.shortcut == (shortcut and float(shortcut))
        ]
        rows = compare(**kind)
        assert there and len(rows) == len(there)
        for cell in there:
            own = service.answer(service.cases("fundus")[0], cell, "lrp.epsilon")
            (row,) = [
                row
                for row in rows
                if (row["attention"], row["regime"]) == (cell.attention, cell.regime)
            ]
            assert (
                row["probability"] == own.probability
                and row["ledger"] == own.audit_line
            )
    with pytest.raises(ValueError, match="not shipped"):
        compare(backbone="DeiT", shortcut="0.9")
    with pytest.raises(ValueError, match="method"):
        compare(method="magic")


def test_the_other_tabs_choose_the_kind_too_and_refuse_nonsense(service):
    keys = [key for _, key in _kinds(service, Words())]
    assert keys == ["random|none", "random|0", "random|0.9", "shapes|none"]
    cell = chosen_cell(service, "fundus", "ResNet", "SE", 1.0, "random|0.9")
    assert cell == Cell("fundus", "ResNet", "SE", 1.0, shortcut=0.9)
    for kind in ("random", "<script>|none", None, ["random|none"]):
        with pytest.raises(ValueError, match="no such kind of training"):
            chosen_cell(service, "fundus", "ResNet", "SE", 1.0, kind)
    assert set(SHORTCUTS) == {"none", "0", "0.9"}


def test_test_sets_differ_only_in_which_images_have_the_mark():
    rendered = {rho: reliance.marked_tests("fundus", rho) for rho in (0.9, 0.0, -0.9)}
    labels = rendered[0.0]["label"] == 1
    given = {}
    for rho, tests in rendered.items():
        marked = tests["artefact"].any(axis=(1, 2))
        given[rho] = marked[labels].mean(), marked[~labels].mean()
        np.testing.assert_array_equal(tests["label"] == 1, labels)
        np.testing.assert_array_equal(tests["evidence"], rendered[0.0]["evidence"])
        both = ~(tests["artefact"] | rendered[0.0]["artefact"])
        same = tests["image"] == rendered[0.0]["image"]
        assert same[both].all()
    # P(mark | positive) = (1 + rho) / 2, and (1 - rho) / 2 of the others.
    for rho, (positive, negative) in given.items():
        assert positive == pytest.approx((1 + rho) / 2, abs=0.12)
        assert negative == pytest.approx((1 - rho) / 2, abs=0.12)


def test_shortcut_reliance_is_what_the_library_measures(service, monkeypatch):
    from sklearn.metrics import roc_auc_score

    from medattn.explain import create_analyzer, relevance_mass
    from medattn.study import probabilities
    from medattn.zoo import load_zoo_model

    monkeypatch.setattr(reliance, "MAX_EXPLAINED_IMAGES", 6)
    cell = service.cell("fundus", "ResNet", "none", 1.0, shortcut=0.9)
    experiment = experiments.Experiments()
    found = experiment.shortcut_reliance(cell, 0.9)
    assert experiment.shortcut_reliance(cell, 0.9) is found
    assert found.strengths == (0.9, 0.0, -0.9)
    model = load_zoo_model("micro_resnet", shortcut=0.9)
    tests = reliance.marked_tests("fundus", -0.9)
    images = np.float32(tests["image"]) / 255
    expected = roc_auc_score(tests["label"], probabilities(model, images)[:, 1])
    assert found.auroc[2] == pytest.approx(expected, abs=1e-3)
    assert found.low[2] < found.auroc[2] < found.high[2]
    analyzer = create_analyzer("lrp.epsilon", model, neuron_selection_mode="index")
    present = np.flatnonzero(tests["artefact"][:6].any(axis=(1, 2)))
    fractions = relevance_mass(
        analyzer.analyze(images[present], 1).sum(-1), tests["artefact"][present]
    )
    assert found.on_mark[2] == pytest.approx(fractions.mean(), abs=1e-3)


def test_networks_compared_on_the_test_sets_have_one_backbone_and_were_marked(service):
    plain = service.cell("fundus", "ResNet", "SE", 0.1)
    # Of all data, as none is of 10 %.
    marked = reliance.shortcut_networks(service, plain)
    assert len(marked) == 6 and {c.shortcut for c in marked} == {0.0, 0.9}
    other = service.cell("fundus", "DenseNet", "SE", 1.0)
    assert reliance.shortcut_networks(service, other) == []


@pytest.mark.parametrize("language", ["en", "pt"])
def test_the_views_of_a_planted_mark_show_every_number_and_claim_no_more(
    service, language
):
    words, experiment = Words(language), experiments.Experiments()
    case = synthetic_cases("fundus")[2]
    chosen = service.cell("fundus", "ResNet", "none", 1.0, shortcut=0.9)
    control = service.cell("fundus", "ResNet", "none", 1.0, shortcut=0.0)
    planted = [experiment.plant(case, cell) for cell in (control, chosen)]
    pair = experiments.planted_pair("fundus", case.position)
    html = planted_html(case, planted, (pair[:2], pair[2]), words, chosen)
    assert html.count("<figure>") == 4
    for one in planted:
        assert f"{one.on_artefact:.1%}" in html and f"{one.in_evidence:.1%}" in html
    one = reliance.ShortcutReliance(
        chosen, (0.9, 0.0, -0.9), (0.99, 0.8, 0.6), (0.98, 0.7, 0.5), (1.0, 0.9, 0.7),
        (0.2, 0.25, float("nan")), (0.1, 0.1, 0.1), 0.01, 0.03,
    )  # fmt: skip
    html = reliance_html([one], words)
    assert "0.99" in html and "0.60 [0.50, 0.70]" in html and "−0.9" in html
    assert "20.0% / 25.0% / –" in html and "nan" not in html and "{" not in html
    relied = {"en": "relied on it most", "pt": "foi a que mais se apoiou"}[language]
    assert relied in html
    same = replace(one, low=(0.5, 0.5, 0.5))
    assert relied not in reliance_html([same], words)
    said = {"en": "cannot tell", "pt": "não dá para dizer"}[language]
    assert said in html
