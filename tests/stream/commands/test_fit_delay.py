"""What `fit` says of how soon a shift is told."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from stream.cli import cli

SENTENCE = re.compile(r"a shift of 1 standard deviation is told within about ([\d,]+) events, (.+)")


def said(tmp_path: Path, columns: dict[str, np.ndarray], step_s: int, *options: str) -> str:
    """What fit prints for these columns, an event in so many seconds."""
    n = len(next(iter(columns.values())))
    times = 1_772_000_000 + step_s * np.arange(n)
    path = tmp_path / "rows.csv"
    table = np.column_stack([times.astype(object), *(c.astype(object) for c in columns.values())])
    rows = [",".join(["time", *columns]), *(",".join(map(str, row)) for row in table.tolist())]
    path.write_text("\n".join(rows) + "\n")
    arguments = ["fit", str(path), "--model", "m", "--timestamp", "time", "-o"]
    result = CliRunner().invoke(cli, [*arguments, str(tmp_path / "m.json"), *options])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(("step_s", "unit"), [(3_600, "d"), (600, "h"), (1, "s|min")])
def test_the_delay_is_said_in_events_and_time(tmp_path: Path, step_s: int, unit: str) -> None:
    rng = np.random.default_rng(2)
    found = SENTENCE.search(said(tmp_path, {"x": rng.normal(size=4_000).round(3)}, step_s))
    assert found is not None
    events = int(found[1].replace(",", ""))
    assert 20 <= events <= 300
    assert re.search(rf"^\d+ ({unit})", found[2]), found[2]
    half = re.search(r"; one of 0.5 within about ([\d,]+) events", found[2])
    assert half is not None
    assert int(half[1].replace(",", "")) > events


def test_signals_whose_rows_say_so_little_that_it_takes_weeks_are_late(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    slow = np.repeat(rng.normal(size=80), 50)
    names = rng.choice(["a", "b", "c"], 4_000)
    columns = {"name": names, "x": rng.normal(size=4_000), "slow": slow, "other": names[::-1]}
    output = said(tmp_path, columns, 600)
    assert SENTENCE.search(output)
    assert re.search(r"told late: slow: a shift of 1 standard deviation .* 42 d", output)


def test_signals_that_are_slower_and_not_late_are_named_beside_the_others(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    slow = np.repeat(rng.normal(size=80), 50)
    output = said(tmp_path, {"x": rng.normal(size=4_000), "slow": slow}, 60)
    assert SENTENCE.search(output)
    assert re.search(
        r"told later, as rows say less, of slow \((about|not within) [\d,]+ events", output
    )
    assert "told late:" not in output


def test_it_is_said_that_nothing_is_foretold_with_slots(tmp_path: Path) -> None:
    hour = np.arange(8 * 24 * 14) / 8 % 24
    x = np.sin(hour / 24 * 2 * np.pi) + np.random.default_rng(5).normal(size=hour.size) / 2
    output = said(tmp_path, {"x": x}, 450, "--slots", "auto")
    assert "is not foretold" in output
    assert SENTENCE.search(output) is None


def test_no_delay_is_said_where_no_number_is_followed(tmp_path: Path) -> None:
    names = np.random.default_rng(4).choice(["a", "b", "c"], 4_000)
    assert "a shift of" not in said(tmp_path, {"name": names}, 600)
