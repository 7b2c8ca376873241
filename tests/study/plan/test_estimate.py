"""Estimates of the time that a study takes."""

import pytest

from medattn.study import PRESETS
from medattn.study.plan import estimate
from medattn.study.plan.study import change_study


def test_the_estimate_grows_with_steps_pixels_and_analyzers():
    short = change_study(PRESETS["micro"], seeds=(0,)).trials()
    longer = change_study(
        PRESETS["micro"], seeds=(0,), budget={"steps": 600, "size": 128}
    ).trials()
    one, two = (estimate.estimate_seconds(t, workers=2) for t in (short, longer))
    steps = sum(300 * estimate.SECONDS_PER_STEP[t.model] for t in short) / 2
    assert two - one == pytest.approx(steps * (2 * 4 - 1))
    without = estimate.estimate_seconds(short, analyzers=0, workers=2)
    assert one - without == pytest.approx(
        len(short) * estimate.SECONDS_PER_ANALYZER / 2
    )
    assert estimate.estimate_seconds(PRESETS["micro"].trials(), workers=2) <= 3 * 3600
    assert estimate.estimate_seconds(PRESETS["paper"].trials()) is None


def test_durations_are_written_for_people():
    assert estimate.duration(8.4) == "8 s"
    assert estimate.duration(200) == "3 min 20 s"
    assert estimate.duration(7500) == "2 h 05 min"
