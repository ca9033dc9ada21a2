"""Drawings of tests and episodes over time as inline SVG without a script.

What a chart shows is in a table beside it too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from stream.report.html import Markup, join
from stream.report.model import Episode
from stream.report.svg import bar, beside, chart, label, line, stretched
from stream.report.words import day, minute, ratio, span, words
from stream.text.counted import counted

__all__ = ["HEAT_COLUMNS", "heat", "level", "meter", "ratio_scale", "sparkline", "timeline"]

HEAT_COLUMNS: Final = 120
_HEAT_PX: Final = 20
_LANE_PX: Final = 46
_MAX_TICKS: Final = 24
#: An episode is at least so wide, or it would not be seen.
_MIN_BLOCK: Final = 0.004
#: The scale of ratios to a threshold: its ends, its marks, and the shortest bar for a quiet test.
_RATIOS: Final = (0.5, 20.0)
_MARKS: Final = (1, 2, 5, 10)
_MIN_METER: Final = 0.02


def level(value: float) -> int:
    """How loud a value in units of its threshold is drawn, 0 to 4; from 2 on it is a finding."""
    return sum(value >= step for step in (0.7, 1.0, 2.0, 4.0))


def place_of(value: float) -> float:
    """Where a value in units of its threshold lies on the logarithmic scale of ratios, 0 to 1."""
    low, high = _RATIOS
    if value <= low:
        return 0.0
    return min(1.0, math.log(value / low) / math.log(high / low))


def ratio_scale() -> Markup:
    """The marks of the scale that meters are drawn on, for the head of their column."""
    marks = " ".join(f"{mark}×" for mark in _MARKS)
    return chart(
        "Scale",
        marks,
        13,
        [
            label(place_of(mark), 11, f"{mark}×", anchor="middle", kind=f"axis m{mark}")
            for mark in _MARKS
        ],
        kind="scale",
    )


def meter(value: float, name: str, *, labelled: bool = False) -> Markup:
    """Draw a value in units of its threshold on a logarithmic scale; the mark at 1× is it."""
    description = f"{ratio(value)} its threshold"
    marks = [
        line(
            place_of(mark),
            1 if mark == 1 else 3,
            place_of(mark),
            11 if mark == 1 else 9,
            "threshold" if mark == 1 else "notch",
        )
        for mark in _MARKS
    ]
    texts = [
        label(place_of(mark), 23, f"{mark}×", anchor="middle", kind="axis")
        for mark in (_MARKS if labelled else ())
    ]
    shown = max(_MIN_METER, place_of(value)) if value > 0 else 0.0
    return chart(
        name,
        description,
        26 if labelled else 12,
        bar(0, 3, 1, 6, "track"),
        bar(0, 3, shown, 6, f"level{level(value)}"),
        marks,
        texts,
        kind="meter",
    )


def sparkline(
    history: Sequence[tuple[int, float]],
    start_ms: int,
    end_ms: int,
    name: str,
    change: tuple[int, int, int] | None = None,
) -> Markup:
    """Draw how a signal's worst test went; the dashed line is its threshold.

    `change` (earliest, likeliest, latest) is a band with a line.
    """
    whole = max(1, end_ms - start_ms)
    points = " ".join(
        f"{100 * (at - start_ms) / whole:.2f},{100 - 96 * value / (1 + value):.2f}"
        for at, value in history
    )
    peak_ms, peak = max(history, key=lambda pair: pair[1])
    words = (
        f"{counted(len(history), 'value')} from {minute(history[0][0])} to "
        f"{minute(history[-1][0])} UTC, highest {ratio(peak)} its threshold at {minute(peak_ms)}."
    )
    plot = stretched(points, 0, 44, "course")
    middle = 44 * (100 - 96 / 2) / 100
    band: list[Markup] = []
    if change is not None:
        first, likeliest, last = (min(1.0, max(0.0, (at - start_ms) / whole)) for at in change)
        band = [
            bar(first, 0, max(0.002, last - first), 44, "band"),
            line(likeliest, 0, likeliest, 44, "tick"),
        ]
        words += f" It changed about {minute(change[1])}."
    return chart(
        name,
        words,
        62,
        band,
        line(0, middle, 1, middle, "threshold"),
        plot,
        _time_axis(start_ms, end_ms, 58),
        kind="spark",
    )


def timeline(episodes: Sequence[Episode], start_ms: int, end_ms: int, name: str) -> Markup:
    """Draw a lane for each subject and kind; a block for each episode, coloured by severity."""
    lanes = sorted({(e.subject, e.kind) for e in episodes})
    many = len({subject for subject, _ in lanes}) > 1
    whole = max(1, end_ms - start_ms)
    drawn: list[Markup] = []
    for row, lane in enumerate(lanes):
        y = row * _LANE_PX
        title = f"{lane[0]}: {words(lane[1])}" if many else words(lane[1])
        drawn += [label(0, y + 13, title), bar(0, y + 20, 1, 14, "track")]
        for episode in episodes:
            if (episode.subject, episode.kind) == lane:
                drawn += _blocks(episode, start_ms, whole, y + 20)
    height = len(lanes) * _LANE_PX
    firing = sum(episode.firing for episode in episodes)
    description = f"{counted(len(episodes), 'episode')}, {firing} still firing at the end."
    return chart(
        name,
        description,
        height + 16,
        drawn,
        _time_axis(start_ms, end_ms, height + 12),
        kind="timeline",
    )


def _blocks(episode: Episode, start_ms: int, whole: int, y: float) -> Iterable[Markup]:
    def at(time_ms: int) -> float:
        return min(1.0, max(0.0, (time_ms - start_ms) / whole))

    drawn = [r for i, r in enumerate(episode.revisions) if not i or r.status == "firing"]
    for severity, group in groupby(drawn, key=lambda revision: revision.severity):
        run = list(group)
        begin = episode.start_ms if run[0] is drawn[0] else run[0].time_ms
        after = drawn.index(run[-1]) + 1
        until = drawn[after].time_ms if after < len(drawn) else episode.end_ms
        x = min(at(begin), 1.0 - _MIN_BLOCK)
        hover = f"{words(episode.kind)}, {severity}, {span(begin, until)} UTC"
        yield bar(x, y, max(_MIN_BLOCK, at(until) - x), 14, f"sev-{severity}", hover)
    changed = [r for r in drawn[1:] if r.joined or r.left]
    if len(changed) <= _MAX_TICKS:  # more would hide what they are on
        for revision in changed:
            yield line(at(revision.time_ms), y - 3, at(revision.time_ms), y + 17, "tick")


def _time_axis(start_ms: int, end_ms: int, y: float) -> Markup:
    whole = end_ms - start_ms
    marks = []
    for i in range(4):
        anchor = "start" if i == 0 else "end" if i == 3 else "middle"
        time_ms = start_ms + whole * i // 3
        kind = "axis mid" if i % 3 else "axis"
        marks.append(label(i / 3, y, day(time_ms, whole), anchor=anchor, kind=kind))
    return join(marks)


def heat(
    rows: Sequence[tuple[str, Sequence[float]]], start_ms: int, end_ms: int, name: str
) -> Markup:
    """Draw a row for each signal, time to the right; cells of one level are one block."""
    drawn: list[Markup] = []
    worst = max(((max(cells, default=0.0), name_) for name_, cells in rows), default=(0.0, ""))
    for row, (_, cells) in enumerate(rows):
        begin = 0
        for i in range(1, len(cells) + 1):
            if i == len(cells) or level(cells[i]) != level(cells[begin]):
                drawn.append(
                    bar(
                        begin / len(cells),
                        row * _HEAT_PX + 2,
                        (i - begin) / len(cells),
                        _HEAT_PX - 4,
                        f"level{level(cells[begin])}",
                    )
                )
                begin = i
    description = f"Worst: {worst[1]} at {ratio(worst[0])} its threshold." if rows else ""
    drawn.append(_time_axis(start_ms, end_ms, len(rows) * _HEAT_PX + 14))
    height = len(rows) * _HEAT_PX + 20
    names = [each for each, _ in rows]
    return beside(name, description, "heat", names, _HEAT_PX, drawn, height)
