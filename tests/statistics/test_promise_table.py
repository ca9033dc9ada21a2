"""The table of streams that the promise was measured on."""

from __future__ import annotations

from pathlib import Path

from benchmarks.gates.measured import Measured
from benchmarks.gates.promise import promise, write_into


def rows(*measured: Measured) -> list[dict[str, object]]:
    return [{"gate": "G0", **row.as_dict()} for row in measured]


def test_episodes_and_time_in_alarm_of_a_stream_are_one_row() -> None:
    lines = promise(
        rows(
            Measured("AR .9: episodes a week, F = 1", 0.156, 0.101, 0.231, most=1.0, by_bound=True),
            Measured("AR .9: share of panes in alarm", 0.0325, 0.0211, 0.044, most=0.05),
            Measured("AR .9, +1 sd: events until found", 480, 420, 720, most=800),
            Measured("slow: episodes a week, F = 1", 0.5, 0.4, 0.6),
            Measured("slow: share of panes in alarm", 0.17, 0.11, 0.23, most=0.1),
        )
    ).splitlines()[2:]
    assert lines == [
        "| AR .9 | 0.16 (0.1 to 0.23) | 3.2 (2.1 to 4.4) % | <= 1, <= 5 % | G0 |",
        "| slow | 0.5 (0.4 to 0.6) | 17 (11 to 23) % | <= 10 % **missed** | G0 |",
    ]


def test_a_stream_without_its_time_in_alarm_is_still_told_of(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- promise -->\nold\n<!-- /promise -->\nafter\n")
    write_into(page, rows(Measured("INSECTS, F = 1: episodes a week", 0.08, 0.02, 0.22, most=1.0)))
    text = page.read_text()
    assert text.startswith("before\n<!-- promise -->\n| stream")
    assert text.endswith("<!-- /promise -->\nafter\n")
    assert "old" not in text
    assert "| INSECTS | 0.08 (0.02 to 0.22) |  | <= 1 | G0 |" in text
