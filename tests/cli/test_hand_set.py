"""medattn study hand-set."""

import pytest

from medattn.cli.hand_set import hand_set
from medattn.study.analyse.hand_set import context, table


def test_it_writes_both_tables_where_it_is_told(tmp_path, monkeypatch, capsys):
    written = []
    monkeypatch.setattr(
        table, "write_hand_set", lambda folder, **given: written.append(folder) or [1]
    )
    monkeypatch.setattr(context, "write_context", written.append)
    hand_set(images=2, output=tmp_path)
    assert written == [tmp_path, tmp_path]
    assert f"1 rows in {tmp_path}" in capsys.readouterr().out


def test_no_image_is_refused():
    with pytest.raises(ValueError, match="Received: images=0"):
        hand_set(images=0)
