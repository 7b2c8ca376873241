"""medattn report: the pages that it writes."""

import sys

from medattn.cli import main


def test_the_shipped_report_is_written_as_page_and_markdown(
    monkeypatch, capsys, tmp_path
):
    page = tmp_path / "r.html"
    monkeypatch.setattr(sys, "argv", ["medattn", "report", "-o", str(page)])
    main()
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"Wrote {tmp_path / n}" for n in ("r.html", "r.md")]
    markdown = (tmp_path / "r.md").read_text()
    assert "## As published" in markdown and "## What attention costs" in markdown
    assert "| resnet50 | 23,512,130 | 23,512,130 | 0 |" in markdown
    assert "## Ours: micro" in markdown and "### Calibration" in markdown
