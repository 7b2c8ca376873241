"""The browser that drives the page in tests, and when they may do without it."""

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
