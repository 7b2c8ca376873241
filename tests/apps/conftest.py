"""One running app for all tests of it."""

import pytest


@pytest.fixture(scope="session")
def bench():
    from medattn_app.bench import Bench

    return Bench()


@pytest.fixture(scope="session")
def app():
    """The app as `medattn app` starts it, on a free port; closed at the end."""
    from medattn_app import launch

    running = launch(port=0, block=False)
    yield running
    running.close()
