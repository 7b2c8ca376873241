"""Results of several codes or several data do not stand in one table."""

import pytest

from medattn.study.analyse.identity import check_one_data, split_by_code
from medattn.study.analyse.results import read_results, write_results


def row(**changes):
    plain = dict(id="a", dataset="folder", regime=0.1, seed=0, size=64, code="c0de")
    return plain | {"data_sha256": "1" * 64, "initialisation": "random"} | changes


def test_data_sets_and_starts_have_codes_of_their_own():
    rows = [
        row(),
        row(dataset="chest", code="0ther"),
        row(initialisation="shapes", code="third"),
    ]
    assert split_by_code(rows) == {"": rows}
    old = row(seed=1, code="0ld")
    assert split_by_code([*rows, old]) == {
        "c0de": rows[:1],
        "": rows[1:],
        "0ld": [old],
    }


def test_the_same_seed_and_regime_on_other_data_are_refused():
    other = row(id="b", data_sha256="2" * 64)
    with pytest.raises(ValueError, match="Expected the same .* Received: .*'a'.*'b'"):
        check_one_data([row(), other])
    for change in (dict(seed=1), dict(regime=1.0), dict(code="0ld"), dict(size=32)):
        check_one_data([row(), other | change])
    check_one_data([row(), row(id="b", data_sha256=None), row(model="micro_deit")])


def test_a_table_of_two_data_is_not_read(tmp_path):
    rows = [row(), row(id="b")]
    write_results(rows, tmp_path / "good.csv")
    good = read_results(tmp_path / "good.csv")
    assert [one["data_sha256"] for one in good] == ["1" * 64] * 2
    write_results([rows[0], rows[1] | {"data_sha256": "2" * 64}], tmp_path / "bad.csv")
    with pytest.raises(ValueError, match="read different data"):
        read_results(tmp_path / "bad.csv")
