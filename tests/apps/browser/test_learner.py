"""A learner in a browser: the lesson, an own image, what is taken away, languages."""

import csv

import pytest
import skimage.data
from chromium import needs_browser
from PIL import Image

pytestmark = needs_browser
WAIT = 240_000  # milliseconds: the first answer compiles a network


@pytest.fixture(params=[1440, 390])
def page(request, browser, app):
    opened = browser.new_page(viewport={"width": request.param, "height": 900})
    opened.set_default_timeout(WAIT)
    faults = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(app.local_url)
    opened.get_by_test_id("audit").wait_for(state="attached")
    yield opened
    opened.close()
    assert faults == []


def to(page, name):
    """Opens a tab, from Gradio's menu where the screen is narrow."""
    tab = page.get_by_role("tab", name=name, exact=True)
    if not tab.is_visible():
        page.locator("#ma-tabs .overflow-menu > button").first.click()
        page.locator("#ma-tabs .overflow-dropdown").get_by_text(name).click()
        return
    tab.click()


def test_a_lesson_step_counts_the_deed_and_not_before_the_prediction(page):
    to(page, "Lesson")
    go = page.locator("#ma-go-read")
    assert go.is_disabled()
    page.locator("#ma-ask-read").get_by_label("where the disease is").check()
    page.get_by_test_id("lesson-next").wait_for()
    go.click()
    if page.viewport_size["width"] < 800:
        page.locator(".mx-drawer").click()  # the controls lie in a drawer
    page.locator(".mx-strip button").nth(3).click()
    page.get_by_test_id("after-read").first.wait_for()
    line = page.locator("#ma-lesson-line").inner_text()
    assert "Not as you expected" in line and "Step 2 of 8" in line
    page.locator("#ma-lesson-back").click()
    page.locator("#ma-ask-data").wait_for(state="visible")


def test_an_own_photograph_is_said_to_be_like_nothing_seen(page, tmp_path):
    Image.fromarray(skimage.data.retina()).save(tmp_path / "retina.jpg")
    to(page, "Your own")
    with page.expect_file_chooser() as chosen:
        page.locator("#ma-uploaded-file").click()
    chosen.value.set_files(tmp_path / "retina.jpg")
    page.get_by_test_id("uploaded-probability").wait_for()
    assert "looks like nothing" in page.get_by_test_id("uploaded-note").inner_text()
    assert "= logit" in page.get_by_test_id("uploaded-audit").inner_text()
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_numbers_and_the_picture_are_taken_away(page, tmp_path):
    with page.expect_download() as saved:
        page.locator("#ma-export-csv").click()
    assert (
        saved.value.suggested_filename == "medattn-fundus-ResNet-CBAM-lrp.epsilon.csv"
    )
    saved.value.save_as(tmp_path / "numbers.csv")
    with open(tmp_path / "numbers.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["attention"] for row in rows} >= {"none", "SE", "CBAM"}
    with page.expect_download() as saved:
        page.locator("#ma-export-png").click()
    saved.value.save_as(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        assert "not for diagnosis" in picture.info["Description"]


def test_the_page_turns_portuguese_and_back(page):
    page.locator("[data-switch=language]").click()
    page.wait_for_url("**/pt?*")
    page.get_by_text("não serve para diagnóstico").wait_for()
    page.get_by_role("tab", name="Explorar", exact=True).wait_for()
    page.locator("[data-switch=language]").click()
    page.get_by_text("not for diagnosis").first.wait_for()
    assert "/pt" not in page.url
