"""What `fit --slots` says of days of a reference that are unlike its others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from stream.cli import cli
from stream.text.durations import DAY_MS

MONDAY_MS = 1_767_571_200_000  # 2026-01-05
HOURS = 24 * 28


def fit(tmp_path: Path, *options: str) -> tuple[str, dict]:
    """What fit says and the calendar it writes, of four weeks of 4 rows an hour; day 9 is odd."""
    rng = np.random.default_rng(1)
    times = MONDAY_MS + np.arange(4 * HOURS) * 900_000
    values = np.sin(2 * np.pi * times / DAY_MS) + rng.normal(size=times.size)
    values[(times - MONDAY_MS) // DAY_MS == 9] -= 2.0
    path = tmp_path / "rows.csv"
    rows = (f"{t},{v:.4f}" for t, v in zip((times // 1000).tolist(), values, strict=True))
    path.write_text("\n".join(["time,x", *rows]) + "\n")
    arguments = ["fit", str(path), "--model", "m", "--timestamp", "time", "-o"]
    result = CliRunner().invoke(cli, [*arguments, str(tmp_path / "m.json"), *options])
    assert result.exit_code == 0, result.output
    return result.output, json.loads((tmp_path / "m.json").read_text()).get("calendar", {})


def test_a_day_that_is_left_out_is_said_with_the_signal_and_what_to_do(tmp_path: Path) -> None:
    said, calendar = fit(tmp_path, "--slots", "auto")
    assert calendar["left_out"] == ["2026-01-14"]
    assert "Wednesday 2026-01-14: unlike other days of its weekday, by 'x'; left out" in said


def test_days_are_kept_as_an_option_says(tmp_path: Path) -> None:
    said, calendar = fit(tmp_path, "--slots", "auto", "--keep-days")
    assert "left_out" not in calendar
    assert "2026-01-14" not in said


def test_without_slots_no_day_is_left_out(tmp_path: Path) -> None:
    said, _ = fit(tmp_path)
    assert "2026-01-14" not in said
    rows, output = str(tmp_path / "rows.csv"), str(tmp_path / "again.json")
    result = CliRunner().invoke(cli, ["fit", rows, "--model", "m", "-o", output, "--keep-days"])
    assert result.exit_code == 2
    assert "--keep-days needs --slots auto" in result.output


def test_days_that_follow_each_other_are_not_said_to_have_levels_of_zero(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    level = np.zeros(42)
    for day in range(1, 42):
        level[day] = 0.95 * level[day - 1] + rng.normal()
    times = MONDAY_MS // 1000 + np.arange(42 * 48) * 1_800
    values = level.repeat(48) + rng.normal(size=times.size)
    path = tmp_path / "rows.csv"
    rows = (f"{t},{v:.4f}" for t, v in zip(times.tolist(), values, strict=True))
    path.write_text("\n".join(["time,x", *rows]) + "\n")
    arguments = ["fit", str(path), "--model", "m", "--timestamp", "time", "--slots", "auto", "-o"]
    result = CliRunner().invoke(cli, [*arguments, str(tmp_path / "m.json")])
    assert result.exit_code == 0, result.output
    assert "days follow each other in 'x' (42 days)" in result.output
    assert "levels of their own" not in result.output
