"""Replay has no records to compare a clock with: what it does with times that cannot be."""

from __future__ import annotations

from pathlib import Path

from tests.stream.commands.test_cli_files import FIT, run, write_rows


def test_a_time_that_is_yet_to_come_is_said(tmp_path: Path) -> None:
    write_rows(tmp_path / "january.csv", 3_000, start="2026-01-01T00:00:00")
    fitted = run("fit", tmp_path / "january.csv", *FIT, "-o", tmp_path / "fraud.json")
    assert fitted.exit_code == 0, fitted.output
    rows = write_rows(tmp_path / "rows.csv", 2_000, start="2026-02-01T00:00:00").read_text()
    good = run("replay", tmp_path / "rows.csv", "--reference", tmp_path / "fraud.json")
    assert "yet to come" not in good.output

    lines = rows.splitlines()
    wrong = (
        ("2100-01-01", "which is yet to come"),
        ("1969-07-20", "1 row was refused: before_1970; row 1000: ts is not a time"),
        ("9999-12-31", "1 row was refused: too_far_ahead; row 1000: ts is not a time"),
    )
    for day, words in wrong:
        jumped = lines.copy()
        jumped[1_000] = jumped[1_000].replace("2026-02-01", day)
        (tmp_path / "jump.csv").write_text("\n".join(jumped) + "\n")
        done = run("replay", tmp_path / "jump.csv", "--reference", tmp_path / "fraud.json")
        assert done.exit_code == 0
        assert words in done.output
        assert "came too late" not in done.output
