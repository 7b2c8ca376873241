"""Your own, in a browser: an image goes in, a map is seen, three files come out."""

import csv
import io

import pytest
import skimage.data
from chromium import needs_browser, settle
from PIL import Image

from medattn_app.domain.labels import probability_text

pytestmark = needs_browser
PATIENCE = 120_000  # milliseconds


@pytest.fixture(params=[1440, 390])
def page(browser, app, request):
    page = browser.new_page(viewport={"width": request.param, "height": 900})
    broken = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto(f"{app.local_url}?tab=own")
    page.locator("#ma-uploaded-export-png").wait_for(timeout=PATIENCE)
    yield page
    page.close()
    assert broken == []


def send(page, path):
    with page.expect_file_chooser(timeout=PATIENCE) as chooser:
        page.locator("#ma-uploaded-file").click()
    chooser.value.set_files(path)


def taken(page, kind):
    """Clicks a button of the exports; returns the file's name and content."""
    with page.expect_download(timeout=PATIENCE) as saved:
        page.locator(f"#ma-uploaded-export-{kind}").click()
    return saved.value.suggested_filename, saved.value.path().read_bytes()


def test_an_image_is_explained_and_exported_and_nothing_bars_the_way(page, tmp_path):
    from axe_playwright_python.sync_playwright import Axe

    # The tail of its name is markup, and stays text.
    path = tmp_path / "<img src=x onerror=alert(1)>.png"
    Image.fromarray(skimage.data.retina()).resize((300, 300)).save(path)
    send(page, path)
    page.get_by_test_id("uploaded-map").wait_for(timeout=PATIENCE)
    name, content = taken(page, "csv")
    assert name.startswith("medattn-") and name.endswith(".csv")
    (row,) = csv.DictReader(io.StringIO(content.decode()))
    assert row["image"] == "your own image" and 0 <= float(row["probability"]) <= 1
    shown = page.get_by_test_id("uploaded-probability").inner_text()
    assert probability_text(float(row["probability"])) in shown
    _, content = taken(page, "png")
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "PNG" and "not for" in picture.info["Description"]
    _, content = taken(page, "html")
    assert b"<script" not in content and b"onerror" not in content
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    settle(page)
    found = Axe().run(page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []


def test_another_method_makes_another_map_and_a_file_that_is_none_is_refused(
    page, tmp_path
):
    Image.fromarray(skimage.data.retina()).resize((200, 200)).save(tmp_path / "eye.png")
    send(page, tmp_path / "eye.png")
    shown = page.get_by_test_id("uploaded-map")
    shown.wait_for(timeout=PATIENCE)
    before = shown.get_attribute("src")
    box = page.locator("#ma-uploaded-method input")
    box.click()
    box.fill("Grad-CAM")
    page.get_by_role("option", name="Grad-CAM", exact=True).click()
    page.wait_for_function(
        "old => document.querySelector('[data-testid=uploaded-map]')?.src !== old",
        arg=before,
        timeout=PATIENCE,
    )
    assert taken(page, "csv")[0].endswith("-gradcam.csv")
    (tmp_path / "no.png").write_text("this is no image")
    send(page, tmp_path / "no.png")
    page.get_by_test_id("toast-body").wait_for(timeout=PATIENCE)
    assert "Traceback" not in page.get_by_test_id("toast-body").inner_text()
    shown.wait_for()  # the page goes on with the image before


def test_without_an_image_an_export_says_what_is_missing(page):
    page.locator("#ma-uploaded-export-png").click()
    page.get_by_test_id("toast-body").wait_for(timeout=PATIENCE)
    assert "image" in page.get_by_test_id("toast-body").inner_text().lower()
