"""axe-core finds no serious barrier on any tab, wide and narrow, light and dark."""

import pytest
from chromium import needs_browser

from medattn_app.domain.constants import TABS

pytestmark = needs_browser
WAIT = 240_000  # milliseconds: the first answer compiles a network
SERIOUS = ("serious", "critical")
LOOKS = {"wide": (1440, "light"), "narrow": (390, "light"), "dark": (1440, "dark")}


@pytest.mark.parametrize("look", LOOKS)
def test_no_tab_has_a_serious_barrier(browser, app, look):
    from axe_playwright_python.sync_playwright import Axe

    width, theme = LOOKS[look]
    page = browser.new_page(viewport={"width": width, "height": 900})
    found = {}
    for name in TABS:
        page.goto(f"{app.local_url}?__theme={theme}&tab={name}")
        audit = page.locator("#ma-explore [data-testid=audit]")
        audit.wait_for(state="attached", timeout=WAIT)
        page.locator(f"#ma-tab-{name}").wait_for(state="visible", timeout=WAIT)
        page.wait_for_timeout(1500)
        for barrier in Axe().run(page).response["violations"]:
            if barrier["impact"] in SERIOUS:
                where = [str(node["target"]) for node in barrier["nodes"]][:4]
                found[name, barrier["id"]] = where
    page.close()
    assert found == {}


def test_every_control_of_the_page_is_reached_by_the_tab_key(browser, app):
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(app.local_url)
    page.locator("#ma-explore [data-testid=audit]").wait_for(timeout=WAIT)
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "(document.activeElement.closest('[data-knob]') || "
                "document.activeElement).getAttribute('data-knob') || "
                "document.activeElement.getAttribute('role') || "
                "document.activeElement.tagName"
            )
        )
    page.close()
    assert {"tab", "BUTTON"} <= reached, reached
