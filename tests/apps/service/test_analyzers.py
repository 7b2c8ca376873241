"""The page's analyzers answer at once, are compiled beside, and are bounded."""

import threading
import time

import numpy as np
import pytest

from medattn.explain import create_analyzer
from medattn_app.domain.cases import synthetic_cases
from medattn_app.service import analyzers as module
from medattn_app.service.analyzers import POSITIVE, Analyzers


@pytest.fixture
def pixels():
    return synthetic_cases("fundus")[0].pixels


@pytest.fixture(autouse=True)
def compile_soon(monkeypatch):
    monkeypatch.setattr(module, "ANSWERS_BEFORE_COMPILING", 4)
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.0)
    monkeypatch.setattr(module, "SLOW_SECONDS", 0.0)


def creator(model, method):
    return lambda: create_analyzer(method, model, neuron_selection_mode="index")


def test_an_analyzer_used_often_is_compiled_and_gives_the_same_map(trained, pixels):
    analyzers = Analyzers()
    model = trained("se_micro_resnet", 1.0)
    answers = []
    for _ in range(module.ANSWERS_BEFORE_COMPILING):
        entry = analyzers.get("a", creator(model, "deep_lift.rescale"))
        assert not entry.is_compiled
        answers.append(analyzers.explain(entry, pixels))
    analyzers.wait()
    assert entry.is_compiled
    answers.append(analyzers.explain(entry, pixels))
    own = creator(model, "deep_lift.rescale")().analyze(pixels[None], POSITIVE)
    for maps, audit, _ in answers:
        np.testing.assert_allclose(maps, own, atol=1e-5)
        assert abs(audit["error"][0]) < 1e-4


def test_few_analyzers_are_kept_and_fewer_are_compiled(trained, pixels, monkeypatch):
    monkeypatch.setattr(module, "MAX_ANALYZERS", 4)
    monkeypatch.setattr(module, "MAX_COMPILED", 1)
    analyzers, model = Analyzers(), trained("micro_resnet", 1.0)
    default = analyzers.get("default", creator(model, "gradient"))
    analyzers.compile(default, pixels)
    for _ in range(module.ANSWERS_BEFORE_COMPILING):
        for name in ("first", "second"):
            analyzers.explain(analyzers.get(name, creator(model, "gradient")), pixels)
    analyzers.wait()
    assert analyzers.get("first", None).is_compiled
    second = analyzers.get("second", None)
    assert not second.is_compiled  # one beside the default, and none in its place
    entries = [analyzers.get(n, creator(model, "gradient")) for n in range(6)]
    assert list(analyzers._entries) == ["default", "first", 4, 5]
    assert analyzers.get(5, None) is entries[5]  # created once
    assert analyzers.get("second", creator(model, "gradient")) is not second


def test_a_refusal_is_kept_and_an_error_while_compiling_is_logged(
    trained, pixels, caplog
):
    tried = []

    def refuse():
        tried.append(1)
        raise ValueError("This network has no gates.")

    analyzers = Analyzers()
    for _ in range(2):
        with pytest.raises(ValueError, match="no gates"):
            analyzers.get("gates", refuse)
    assert tried == [1]

    class Breaks:
        def analyze(self, batch, neuron):
            if threading.current_thread() is not threading.main_thread():
                raise RuntimeError("out of memory")
            return batch

    entry = analyzers.get("breaks", Breaks)
    for _ in range(module.ANSWERS_BEFORE_COMPILING + 1):
        analyzers.explain(entry, pixels)
        analyzers.wait()
    assert "out of memory" in caplog.text and not entry.is_compiled
    other = analyzers.get("works", creator(trained("micro_resnet", 1.0), "gradient"))
    for _ in range(module.ANSWERS_BEFORE_COMPILING):
        analyzers.explain(other, pixels)
    analyzers.wait()
    assert other.is_compiled


def test_an_analyzer_that_is_quick_without_compiling_is_not_compiled(
    trained, pixels, monkeypatch
):
    monkeypatch.setattr(module, "SLOW_SECONDS", 60.0)
    analyzers = Analyzers()
    entry = analyzers.get("a", creator(trained("micro_resnet", 1.0), "random"))
    for _ in range(module.ANSWERS_BEFORE_COMPILING + 1):
        analyzers.explain(entry, pixels)
    analyzers.wait()
    assert not entry.is_compiled


def test_after_stop_nothing_is_compiled(trained, pixels):
    analyzers = Analyzers()
    analyzers.stop()
    entry = analyzers.get("a", creator(trained("micro_resnet", 1.0), "gradient"))
    for _ in range(module.ANSWERS_BEFORE_COMPILING + 1):
        analyzers.explain(entry, pixels)
    analyzers.wait()
    assert not entry.is_compiled


def test_an_analyzer_is_compiled_in_a_pause_or_after_the_longest_wait(
    trained, pixels, monkeypatch
):
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.5)
    monkeypatch.setattr(module, "MAX_WAIT_SECONDS", 1.0)
    analyzers = Analyzers()
    entry = analyzers.get("a", creator(trained("micro_resnet", 1.0), "gradient"))
    start = time.monotonic()
    while not entry.is_compiled:  # without a pause
        analyzers.explain(entry, pixels)
        assert entry.is_compiled <= (time.monotonic() - start > 1.0)
        assert time.monotonic() - start < 60
    analyzers.wait()


def test_answers_given_while_it_is_compiled_are_correct(trained, pixels):
    """Two threads use one analyzer, and neither sees what the other computes."""
    analyzers = Analyzers()
    for method in ("lrp.gamma", "deep_lift.reveal_cancel", "gradcam"):
        model = trained("se_micro_resnet", 1.0)
        entry = analyzers.get(method, creator(model, method))
        first, beside = analyzers.explain(entry, pixels)[0], 0
        thread = threading.Thread(target=analyzers.compile, args=(entry, pixels))
        thread.start()
        while thread.is_alive():
            again = analyzers.explain(entry, pixels)[0]
            np.testing.assert_allclose(again, first, atol=1e-5)
            beside += 1
        thread.join()
        assert beside >= 1 and entry.is_compiled
    analyzers.wait()
