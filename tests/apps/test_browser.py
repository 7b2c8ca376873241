"""The page in a browser, as a learner uses it: Playwright drives Debian's Chromium."""

import os
import shutil

import pytest
import skimage.data
from PIL import Image

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)
REQUIRED = os.environ.get("MEDATTN_BROWSER") == "required"

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not REQUIRED,
    reason="no browser found: apt-get install chromium (MEDATTN_BROWSER=required makes "
    "this a failure)",
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def page(browser, app):
    """The page at desktop width; fails if it asks another host for anything."""
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    asked = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(app.local_url)
    opened.get_by_test_id("chance").wait_for(timeout=60_000)
    yield opened
    opened.close()
    elsewhere = [
        url for url in asked if not url.startswith((app.local_url, "data:", "blob:"))
    ]
    assert elsewhere == []


def state(page):
    """What a learner sees: the probability, and the pixels of the large map."""
    return (
        page.get_by_test_id("chance").inner_text(),
        page.get_by_test_id("stage-map").get_attribute("src"),
    )


def after(page, before, act):
    """Does something, waits until the map is another, and returns what is seen."""
    act()
    page.wait_for_function(
        "old => document.querySelector('[data-testid=stage-map]')?.src !== old",
        arg=before[1],
        timeout=60_000,
    )
    return state(page)


def choose(page, knob, value):
    page.locator(f"#{knob}").get_by_label(value, exact=True).check()


def test_toggling_attention_and_data_changes_probability_and_map(page):
    seen = [state(page)]  # CBAM, 100 %, a mild case
    for knob, value in (
        ("ma-attention", "none"),
        ("ma-attention", "SE"),
        ("ma-attention", "CBAM"),
        ("ma-regime", "1 %"),
        ("ma-attention", "none"),
        ("ma-regime", "100 %"),
    ):
        seen.append(after(page, seen[-1], lambda k=knob, v=value: choose(page, k, v)))
    chances, maps = zip(*seen, strict=True)
    # CBAM again is what CBAM was, and none again what none was; the others all differ.
    assert seen[3] == seen[0] and seen[6] == seen[1]
    assert len(set(maps)) == 5
    assert len(set(chances)) >= 4


def test_the_three_cells_show_one_image_and_a_click_steps_into_one(page):
    assert page.locator("[data-attention]").count() == 3
    assert page.get_by_test_id("cell-CBAM").get_attribute("aria-pressed") == "true"
    after(page, state(page), page.get_by_test_id("cell-SE").click)
    assert page.get_by_test_id("cell-SE").get_attribute("aria-pressed") == "true"
    assert page.locator("#ma-attention").get_by_label("SE", exact=True).is_checked()
    assert "SE instead of none" in page.get_by_test_id("sentence").inner_text()


def test_the_ledger_and_the_truth_are_in_sight(page):
    assert "= logit" in page.get_by_test_id("audit").inner_text()
    assert page.get_by_test_id("truth").inner_text().startswith("diseased")
    assert page.get_by_text("not for diagnosis").is_visible()
    assert "cannot tell" in page.get_by_test_id("sentence").inner_text()


def test_opacity_photograph_and_evidence_answer_without_the_server(page):
    style = "element => getComputedStyle(element)"
    evidence = page.locator("#ma-view .ma-stage-layers .ma-evidence")
    photograph = page.locator("#ma-view .ma-stage-layers .ma-photo")
    shown = page.get_by_test_id("stage-map")
    assert evidence.evaluate(f"{style}.visibility") == "visible"
    page.get_by_label("evidence", exact=True).uncheck()
    page.get_by_label("photo in colour").check()
    page.get_by_label("Opacity of the map").fill("40")
    assert evidence.evaluate(f"{style}.visibility") == "hidden"
    assert photograph.evaluate(f"{style}.visibility") == "visible"
    assert float(shown.evaluate(f"{style}.opacity")) == pytest.approx(0.4)
    # They outlast the next answer.
    after(page, state(page), lambda: choose(page, "ma-regime", "10 %"))
    assert float(shown.evaluate(f"{style}.opacity")) == pytest.approx(0.4)
    assert evidence.evaluate(f"{style}.visibility") == "hidden"


def test_a_photograph_is_uploaded_and_answered_with_a_caution(page, tmp_path):
    Image.fromarray(skimage.data.retina()).save(tmp_path / "retina.jpg")
    picker = page.locator("#ma-upload input[type=file], input[type=file]").first
    after(page, state(page), lambda: picker.set_input_files(tmp_path / "retina.jpg"))
    assert "no judgement" in page.get_by_test_id("caution").inner_text()
    assert page.get_by_test_id("truth").inner_text() == "nobody knows"
    # Toggling still works, on the uploaded image.
    after(page, state(page), lambda: choose(page, "ma-attention", "none"))
    assert page.get_by_test_id("caution").is_visible()


def test_a_broken_file_is_answered_with_a_sentence_and_the_app_goes_on(page, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nthis is no image")
    picker = page.locator("#ma-upload input[type=file], input[type=file]").first
    picker.set_input_files(tmp_path / "broken.png")
    said = page.get_by_text("broken.png is not an image that can be read")
    said.wait_for(timeout=30_000)
    after(page, state(page), lambda: choose(page, "ma-attention", "SE"))


def test_a_bomb_is_refused_with_a_sentence(page, tmp_path):
    Image.new("1", (9000, 9000)).save(tmp_path / "bomb.png")
    page.locator("#ma-upload input[type=file], input[type=file]").first.set_input_files(
        tmp_path / "bomb.png"
    )
    page.get_by_text("bomb.png is too large").wait_for(timeout=30_000)


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_nothing_runs_over_the_edge(browser, app, width):
    opened = browser.new_page(viewport={"width": width, "height": 844})
    opened.goto(app.local_url)
    opened.get_by_test_id("chance").wait_for(timeout=60_000)
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    box = opened.get_by_test_id("stage-map").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["width"] > 250
    opened.close()


def test_the_gallery_and_the_cells_are_reached_by_keyboard(page):
    page.get_by_test_id("image-0").focus()
    page.keyboard.press("Tab")
    before = state(page)
    seen = after(page, before, lambda: page.keyboard.press("Enter"))
    assert page.get_by_test_id("image-1").get_attribute("aria-pressed") == "true"
    assert seen[0] != before[0]
