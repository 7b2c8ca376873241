"""The browser that drives the page: where it is, and when its page is at rest."""

import os
import shutil

import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)
REQUIRED = os.environ.get("MEDATTN_BROWSER") == "required"
needs_browser = pytest.mark.skipif(
    CHROMIUM is None and not REQUIRED,
    reason="no browser found: apt-get install chromium (MEDATTN_BROWSER=required makes "
    "this a failure)",
)


def settle(page, patience=120_000):
    """Waits until nothing fades: Gradio dims the old answer while a new one is coming.

    Colours measured in between would be those of the fading, not of the page.
    """
    page.wait_for_function(
        """() => ![...document.querySelectorAll(".pending:not(.step-button)")]
            .some(part => getComputedStyle(part).opacity < 1)
          && document.getAnimations().every(one => one.playState !== "running"
            || one.effect.getComputedTiming().endTime === Infinity)""",
        timeout=patience,
    )
