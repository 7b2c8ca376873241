"""On the Portuguese page names are Portuguese; what travels is of no language."""

import csv
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from chromium import CHROMIUM, needs_browser

from medattn.data import find_card
from medattn.explain import audit_line
from medattn_app.domain.cases import synthetic_cases
from medattn_app.domain.catalogue import NotShipped
from medattn_app.domain.cells import Cell
from medattn_app.domain.constants import DATASETS, REFERENCES
from medattn_app.domain.labels import (
    GRADES,
    audit_text,
    case_name,
    class_name,
    sentence_of,
    truth_text,
)
from medattn_app.domain.methods import GROUPS, METHODS, UNITS
from medattn_app.domain.texts import Words, read_texts
from medattn_app.server.endpoints import endpoints
from medattn_app.service.answers import Answer, refusal
from medattn_app.service.context import Context, Settings
from medattn_app.tabs.common.export_files import numbers_csv, page_html
from medattn_app.tabs.common.export_view import caption, view_of
from medattn_app.tabs.explore.calls import ExploreCalls

EN, PT = Words("en"), Words("pt")
PATIENCE = 120_000
# Named after people's inventions: the same in every language.
PROPER = {
    f"method.{name}"
    for name in (
        "lrp.epsilon",
        "lrp.gamma",
        "lrp.alpha_1_beta_0",
        "lrp.alpha_2_beta_1",
        "deep_lift.rescale",
        "deep_lift.reveal_cancel",
        "smoothgrad",
        "gradcam",
        "gradcam_plus_plus",
        "layercam",
    )
}
# What only an English page says.
ENGLISH = re.compile(
    r"\b(Eye|Skin|Chest|healthy|diseased|benign|malignant|effusion|mild|moderate|"
    r"severe|proliferative|none|gradients?|noise|gates?|guided|preset|through|black|"
    r"grey|blurred|drawn|image|biases|reference|missing|without|with|of the|"
    r"logits a pixel|per unit|no unit|against|truth|random|pretrained|shortcut|"
    r"lower|upper|quarter|strongest|network|relevance|weights|analyzer|Received|"
    r"Expected)\b"
)


def names():
    """Lists the keys of everything that has a name."""
    classes = [name for d in DATASETS for name in find_card(d).classes]
    return [
        *(f"dataset.{name}" for name in DATASETS),
        *(f"drawing.{name}" for name in DATASETS),
        *(f"class.{name.replace(' ', '_')}" for name in classes),
        *(f"grade.{name}" for name in GRADES),
        *(f"group.{name}" for name in GROUPS),
        *(f"unit.{name}" for name in UNITS),
        *(f"reference.{name}" for name in REFERENCES),
        *(f"{kind}.{name}" for name in METHODS for kind in ("method", "hint")),
    ]


def test_every_name_is_there_in_both_languages_and_differs_unless_it_is_proper():
    table = read_texts()
    assert set(PROPER) <= set(names())
    for key in names():
        both = table[key]
        assert all(both.values()), key
        assert (both["en"] == both["pt"]) == (key in PROPER), key
    for method in METHODS.values():
        assert method.group in GROUPS and method.measure in UNITS


@pytest.mark.parametrize("dataset", DATASETS)
def test_in_english_classes_are_called_as_on_their_card(dataset):
    card = find_card(dataset)
    assert [class_name(dataset, label, EN) for label in (0, 1)] == list(card.classes)
    for case in synthetic_cases(dataset):
        assert case_name(case, EN) == f"drawn {dataset} image {case.position}"
        assert truth_text(case, EN).startswith(card.classes[case.label])
        told = f"{case_name(case, PT)} {truth_text(case, PT)}"
        assert not ENGLISH.search(told) and str(case.position) in told


@pytest.mark.parametrize(
    "method", ["lrp.epsilon", "lrp.alpha_1_beta_0", "deep_lift.rescale"]
)
def test_the_audit_is_the_librarys_in_english_and_its_numbers_in_portuguese(
    service, method
):
    case = synthetic_cases("fundus")[3]
    answer = service.answer(case, service.cell("fundus", "ResNet", "SE", 1.0), method)
    assert audit_text(answer.audit, EN) == answer.audit_line
    said = audit_text(answer.audit, PT)
    assert not ENGLISH.search(said)
    numbers = re.compile(r"[−+] |\d+\.\d+")
    assert numbers.findall(said) == numbers.findall(answer.audit_line)


@pytest.mark.parametrize(
    "held",
    [
        dict(relevance=1.0, absorbed=-0.5, dropped=0.25, logit=0.75, error=0.0),
        dict(relevance=-1.0, absorbed=0.5, dropped=0.001, logit=-0.25, error=0.25),
        dict(relevance=2.0, logit=1.5, reference=-0.5, error=0.0),
        dict(relevance=2.0, others=0.5, absorbed=0.0, logit=2.5, error=0.0),
    ],
)
def test_every_kind_of_audit_is_written_as_the_library_writes_it(held):
    audit = {name: np.array([value]) for name, value in held.items()}
    assert audit_text(held, EN) == audit_line(audit)
    assert not ENGLISH.search(audit_text(held, PT))
    assert audit_text(None, PT) is None


@pytest.mark.parametrize(
    "method", ["gradient", "integrated_gradients", "attention.rollout", "random"]
)
def test_explores_answer_is_portuguese_if_the_question_is(service, method):
    answers = ExploreCalls(Context(service=service, words=EN))
    question = dict(dataset="fundus", image=3, attention="none", method=method)
    reply = answers.answer({"question": question | {"lang": "pt"}})
    picture = answers.picture({"question": question | {"lang": "pt"}})
    strip = answers.strip({"dataset": "chest", "lang": "pt"})
    assert reply["positive"] == "doente" and picture["truth"].startswith("doente (")
    assert "P(doente)" in reply["change"] or "P = " in reply["change"]
    cell = reply["cell"]
    said = [reply["change"], reply["hint"], reply["scale"]["unit"], picture["name"]]
    said += [cell["title"], cell["alt"], cell["refused"] or "", cell["audit"] or ""]
    said += [image["name"] for image in strip["images"]]
    for text in said:
        assert not ENGLISH.search(text), text
    english = answers.answer({"question": question})
    assert english["positive"] == "diseased"
    assert english["cell"]["probability"] == cell["probability"]
    if method == "attention.rollout":
        without = "attention between patches, and ResNet without attention has none."
        assert english["cell"]["refused"] == f"attention rollout reads {without}"


@pytest.mark.parametrize("lang", [None, 7, ["pt"], "xx", {"a": 1}])
def test_an_unknown_language_gets_the_hosts(service, lang):
    answers = ExploreCalls(Context(service=service, words=PT))
    images = answers.strip({"dataset": "fundus", "lang": lang})["images"]
    assert images[0]["name"].startswith("imagem desenhada de fundo de olho")


def test_a_network_that_is_not_shipped_is_refused_in_the_pages_language():
    error = NotShipped(Cell("fundus", "ResNet", "SE", 0.01, initialisation="shapes"))
    assert sentence_of(error, EN) == str(error)
    assert "this network is not shipped for 'fundus'. Expected one of" in str(error)
    said = sentence_of(error, PT)
    assert said.startswith("ResNet com SE, 1 % dos dados, pré-treinada em formas: ")
    assert not ENGLISH.search(re.sub(r"'\w+'|\w+=", "", said))
    assert sentence_of(ValueError("of the library"), PT) == "of the library"


def test_what_is_taken_away_is_portuguese(service):
    context = Context(service=service, words=PT)
    for method in ("lrp.epsilon", "attention.spatial_gate"):
        question = dict(dataset="dermoscopy", image=1, attention="SE", method=method)
        view = view_of(context, question)
        lines = caption(view, PT)
        row = next(csv.DictReader(io.StringIO(numbers_csv(view, PT))))
        said = [row[key] for key in ("image", "truth", "network", "unit", "ledger")]
        title = re.search("<h1>(.*?)</h1>", page_html(view, PT)).group(1)
        for text in [*lines, *said, row["refused"], title]:
            assert not ENGLISH.search(text), text
    assert caption(view, EN)[0].startswith("ResNet with SE, 100 % of the data (derm")


def test_the_endpoints_stay_english_whatever_the_page(service):
    settings = Settings(language="pt")
    context = Context(service=service, words=PT, settings=settings)
    ask = {function.__name__: function for function in endpoints(context)}
    told = ask["explain"](image=3, attention="none")
    assert told["truth"].startswith("diseased (") and told["unit"] == "logits a pixel"
    assert told["network"] == "ResNet without attention, 100 % of the data"
    assert told["image"].startswith("drawn fundus image")
    assert told["ledger"].startswith("pixels ") and " biases " in told["ledger"]
    refused = ask["explain"](attention="none", method="attention.spatial_gate")
    assert refused["refused"].endswith("and ResNet without attention has none.")


def test_what_the_library_refuses_is_translated_where_it_is_common(service):
    cell = service.cell("fundus", "ResNet", "none", 1.0)
    answer = Answer(cell, 0.5, 0.0, refused="No such layer.", method="gradcam")
    assert refusal(answer, PT) == refusal(replace(answer, method=""), PT)
    assert refusal(answer, PT) == "No such layer."
    gated = service.cell("fundus", "ResNet", "SE", 1.0)
    answer = service.answer(synthetic_cases("fundus")[0], gated, "guided_backprop")
    assert refusal(answer, EN) == answer.refused
    assert refusal(answer, PT) == PT("refused.only_relu") != answer.refused


def test_what_a_control_sends_is_the_same_on_both_pages(app):
    by_id = {}
    for block in app.blocks.values():
        if getattr(block, "choices", None) and getattr(block, "elem_id", None):
            by_id.setdefault(block.elem_id, []).append(block.choices)
    for control in ("ma-uploaded-network", "ma-uploaded-method", "ma-doubt-dataset"):
        english, portuguese = by_id[control]
        assert [key for _, key in english] == [key for _, key in portuguese]
        assert [text for text, _ in english] != [text for text, _ in portuguese]
        assert not any(ENGLISH.search(text) for text, _ in portuguese)


def open_switch(page, name):
    tab = page.locator(".ma-tests").get_by_role("tab", name=name, exact=True)
    tab.click()


@needs_browser
def test_no_tab_of_the_portuguese_page_says_an_english_name(app):
    from playwright.sync_api import sync_playwright

    spoken = """() => {
      const apart = "[lang=en]:not(button), pre, .ma-unseen, script, style";
      const shown = [...document.querySelectorAll("body *")].filter((part) =>
        part.checkVisibility() && !part.closest(apart));
      const own = shown.flatMap((part) => [...part.childNodes]
        .filter((node) => node.nodeType === 3).map((node) => node.textContent.trim()));
      // Gradio's title of a choice is the name that it sends, of no language.
      const told = shown.flatMap((part) => [part.ariaLabel, part.label,
        part.matches("input") ? "" : part.title]);
      return [...own, ...told].filter((text) => typeof text === "string" && text);
    }"""
    broken = []

    def check(page, where):
        said = page.evaluate(spoken)
        assert len(said) > 20, where
        english = {text for text in said if ENGLISH.search(text)}
        assert english == set(), where

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        size = {"width": 1440, "height": 900}
        page = browser.new_page(viewport=size, locale="pt-BR")
        page.on("pageerror", lambda error: broken.append(str(error)))

        def visit(link, awaited):
            page.goto(f"{app.local_url}?lang=pt&{link}")
            page.locator(awaited).first.wait_for(timeout=PATIENCE)

        study = "[data-testid=study] p"
        visit("image=3&attention=none&method=gradient", study)
        check(page, "explore")
        assert "P(doente)" in page.locator(".mx-p-label").inner_text()
        visit("dataset=dermoscopy&image=3&backbone=DeiT", study)
        check(page, "explore, skin")
        assert "vieses" in page.get_by_test_id("audit").inner_text()
        visit("tab=inside", "#ma-inside-view figure")
        check(page, "inside")
        visit("tab=predict", "[data-testid=asked]")
        check(page, "predict")
        page.get_by_text("doente", exact=True).click()
        page.get_by_test_id("reveal").click()
        page.get_by_test_id("next").wait_for(timeout=PATIENCE)
        check(page, "predict, revealed")
        assert page.get_by_test_id("answer-you").inner_text() == "doente"
        visit("tab=doubt&image=3", "#ma-doubt-go")
        page.locator("#ma-doubt-go").click()
        page.get_by_test_id("randomised").wait_for(timeout=PATIENCE)
        check(page, "doubt")
        for switch, awaited in (
            ("Mover a referência", "reference-audit"),
            ("Plantar um atalho", "planted"),
            ("Apagar pixels", "deleted"),
        ):
            open_switch(page, switch)
            page.get_by_test_id(awaited).wait_for(timeout=PATIENCE)
            check(page, switch)
        visit("tab=evidence", "[data-testid=report]")
        check(page, "evidence")
        visit("tab=lessons", "#ma-walk")
        check(page, "lessons")
        visit("tab=own", "#ma-uploaded-network")
        for control in ("network", "method"):
            page.locator(f"#ma-uploaded-{control} input").click()
            page.locator("[role=option]").first.wait_for()
            check(page, f"own, {control}")
            page.keyboard.press("Escape")
        browser.close()
    assert broken == []
