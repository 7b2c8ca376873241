"""A published "A beats B" is judged as Christodoulou et al. (2025) judge it."""

import csv
import sys

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta

from medattn.cli import main
from medattn.study import check_claim, check_claims, claim_sentence, read_claims
from medattn.study.analyse.claims import (
    auroc_error,
    difference_interval,
    probability_false,
)
from medattn.study.analyse.results import REFERENCE

IMAGES = {  # of each class in the test sets of the survey, negatives first
    "aptos2019": (271, 279),
    "isic2020": (6838, 127),
    "mimic_cxr": (211, 861),
}


@pytest.mark.parametrize(
    ("a", "b", "images", "congruence"),
    [(0.9, 0.85, 100, 0.8), (0.982, 0.980, 550, 0.97), (0.6, 0.6, 40, 0.3)],
)
def test_the_closed_form_is_the_double_integral_of_the_paper(a, b, images, congruence):
    only_a, only_b = images * (a - congruence), images * (b - congruence)
    # p_1 / (p_1 + p_2) of Dirichlet(only_a + 1, only_b + 1, rest) is a beta variable,
    # so that the integral over p_1 <= p_2 is one over its lower half.
    density = beta(only_a + 1, only_b + 1).pdf
    expected, _ = quad(density, 0, 0.5, epsabs=1e-12)
    assert probability_false(a, b, images, congruence) == pytest.approx(
        expected, abs=1e-6
    )


def test_the_closed_form_and_the_interval_are_those_of_sampled_dirichlets():
    a, b, images, congruence = 0.9, 0.85, 100, 0.8
    x = images * (np.array([a, b]) - congruence)
    rng = np.random.default_rng(0)
    p = rng.dirichlet([*(x + 1), images - x.sum() + 2], 400_000)
    difference = p[:, 0] - p[:, 1]
    false = probability_false(a, b, images, congruence)
    assert false == pytest.approx((difference <= 0).mean(), abs=3e-3)
    low, high = difference_interval(a, b, images, congruence)
    assert (low, high) == pytest.approx(
        np.quantile(difference, [0.025, 0.975]), abs=1e-3
    )


def test_a_probability_worked_by_hand():
    # One image where A alone is right, none where B alone is: I_{1/2}(2, 1) = 1/4.
    assert probability_false(0.6, 0.5, 10, 0.5) == pytest.approx(0.25, abs=1e-12)


def test_equal_results_are_no_claim():
    claim = check_claim("A", "B", 0.9, 0.9, (50, 50))
    assert claim.better is None and claim.p_false == pytest.approx((0.5, 0.5))
    assert claim_sentence(claim) == "No difference is claimed."


def test_methods_that_are_right_on_the_same_images_make_a_claim_surer():
    unlike, alike = check_claim("A", "B", 0.92, 0.90, (275, 275)).p_false
    assert alike < unlike


def test_the_order_of_the_two_methods_does_not_matter():
    one = check_claim("A", "B", 0.92, 0.90, (275, 275))
    other = check_claim("B", "A", 0.90, 0.92, (275, 275))
    assert one == other and one.better == "A"


def test_the_error_of_a_difference_of_aurocs_is_hanley_and_mcneils():
    # At an area of 1/2 both Q are 1/3, so that with ten of each class the variance is
    # (1/4 + 9/12 + 9/12) / 100; that of the difference of two is twice that.
    alone = auroc_error(0.5, 0.5, (10, 10), 0.0)
    assert alone == pytest.approx(np.sqrt(2 * 0.0175), abs=1e-12)
    assert auroc_error(0.893, 0.893, (58, 51), 1.0) == pytest.approx(0, abs=1e-9)
    claim = check_claim("A", "B", 0.95, 0.90, (58, 51), metric="auroc")
    assert claim.congruence == (0.5, 0.9) and claim.p_false[1] < claim.p_false[0] < 0.5
    assert not claim.below_majority


def survey_claims():
    with open(REFERENCE / "published_results.csv") as file:
        rows = list(csv.DictReader(file))
    found = {
        (row["dataset"], row["regime"], row["model"]): float(row["test_accuracy"])
        for row in rows
    }
    return {
        (dataset, regime): check_claim(
            "SE", "none", a, found[dataset, regime, "resnet50"], IMAGES[dataset]
        )
        for (dataset, regime, model), a in found.items()
        if model == "se_resnet50"
    }


def test_the_surveys_table_bears_no_claim_for_se_above_the_commonest_class():
    claims = survey_claims()
    assert len(claims) == 12
    won = {cell: c for cell, c in claims.items() if c.better == "SE"}
    ties = [cell for cell, claim in claims.items() if claim.better is None]
    assert (len(won), len(ties)) == (5, 2)
    above = [claim for claim in won.values() if not claim.below_majority]
    assert len(above) == 3
    assert all(0.2 < p < 0.5 for claim in above for p in claim.p_false)
    assert {cell[0] for cell, claim in won.items() if claim.below_majority} == {
        "isic2020"
    }


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (dict(a=1.2), "between 0 and 1"),
        (dict(classes=(10,)), "test images of each class"),
        (dict(classes=(10, 0)), "test images of each class"),
        (dict(congruence=0.2), "from 0.700 to 0.800"),
        (dict(metric="dice"), "Unknown metric"),
        (dict(metric="auroc", classes=(5, 5, 5)), "two numbers for an AUROC"),
    ],
)
def test_numbers_that_cannot_be_are_refused(changed, message):
    row = dict(method_a="A", method_b="B", a=0.9, b=0.8, classes=(50, 50)) | changed
    with pytest.raises(ValueError, match=message):
        check_claims([row])


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_is_judged_row_by_row_on_the_command_line(
    tmp_path, monkeypatch, capsys
):
    table = write(
        tmp_path / "t.csv",
        "paper,dataset,method_a,method_b,metric,a,b,classes",
        "P1,APTOS,SE,plain,,0.982,0.980,271/279",
        "P2,ISIC,CBAM,plain,auroc,0.81,0.68,6838/127",
    )
    output = tmp_path / "out.csv"
    monkeypatch.setattr(
        sys, "argv", ["medattn", "claims", str(table), "-o", str(output)]
    )
    main()
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("P1 APTOS: SE beats plain by 0.2 points")
    assert "so it is doubtful" in printed[0]
    assert printed[1].startswith("P2 ISIC: CBAM beats plain by 13.0 points")
    assert printed[2].startswith("1 of 2 claims")
    with open(output) as file:
        rows = list(csv.DictReader(file))
    expected = check_claims(read_claims(table))
    for row, claim in zip(rows, expected, strict=True):
        found = [float(p) for p in row["p_false"].split("/")]
        assert found == pytest.approx(claim.p_false, abs=1e-6)
    assert rows[0]["classes"] == "271/279"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["method_a,method_b,a,b", "A,B,.9,.8"], "without ['classes']"),
        (["method_a,method_b,a,b,classes", "A,B,90%,.8,5/5"], "row 2, column 'a'"),
        (["method_a,method_b,a,b,classes", "A,B,.9,.8,ten"], "such as 279/271"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_sentence(
    tmp_path, monkeypatch, capsys, lines, message
):
    table = write(tmp_path / "t.csv", *lines)
    monkeypatch.setattr(sys, "argv", ["medattn", "claims", str(table)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
