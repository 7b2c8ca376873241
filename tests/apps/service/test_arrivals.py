"""What came and what is kept: bounded in number and in time, each found by its key."""

import numpy as np
import pytest

from medattn_app.domain.cases import Case
from medattn_app.service import arrivals as arrived
from medattn_app.service import kept_images as kept
from medattn_app.service import uploads
from medattn_app.service.arrivals import Arrivals
from medattn_app.service.faults import LINES_A_MINUTE, FaultLog
from medattn_app.service.kept_images import KeptImages

PIXELS = np.zeros((64, 64, 3), np.float32)


def image():
    return PIXELS, PIXELS


def test_an_arrival_is_handed_out_once_and_an_error_raised():
    arrivals = Arrivals()
    first, second = arrivals.add(image(), "a"), arrivals.add("eye.png is broken.", "a")
    assert first != second and arrivals.take(first)[0] is PIXELS
    with pytest.raises(ValueError, match="no longer here"):
        arrivals.take(first)
    with pytest.raises(ValueError, match="eye.png is broken"):
        arrivals.take(second)
    assert len(arrivals) == 0


def test_nobody_asking_for_two_minutes_drops_it():
    now = [0.0]
    arrivals = Arrivals(lambda: now[0])
    secret = arrivals.add(image(), "a")
    now[0] = arrived.SECONDS + 1
    arrivals.sweep()
    assert len(arrivals) == 0
    with pytest.raises(ValueError, match="no longer here"):
        arrivals.take(secret)


def test_who_sends_most_loses_their_oldest():
    arrivals = Arrivals()
    learner = arrivals.add(image(), "learner")
    flood = [arrivals.add(image(), "flood") for _ in range(3 * arrived.MAX_IMAGES)]
    assert len(arrivals) <= arrived.MAX_IMAGES_OF_A_VISITOR + 1
    assert arrivals.take(learner) and arrivals.take(flood[-1])
    crowd = Arrivals()
    for number in range(2 * arrived.MAX_IMAGES):
        crowd.add(image(), str(number))
    assert len(crowd) == arrived.MAX_IMAGES


def test_an_image_is_kept_for_ten_minutes_and_until_its_page_is_closed():
    now = [0.0]
    images = KeptImages(lambda: now[0])
    keys = [images.add(Case(*image()), session, "home") for session in ("one", "two")]
    images.forget("one")
    assert images.find(keys[0]) is None and images.find(keys[1]) is not None
    for wrong in ("", "x", None, 7, ["a"]):
        assert images.find(wrong) is None
    assert uploads.UPLOAD_SECONDS == 600
    now[0] = 601
    assert images.find(keys[1]) is None and len(images) == 0


def test_a_flood_of_images_drops_none_of_anybody_else():
    images = KeptImages()
    learner = images.add(Case(*image()), "learner", "home")
    for number in range(3 * kept.MAX_IMAGES):
        images.add(Case(*image()), f"session {number}", "flood")
    assert len(images) <= kept.MAX_IMAGES and images.find(learner)
    for _ in range(9):
        images.add(Case(*image()), "learner", "home")
    assert images.find(learner) is None  # of one page, the last few


def test_orphans_go_after_two_minutes_from_the_folder_too(tmp_path, monkeypatch):
    import os
    import time

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    old, new = tmp_path / "a" / "old.png", tmp_path / "b" / "new.png"
    for path in (old, new):
        path.parent.mkdir()
        path.write_bytes(b"x")
    then = time.time() - uploads.ORPHAN_SECONDS - 5
    os.utime(old, (then, then))
    uploads.delete_orphans()
    assert not old.parent.exists() and new.exists()


def test_a_flood_of_faults_is_thirty_lines_a_minute_without_what_was_sent(caplog):
    now = [0.0]
    log = FaultLog(lambda: now[0])

    def fail():
        try:
            raise KeyError("MARIA-DA-SILVA" * 1000)
        except KeyError as error:
            log.report(error)

    for _ in range(2000):
        fail()
    assert len(caplog.records) == LINES_A_MINUTE
    now[0] = 61.0
    fail()
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert "1970 more faults" in text and "KeyError at" in text
    assert "MARIA" not in text and len(text) < 5000
