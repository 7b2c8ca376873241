"""Predict first, Doubt it and The evidence in a browser, wide and narrow."""

import re

import pytest
from chromium import needs_browser, settle

from medattn.zoo import list_zoo_models

pytestmark = needs_browser
PATIENCE = 120_000  # milliseconds: networks are compiled when first asked
WIDTHS = pytest.mark.parametrize("width", [1440, 390])


@pytest.fixture
def open_tab(browser, app):
    """A function that opens a tab by its link; errors in the page's scripts fail."""
    opened, broken = [], []

    def go(tab, width):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.goto(f"{app.local_url}?tab={tab}")
        opened.append(page)
        return page

    yield go
    for page in opened:
        page.close()
    assert broken == []


def fits(page, width):
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def barriers(page, root):
    """What axe-core finds serious inside one part of the page."""
    from axe_playwright_python.sync_playwright import Axe

    settle(page)
    found = Axe().run(page, context={"include": [[root]]}).response["violations"]
    return {
        one["id"]: [str(node["target"]) for node in one["nodes"]][:3]
        for one in found
        if one["impact"] in ("serious", "critical")
    }


def switch(page, name):
    """Opens a switch of Doubt it, out of the menu where the screen is narrow."""
    tab = page.locator(".ma-tests").get_by_role("tab", name=name, exact=True)
    if tab.is_visible():
        tab.click()
        return
    page.locator(".ma-tests .overflow-menu > button").click()
    page.locator(".ma-tests .overflow-dropdown button", has_text=name).click()


def draw(page):
    """Draws a stroke with the mouse."""
    board = page.get_by_test_id("board")
    board.scroll_into_view_if_needed()
    box = board.bounding_box()
    at = lambda x, y: (box["x"] + x * box["width"], box["y"] + y * box["height"])  # noqa: E731
    page.mouse.move(*at(0.4, 0.4))
    page.mouse.down()
    page.mouse.move(*at(0.6, 0.5), steps=5)
    page.mouse.up()


def marked(page):
    said = page.locator("[data-say=status]").inner_text()
    return float(re.search(r"([\d.]+)%", said).group(1))


@WIDTHS
def test_a_learner_predicts_by_hand_and_sees_three_regions_and_a_score(open_tab, width):
    page = open_tab("predict", width)
    page.get_by_test_id("asked").wait_for(timeout=PATIENCE)
    draw(page)
    assert 0.5 < marked(page) < 5
    page.get_by_test_id("reveal").click()
    assert page.get_by_text("Say what it shows first").is_visible()
    page.get_by_text("diseased", exact=True).click()
    page.get_by_label("How sure are you?").fill("90")
    page.get_by_test_id("reveal").click()
    page.get_by_test_id("next").wait_for(timeout=PATIENCE)
    assert page.get_by_test_id("answer-you").inner_text() == "diseased"
    truth = page.get_by_test_id("revealed-truth").inner_text()
    right = int(truth.startswith("diseased"))
    assert page.get_by_test_id("score-you").inner_text() == f"{right} / 1"
    brier = 0.01 if right else 0.81
    assert f"{brier:.2f}" in page.locator("#ma-score").inner_text()
    shown = page.get_by_test_id("iou-yours-map").inner_text()
    assert re.fullmatch(r"\d+%", shown)
    layer = page.locator("#ma-predict img.ma-yours")
    visible = "image => getComputedStyle(image).visibility"
    assert layer.evaluate(visible) == "visible"
    page.get_by_label("your region", exact=True).uncheck()
    assert layer.evaluate(visible) == "hidden"
    fits(page, width)
    if width == 1440:
        assert barriers(page, "#ma-predict") == {}
    page.get_by_test_id("next").click()
    page.get_by_test_id("reveal").wait_for(timeout=PATIENCE)
    assert marked(page) == 0 and "Image 2" in page.locator("#ma-predict").inner_text()


def test_a_learner_predicts_by_keyboard_alone(open_tab):
    page = open_tab("predict", 1440)
    page.get_by_test_id("asked").wait_for(timeout=PATIENCE)
    page.get_by_test_id("board").focus()
    for key in ("Shift+ArrowLeft", "ArrowUp", "Space"):
        page.keyboard.press(key)
    once = marked(page)
    assert once > 0
    assert "row 32, column 25" in page.locator("[data-say=status]").inner_text()
    page.keyboard.press("Delete")
    assert marked(page) == 0
    page.keyboard.press("Space")
    page.get_by_role("radio", name="healthy").focus()
    page.keyboard.press("Space")
    page.get_by_label("How sure are you?").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_test_id("reveal").focus()
    page.keyboard.press("Enter")
    page.get_by_test_id("next").wait_for(timeout=PATIENCE)
    assert page.get_by_test_id("answer-you").inner_text() == "healthy"
    assert "76%" in page.locator("#ma-predict").inner_text()


@WIDTHS
def test_every_switch_of_doubt_moves_its_number(open_tab, width):
    page = open_tab("doubt", width)
    page.locator("#ma-doubt-go").wait_for(timeout=PATIENCE)
    for name in ("guided backprop", "input × gradient", "LRP ε"):
        page.locator("#ma-doubt-methods").get_by_label(name, exact=True).uncheck()
    page.locator("#ma-doubt-go").click()
    page.get_by_test_id("randomised").wait_for(timeout=PATIENCE)
    rows = page.locator("#ma-doubt-randomise tbody td").all_inner_texts()
    assert len(rows) == 7 and rows[0] == "ρ 1.00" and rows[-1] != "ρ 1.00"
    fits(page, width)
    switch(page, "Move the reference")
    total = page.get_by_test_id("reference-sum")
    total.wait_for(timeout=PATIENCE)
    before = total.inner_text()
    page.locator("#ma-doubt-kind").get_by_label("its mean colour").check()
    changed = "old => document.querySelector('[data-testid=%s]').innerText !== old"
    page.wait_for_function(changed % "reference-sum", arg=before, timeout=PATIENCE)
    assert "✓" in page.get_by_test_id("reference-audit").inner_text()
    fits(page, width)
    if width == 1440:
        assert barriers(page, ".ma-tests:has(#ma-doubt-go)") == {}
    switch(page, "Plant a shortcut")
    page.get_by_test_id("planted").wait_for(timeout=PATIENCE)
    # Under none, SE and CBAM; and the networks that were taught a mark, if shipped.
    taught = [
        r["trial"]["model"]
        for r in list_zoo_models("fundus", plain=False)
        if r["trial"]["shortcut"] is not None
    ]
    rows = 3 + sum("micro_resnet" in name for name in taught)
    assert page.locator("#ma-doubt-plant tbody tr").count() == rows
    fits(page, width)
    switch(page, "Delete pixels")
    page.get_by_test_id("deleted").wait_for(timeout=PATIENCE)
    pictures = page.locator("#ma-doubt-delete .ma-steps img:not([hidden])")
    first = pictures.get_attribute("src")
    page.get_by_role("slider", name="pixels taken").fill("16")
    assert pictures.get_attribute("src") != first
    assert page.locator("[data-say=fraction]").inner_text() == "100%"
    fits(page, width)
    if width == 1440:
        assert barriers(page, ".ma-tests:has(#ma-doubt-go)") == {}
        said = page.get_by_test_id("deleted").inner_text()
        page.locator("#ma-doubt-strip [data-index='1']").click()
        page.wait_for_function(changed % "deleted", arg=said, timeout=PATIENCE)


@WIDTHS
def test_the_evidence_says_how_many_seeds_and_draws_the_published_figure(
    open_tab, width
):
    page = open_tab("evidence", width)
    page.get_by_test_id("report").wait_for(timeout=PATIENCE)
    assert "seed" in page.get_by_test_id("seeds").inner_text()
    headings = page.locator("#ma-evidence h2").all_inner_texts()
    assert headings[0] == "As published" and "What attention costs" in headings
    assert page.locator("#ma-evidence figure svg").first.is_visible()
    fits(page, width)
    if width == 1440:
        assert barriers(page, "#ma-evidence") == {}
