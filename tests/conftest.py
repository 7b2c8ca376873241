"""What all tests share: quiet TensorFlow, trained networks, a few drawings."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest


def pytest_ignore_collect(collection_path, config):
    """Speed is measured only when asked for, by --benchmark-only."""
    if "benchmarks" in collection_path.parts and not config.getoption("benchmark_only"):
        return True
    return None


@pytest.fixture(scope="session")
def trained():
    """A function from (model, regime) to a shipped network, each loaded once."""
    from medattn.zoo import load_zoo_model

    loaded = {}

    def load(name, regime=1.0):
        if (name, regime) not in loaded:
            loaded[name, regime] = load_zoo_model(name, regime=regime)
        return loaded[name, regime]

    return load


@pytest.fixture(scope="session")
def drawings():
    """Forty drawings of the test set: image, twin, evidence, label, grade."""
    from medattn.data import draw_images

    drawn = draw_images("fundus", range(40))
    for key in ("image", "twin"):
        drawn[key] = drawn[key].astype(np.float32) / 255
    return drawn
