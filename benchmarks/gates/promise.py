"""The first table of docs/statistics.md: on which streams the promise was measured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.gates.measured import write

__all__ = ["promise", "write_into"]

MARKS = ("<!-- promise -->", "<!-- /promise -->")
_EPISODES = re.compile(r"(?P<stream>.+?)(?:, F = 1[^:]*)?: episodes (?:a|in its second) week.*")
_IN_ALARM = re.compile(r"(?P<stream>.+?)(?:, F = 1[^:]*)?: share of (?:panes|time) in alarm.*")


def promise(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown of all null streams: episodes a week and share of time in alarm, at a budget of 1.

    Parameters
    ----------
    rows : sequence of dict
        Of the gates' results; streams are those whose rows are named "...: episodes a week" and
        "...: share of panes in alarm".
    """
    episodes: dict[tuple[str, str], dict[str, Any]] = {}
    in_alarm: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        for pattern, into in ((_EPISODES, episodes), (_IN_ALARM, in_alarm)):
            if found := pattern.fullmatch(row["what"]):
                into[row["gate"], found["stream"]] = row
    heads = ("stream in which nothing changes", "episodes a week (95 %)", "time in alarm (95 %)")
    lines = [f"| {' | '.join(heads)} | bounds | gate |", "|---|---|---|---|---|"]
    for key, row in episodes.items():
        share = in_alarm.get(key)
        bounds = [
            "" if one is None or one["most"] is None else words + write(one["most"] * scale)
            for one, words, scale in ((row, "<= ", 1.0), (share, "<= ", 100.0))
        ]
        told = (
            ", ".join([bounds[0]] * bool(bounds[0]) + [f"{bounds[1]} %"] * bool(bounds[1]))
            or "none"
        )
        missed = any("**no**" in one["verdict"] for one in (row, share) if one is not None)
        lines.append(
            f"| {key[1]} | {_with_interval(row, 1.0)} | "
            f"{'' if share is None else _with_interval(share, 100.0) + ' %'} | "
            f"{told}{' **missed**' if missed else ''} | {key[0]} |"
        )
    return "\n".join(lines)


def write_into(page: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the table between its marks."""
    pattern = re.compile(f"{re.escape(MARKS[0])}.*{re.escape(MARKS[1])}", re.DOTALL)
    text = f"{MARKS[0]}\n{promise(rows)}\n{MARKS[1]}"
    page.write_text(pattern.sub(lambda _: text, page.read_text()))


def _with_interval(row: dict[str, Any], scale: float) -> str:
    value, low, high = (f"{row[end] * scale:.2g}" for end in ("value", "low", "high"))
    return value if low == high else f"{value} ({low} to {high})"
