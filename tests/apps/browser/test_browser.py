"""The page in a browser, as a learner uses it: Playwright drives Debian's Chromium."""

import pytest
import skimage.data
from chromium import CHROMIUM, needs_browser
from PIL import Image

pytestmark = needs_browser
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FULL = """() => document.querySelectorAll('.mx-cell').length > 0
  && !document.querySelector('.mx-missing')
  && document.querySelector('[data-testid=study]').children.length > 0"""


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def open_page(browser, app):
    """A function that opens the page; fails if it asks another host for anything."""
    opened, asked = [], []

    def go(query="", width=1440):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{app.local_url}?{query}")
        page.wait_for_function(FULL, timeout=120_000)
        opened.append(page)
        return page

    yield go
    for page in opened:
        page.close()
    elsewhere = [
        url for url in asked if not url.startswith((app.local_url, "data:", "blob:"))
    ]
    assert elsewhere == []


def state(page):
    """What a learner sees: the probability, and the sum of the large map."""
    return (
        page.get_by_test_id("probability").inner_text(),
        page.get_by_test_id("stage-map").get_attribute("data-sum"),
    )


def after(page, act):
    """Does something, waits until the map is another and the grid full."""
    before = state(page)
    act()
    page.wait_for_function(
        "old => document.querySelector('[data-testid=stage-map]').dataset.sum !== old",
        arg=before[1],
        timeout=60_000,
    )
    page.wait_for_function(FULL, timeout=120_000)
    return state(page)


def choose(page, knob, value):
    return lambda: page.locator(f"[data-knob={knob}]").get_by_label(value).check()


def test_toggling_attention_and_data_changes_probability_map_and_sentence(open_page):
    page = open_page()
    seen = [state(page)]  # ResNet, CBAM, 100 %
    for knob, value in (
        ("attention", "none"),
        ("attention", "SE"),
        ("attention", "CBAM"),
        ("regime", "1 %"),
        ("attention", "none"),
        ("regime", "100 %"),
    ):
        seen.append(after(page, choose(page, knob, value)))
    # CBAM again is what CBAM was, and none again what none was; the others all differ.
    assert seen[3] == seen[0] and seen[6] == seen[1]
    assert len({maps for _, maps in seen}) == 5
    said = page.get_by_test_id("sentence").inner_text().replace("\xa0", " ")
    assert said.startswith("100 % instead of 1 %: P(diseased) ")
    assert page.get_by_test_id("study").inner_text()


def test_the_ledger_the_truth_and_the_warning_are_in_sight(open_page):
    page = open_page()
    assert "= logit" in page.get_by_test_id("audit").inner_text()
    assert page.get_by_test_id("truth").inner_text().startswith("diseased")
    assert page.get_by_text("not for diagnosis").is_visible()
    assert page.get_by_test_id("python").text_content().count("\n") == 2
    assert page.locator(".mx-stage").get_attribute("aria-label").count("P is") == 1


def test_the_grid_is_stepped_by_keyboard_and_by_mouse(open_page):
    page = open_page()
    cell = page.get_by_test_id("cell-ResNet|CBAM|1")
    assert cell.get_attribute("aria-pressed") == "true"
    cell.focus()
    after(page, lambda: page.keyboard.press("ArrowUp"))
    stepped = page.get_by_test_id("cell-ResNet|SE|1")
    assert stepped.get_attribute("aria-pressed") == "true"
    assert stepped.evaluate("node => node === document.activeElement")
    assert page.locator("[data-knob=attention]").get_by_label("SE").is_checked()
    after(page, page.get_by_test_id("cell-ResNet|none|0.1").click)
    assert page.locator("[data-knob=regime]").get_by_label("10 %").is_checked()


def test_what_is_drawn_in_the_browser_asks_the_server_nothing(open_page):
    page = open_page()
    page.wait_for_timeout(1500)  # the last of the first answer
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    style = "(node, key) => getComputedStyle(node)[key]"
    stage = page.locator(".mx-stage")
    shown = page.get_by_test_id("stage-map")
    page.get_by_label("evidence", exact=True).uncheck()
    evidence = stage.locator(".mx-evidence")
    assert evidence.evaluate(style, "visibility") == "hidden"
    page.get_by_label("photo", exact=True).check()
    photo = stage.locator(".mx-photo")
    assert photo.evaluate(style, "visibility") == "visible"
    page.locator("[data-tool=opacity]").fill("40")
    assert float(shown.evaluate(style, "opacity")) == pytest.approx(0.4)
    page.get_by_label("Zoom in").click()
    scaled = "nodes => new Set(nodes.map(n => getComputedStyle(n).transform)).size"
    assert page.locator(".mx-inner").evaluate_all(scaled) == 1  # linked, all alike
    assert "1.5" in stage.locator(".mx-inner").evaluate(style, "transform")
    page.get_by_label("contours").check()
    assert stage.locator(".mx-contour path").count() == 6 and shown.is_hidden()
    page.get_by_label("contours").uncheck()
    before = page.locator(".mx-scale > span").first.inner_text()
    page.locator("[data-tool=strength]").fill("2")
    assert page.locator(".mx-scale > span").first.inner_text() != before
    stage.hover(position={"x": 100, "y": 100})
    assert page.get_by_test_id("readout").inner_text().startswith("pixel (")
    page.get_by_label("minus the current cell").check()
    assert asked == []


def test_the_link_of_the_page_opens_the_same_view(open_page):
    page = open_page()
    after(page, choose(page, "attention", "SE"))
    after(page, page.get_by_test_id("image-3").click)
    assert "attention=SE" in page.url and "image=3" in page.url
    again = open_page(page.url.split("?")[1])
    assert state(again) == state(page)


def test_a_teacher_hides_what_the_class_may_not_touch(open_page):
    page = open_page("hide=attention,truth,doubt&regime=0.1&method=gradient")
    assert page.locator("[data-knob=attention]").is_hidden()
    assert page.get_by_test_id("truth").is_hidden()
    assert page.locator("[data-knob=regime]").get_by_label("10 %").is_checked()
    page.get_by_role("tab", name="Doubt it").wait_for(state="hidden", timeout=20_000)


def test_a_forged_link_opens_the_page_with_a_sentence(open_page):
    page = open_page("attention=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E&image=99")
    assert "was left out" in page.get_by_test_id("failed").inner_text()
    assert page.locator(".mx img[src=x]").count() == 0


def test_a_photograph_is_uploaded_and_answered_with_a_caution(open_page, tmp_path):
    page = open_page()
    Image.fromarray(skimage.data.retina()).save(tmp_path / "retina.jpg")
    with page.expect_file_chooser() as chooser:
        page.locator(".mx-upload").click()
    requests = []
    page.on("request", lambda request: requests.append(request))
    after(page, lambda: chooser.value.set_files(tmp_path / "retina.jpg"))
    # The image makes one trip: its upload is answered with its map, and neither the
    # picture nor the answer is requested again.
    assert sum(r.url.split("?")[0].endswith("/upload") for r in requests) == 1
    called = [
        r.post_data_json["fn_name"] for r in requests if "component_server" in r.url
    ]
    assert set(called) <= {"fill", "conclude"}
    assert "only ever seen drawings" in page.get_by_test_id("caution").inner_text()
    assert page.get_by_test_id("truth").inner_text() == "nobody knows"
    after(page, choose(page, "attention", "none"))
    assert page.get_by_test_id("caution").is_visible()
    after(page, page.get_by_test_id("image-2").click)
    assert page.get_by_test_id("caution").is_hidden()


def test_a_broken_file_is_answered_with_a_sentence_and_the_page_goes_on(
    open_page, tmp_path
):
    page = open_page()
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nthis is no image")
    with page.expect_file_chooser() as chooser:
        page.locator(".mx-upload").click()
    chooser.value.set_files(tmp_path / "broken.png")
    page.get_by_text("broken.png is not an image").wait_for(timeout=30_000)
    after(page, choose(page, "attention", "SE"))


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_nothing_runs_over_the_edge(open_page, width):
    page = open_page("", width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.get_by_test_id("stage-map").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["width"] > 250


def test_on_a_phone_the_controls_lie_in_a_drawer(open_page):
    page = open_page("", 390)
    knob = page.locator("[data-knob=attention]")
    assert knob.is_hidden()
    page.locator(".mx-drawer").click()
    assert knob.is_visible()
    after(page, choose(page, "attention", "none"))
    assert "none" in page.locator(".mx-drawer").inner_text()
