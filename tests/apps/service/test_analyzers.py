"""The page's analyzers: answers at once, compiled beside, bounded."""

import threading
import time

import numpy as np
import pytest

from medattn.explain import create_analyzer
from medattn_app.domain.cases import drawn_cases
from medattn_app.service import analyzers as kept
from medattn_app.service.analyzers import POSITIVE, Analyzers


@pytest.fixture
def pixels():
    return drawn_cases("fundus")[0].pixels


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(kept, "ASKED", 4)
    monkeypatch.setattr(kept, "QUIET", 0.0)
    monkeypatch.setattr(kept, "SLOW", 0.0)


def make_of(model, method):
    return lambda: create_analyzer(method, model, neuron_selection_mode="index")


def test_it_is_compiled_once_asked_often_and_says_the_same(trained, pixels):
    held = Analyzers()
    model = trained("se_micro_resnet", 1.0)
    answers = []
    for _ in range(kept.ASKED):
        entry = held.get("a", make_of(model, "deep_lift.rescale"))
        assert not entry.is_compiled
        answers.append(held.account(entry, pixels))
    held.wait()
    assert entry.is_compiled
    answers.append(held.account(entry, pixels))
    own = make_of(model, "deep_lift.rescale")().analyze(pixels[None], POSITIVE)
    for maps, ledger, _ in answers:
        np.testing.assert_allclose(maps, own, atol=1e-5)
        assert abs(ledger["error"][0]) < 1e-4


def test_few_are_kept_and_fewer_compiled(trained, pixels, monkeypatch):
    monkeypatch.setattr(kept, "KEPT", 4)
    monkeypatch.setattr(kept, "COMPILED", 1)
    held, model = Analyzers(), trained("micro_resnet", 1.0)
    default = held.get("default", make_of(model, "gradient"))
    held.compile(default, pixels)
    for _ in range(kept.ASKED):
        for name in ("first", "second"):
            held.account(held.get(name, make_of(model, "gradient")), pixels)
    held.wait()
    assert held.get("first", None).is_compiled
    second = held.get("second", None)
    assert not second.is_compiled  # one beside the default, and none in its stead
    entries = [held.get(n, make_of(model, "gradient")) for n in range(6)]
    assert list(held._entries) == ["default", "first", 4, 5]
    assert held.get(5, None) is entries[5]  # made once
    assert held.get("second", make_of(model, "gradient")) is not second


def test_a_refusal_is_remembered_and_a_broken_compiler_is_survived(
    trained, pixels, caplog
):
    tried = []

    def refuse():
        tried.append(1)
        raise ValueError("This network has no gates.")

    held = Analyzers()
    for _ in range(2):
        with pytest.raises(ValueError, match="no gates"):
            held.get("gates", refuse)
    assert tried == [1]

    class Breaks:
        def analyze(self, batch, neuron):
            if threading.current_thread() is not threading.main_thread():
                raise RuntimeError("out of memory")
            return batch

    entry = held.get("breaks", Breaks)
    for _ in range(kept.ASKED + 1):
        held.account(entry, pixels)
        held.wait()
    assert "out of memory" in caplog.text and not entry.is_compiled
    other = held.get("works", make_of(trained("micro_resnet", 1.0), "gradient"))
    for _ in range(kept.ASKED):
        held.account(other, pixels)
    held.wait()
    assert other.is_compiled


def test_what_is_quick_step_by_step_is_not_compiled(trained, pixels, monkeypatch):
    monkeypatch.setattr(kept, "SLOW", 60.0)
    held = Analyzers()
    entry = held.get("a", make_of(trained("micro_resnet", 1.0), "random"))
    for _ in range(kept.ASKED + 1):
        held.account(entry, pixels)
    held.wait()
    assert not entry.is_compiled


def test_at_rest_nothing_is_compiled(trained, pixels):
    held = Analyzers()
    held.rest()
    entry = held.get("a", make_of(trained("micro_resnet", 1.0), "gradient"))
    for _ in range(kept.ASKED + 1):
        held.account(entry, pixels)
    held.wait()
    assert not entry.is_compiled


def test_it_is_compiled_when_nobody_asks_or_after_a_while(trained, pixels, monkeypatch):
    monkeypatch.setattr(kept, "QUIET", 0.5)
    monkeypatch.setattr(kept, "PATIENCE", 1.0)
    held = Analyzers()
    entry = held.get("a", make_of(trained("micro_resnet", 1.0), "gradient"))
    start = time.monotonic()
    while not entry.is_compiled:  # asked all the time
        held.account(entry, pixels)
        assert entry.is_compiled <= (time.monotonic() - start > 1.0)
        assert time.monotonic() - start < 60
    held.wait()


def test_answers_given_while_it_is_compiled_are_right(trained, pixels):
    """Two threads in one analyzer: what one run makes is no business of the other."""
    held = Analyzers()
    for method in ("lrp.gamma", "deep_lift.reveal_cancel", "gradcam"):
        model = trained("se_micro_resnet", 1.0)
        entry = held.get(method, make_of(model, method))
        first, beside = held.account(entry, pixels)[0], 0
        thread = threading.Thread(target=held.compile, args=(entry, pixels))
        thread.start()
        while thread.is_alive():
            again = held.account(entry, pixels)[0]
            np.testing.assert_allclose(again, first, atol=1e-5)
            beside += 1
        thread.join()
        assert beside >= 1 and entry.is_compiled
    held.wait()
