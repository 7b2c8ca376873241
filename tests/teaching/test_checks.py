"""Checks accept right solutions and explain wrong ones."""

import subprocess
import sys

import numpy as np
import pytest

from medattn.teaching import CHECKS, NotYet, check


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def test_an_unknown_exercise_raises_an_error_with_the_known_ones():
    with pytest.raises(ValueError, match="Expected one of .*07.lrp_step.*Received"):
        check("07.nonsense", 1)


@pytest.mark.parametrize("name", CHECKS)
def test_an_empty_exercise_is_not_solved(name):
    with pytest.raises(NotYet):
        check(name, ...)
    with pytest.raises(NotYet):
        check(name, lambda *args: ...)


def test_the_check_of_hard_attention_recognises_the_soft_answer():
    with pytest.raises(NotYet, match="soft answer. Hint: one position"):
        check("02b.hard_answer", lambda scores, values, u: scores @ values)


def test_the_check_of_attention_in_a_mask_recognises_undivided_scores():
    def mass(scores, mask):
        return (np.kron(scores, np.ones((4, 4))) * mask).sum()

    with pytest.raises(NotYet, match="Hint: divide it among its pixels"):
        check("02b.mass_in_mask", mass)


def test_the_check_of_lrp_recognises_a_missing_bias():
    def step(x, W, b, R, epsilon):
        return x * (W @ (R / (x @ W + epsilon * np.sign(x @ W))))

    with pytest.raises(NotYet, match="Hint: .*bias"):
        check("07.lrp_step", step)


def test_the_check_of_lrp_recognises_an_epsilon_that_vanishes_at_zero():
    def step(x, W, b, R, epsilon):
        z = x @ W + b
        with np.errstate(divide="ignore", invalid="ignore"):
            return x * (W @ (R / (z + epsilon * np.sign(z))))

    with pytest.raises(NotYet, match="np.sign"):
        check("07.lrp_step", step)


def test_the_check_of_rescale_rejects_the_gradient():
    with pytest.raises(NotYet, match="difference of the outputs"):
        check("07.rescale", lambda z, z_reference: (z > 0).astype(float))


def test_the_check_of_relevance_mass_recognises_cancelling_relevance():
    def mass(relevance, mask):
        return relevance[mask].sum() / relevance.sum()

    with pytest.raises(NotYet, match="Hint: take |R|"):
        check("09.relevance_mass", mass)


def test_a_different_right_solution_passes(capsys):
    def gate(x, W1, W2):
        hidden = np.clip(np.einsum("hwc,ck->k", x, W1) / x[..., 0].size, 0, None)
        return sigmoid(np.einsum("k,kc->c", hidden, W2))

    check("03.squeeze_excite", gate)
    assert capsys.readouterr().out.startswith("✓ 03.squeeze_excite")


def test_a_notebook_shows_the_hint_without_a_traceback():
    with pytest.raises(NotYet) as caught:
        check("07.rescale", ...)
    (line,) = caught.value._render_traceback_()
    assert line.startswith("Not yet.")


def test_checks_need_no_backend():
    code = (
        "import sys, numpy as np, medattn.teaching as t\n"
        "t.quiz('07_lrp_deeplift')\n"
        "t.check('09.relevance_mass', lambda R, m: abs(R)[m].sum() / abs(R).sum())\n"
        "print(sorted({'keras', 'tensorflow', 'matplotlib'} & set(sys.modules)))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.splitlines()[-1] == "[]"
