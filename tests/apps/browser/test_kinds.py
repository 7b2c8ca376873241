"""Starting weights and shortcut in a browser: knobs where networks are, else words."""

import pytest
from chromium import CHROMIUM, needs_browser

from medattn_app.service import shortcut_reliance as reliance

pytestmark = needs_browser
PATIENCE = 120_000  # milliseconds: networks are compiled when first asked


@pytest.fixture(scope="module")
def varied_app(varied_zoo):
    """The app over a zoo with every kind of network, its test sets made small."""
    from medattn_app import launch

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reliance, "MAX_TEST_IMAGES", 40)
        patch.setattr(reliance, "MAX_EXPLAINED_IMAGES", 8)
        reliance.marked_tests.cache_clear()
        running = launch(port=0, block=False)
        yield running
        running.close()
    reliance.marked_tests.cache_clear()


@pytest.fixture
def open_page(varied_app):
    """A function that opens the page; errors in its scripts fail."""
    from playwright.sync_api import sync_playwright

    broken = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )

        def go(query, width=1440):
            page = browser.new_page(viewport={"width": width, "height": 900})
            page.on("pageerror", lambda error: broken.append(str(error)))
            page.goto(f"{varied_app.local_url}?{query}")
            return page

        yield go
        browser.close()
    assert broken == []


def shown(page, cell):
    """Waits until the page answers for a cell of the grid, and has filled it."""
    page.wait_for_function(
        """name => document.querySelector(`[data-testid="cell-${name}"]`)
          ?.getAttribute("aria-pressed") === "true"
          && !document.querySelector(".mx-missing")
          && document.querySelector("[data-testid=study]").children.length > 0""",
        arg=cell,
        timeout=PATIENCE,
    )


def test_a_learner_changes_start_and_shortcut_and_is_told_where_there_are_none(
    open_page,
):
    page = open_page("image=2")
    shown(page, "ResNet|CBAM|1")
    start, shortcut = (
        page.locator(f"[data-knob={name}]") for name in ("initialisation", "shortcut")
    )
    page.locator(".mx-more summary").click()
    start.get_by_label("pretrained").check()
    shown(page, "ResNet|CBAM|1|shapes|none")
    assert "initialisation=shapes" in page.url
    assert 'initialisation="shapes")' in page.get_by_test_id("python").text_content()
    assert "pretrained" in page.get_by_test_id("grid-title").inner_text()
    # Another study varied the shortcut, so the start gives way.
    shortcut.get_by_label("ρ = 0.9").check()
    shown(page, "ResNet|CBAM|1|random|0.9")
    assert "shortcut=0.9" in page.url and "initialisation" not in page.url
    assert start.get_by_label("random").is_checked()
    chance = page.get_by_test_id("probability").inner_text()
    page.get_by_test_id("cell-ResNet|CBAM|1|random|0.9").focus()
    page.keyboard.press("ArrowLeft")
    shown(page, "ResNet|CBAM|1|random|0")
    assert shortcut.get_by_label("ρ = 0", exact=True).is_checked()
    assert page.get_by_test_id("probability").inner_text() != chance
    # With a tenth of the data nobody was taught a shortcut: the plain one is shown.
    page.locator("[data-knob=regime]").get_by_label("10 %").check()
    shown(page, "ResNet|CBAM|0.1")
    assert "the page shows the one" in page.get_by_test_id("failed").inner_text()
    assert "shortcut" not in page.url
    assert shortcut.get_by_label("ρ = 0.9").is_disabled()
    assert "ResNet (none, SE, CBAM), 100" in shortcut.inner_text()
    assert start.get_by_label("pretrained").is_enabled()
    page.locator("[data-knob=dataset]").get_by_label("Skin").check()
    page.wait_for_function(
        "() => document.querySelector('[data-knob=initialisation]').innerText"
        ".includes('Eye: ResNet')",
        timeout=PATIENCE,
    )
    assert start.get_by_label("pretrained").is_disabled()


@pytest.mark.parametrize("width", [1440, pytest.param(390, marks=pytest.mark.slow)])
def test_doubt_shows_who_was_taught_the_mark_and_what_test_sets_say(open_page, width):
    page = open_page("tab=doubt&shortcut=0.9&image=2", width)
    page.locator("#ma-doubt-go").wait_for(timeout=PATIENCE)
    # The tab follows the question of the link, the kind of training too.
    page.wait_for_function(
        "() => document.querySelector('#ma-doubt-trained input:checked')?.value"
        " === 'random|0.9'",
        timeout=PATIENCE,
    )
    tab = page.locator(".ma-tests").get_by_role(
        "tab", name="Plant a shortcut", exact=True
    )
    if tab.is_visible():
        tab.click()
    else:
        page.locator(".ma-tests .overflow-menu > button").click()
        page.locator(
            ".ma-tests .overflow-dropdown button", has_text="Plant a shortcut"
        ).click()
    page.get_by_test_id("planted").wait_for(timeout=PATIENCE)
    assert page.locator("#ma-doubt-plant tbody tr").count() == 9
    captions = page.locator("#ma-doubt-plant figcaption").all_inner_texts()
    assert [text.startswith("trained with ρ = ") for text in captions] == [
        False, False, True, True,
    ]  # fmt: skip
    page.locator("#ma-doubt-tests-go").click()
    page.get_by_test_id("reliance").wait_for(timeout=PATIENCE)
    assert page.locator("#ma-doubt-tests tbody tr").count() == 6
    assert "cannot tell" in page.get_by_test_id("reliance").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # What was said is taken back as soon as another network is chosen.
    page.locator("#ma-doubt-attention").get_by_label("SE").check()
    page.get_by_test_id("reliance").wait_for(state="detached", timeout=PATIENCE)
