"""Drawings as inline SVG without a script.

Places are percentages and sizes of text are pixels, so a chart fills its column and stays readable
on a phone. Colours are classes of the style sheet: light and dark are its matter. Every chart has a
name and a description for screen readers; what it shows is in a table beside it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from stream.counted import counted
from stream.report.html import Child, Markup, join, tag
from stream.report.model import Bars, Episode
from stream.report.words import day, figure, minute, percent, ratio, span, words

__all__ = ["HEAT_COLUMNS", "heat", "histogram", "level", "meter", "sparkline", "timeline"]

HEAT_COLUMNS: Final = 120
_PLOT_PX: Final = 120
_ROW_PX: Final = 24
_HEAT_PX: Final = 20
_LANE_PX: Final = 46
_CATEGORIES: Final = 10
#: A bin of missing or unusable values is drawn so many times as wide: its name has to fit.
_SPECIAL_WIDTH: Final = 2.6
_GAP: Final = 0.6
_NAME_CHARS: Final = 14
_MOST_TICKS: Final = 24
#: An episode is at least so wide, or it would not be seen.
_LEAST_BLOCK: Final = 0.004


def level(value: float) -> int:
    """How loud a value in units of its threshold is drawn, 0 to 4; from 2 on it is a finding."""
    return sum(value >= step for step in (0.7, 1.0, 2.0, 4.0))


def _svg(name: str, description: str, height: int, *children: Child, kind: str) -> Markup:
    return tag(
        "svg", tag("title", name), tag("desc", description), children,
        role="img", aria_label=f"{name}. {description}", width="100%", height=height,
        class_=f"chart {kind}", focusable="false",
    )  # fmt: skip


def _p(share: float) -> str:
    return f"{100.0 * share:.2f}%"


def _bar(x: float, y: float, width: float, height: float, kind: str, words: str = "") -> Markup:
    """Give a bar; `x` and `width` are shares of the chart, the others pixels."""
    title = tag("title", words) if words else None
    return tag("rect", title, x=_p(x), y=f"{y:.1f}", width=_p(max(0.0, width)),
               height=f"{max(0.0, height):.1f}", class_=kind)  # fmt: skip


def _label(x: float, y: float, text: str, *, anchor: str = "start", kind: str = "") -> Markup:
    return tag("text", text, x=_p(x), y=y, text_anchor=anchor, class_=kind or None)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return tag("line", x1=_p(x1), y1=y1, x2=_p(x2), y2=y2, class_=kind)


def histogram(bars: Bars, name: str) -> Markup:
    """Reference and window: upright over a scale of numbers, lying for categories."""
    moved = sorted(range(len(bars.window)), key=lambda b: -abs(bars.window[b] - bars.reference[b]))[
        :3
    ]
    said = "; ".join(
        f"{bars.label(b)}: {percent(bars.reference[b])} before, {percent(bars.window[b])} now"
        for b in moved
    )
    words = f"Share of values in each bin, reference and window. Moved most: {said}."
    return _upright(bars, name, words) if bars.edges else _lying(bars, name, words)


def _upright(bars: Bars, name: str, words: str) -> Markup:
    n = len(bars.window)
    values = min(n, len(bars.edges) - 1)
    units = [1.0] * values + [_SPECIAL_WIDTH] * (n - values)
    total = sum(units) + (_GAP if n > values else 0.0)
    top = max((*bars.reference, *bars.window, 1e-9))
    drawn: list[Markup] = []
    for part in (0.5, 1.0):
        y = 14 + _PLOT_PX * (1 - part)
        drawn.append(_line(0, y, 1, y, "grid"))
    drawn.append(_label(0, 10, percent(top), kind="axis"))
    at = 0.0
    starts = []
    for b, unit in enumerate(units):
        at += _GAP if b == values else 0.0
        starts.append(at / total)
        for shares, inset, kind in ((bars.reference, 0.07, "ref"), (bars.window, 0.27, "win")):
            height = _PLOT_PX * shares[b] / top
            said = f"{bars.label(b)}: {percent(bars.reference[b])} → {percent(bars.window[b])}"
            drawn.append(
                _bar((at + unit * inset) / total, 14 + _PLOT_PX - height,
                     unit * (1 - 2 * inset) / total, height, kind, said)
            )  # fmt: skip
        if b >= values:
            place = (at + unit / 2) / total
            drawn.append(_label(place, 30 + _PLOT_PX, bars.label(b), anchor="middle", kind="axis"))
        at += unit
    drawn.append(_line(0, 14 + _PLOT_PX, 1, 14 + _PLOT_PX, "base"))
    ends = [*starts[1:values], starts[values - 1] + 1.0 / total]
    marks = sorted({round(i * values / 4) for i in range(5)} if values >= 4 else {0, values})
    for i, mark in enumerate(marks):
        anchor = "start" if i == 0 else "end" if i == len(marks) - 1 else "middle"
        place = starts[0] if mark == 0 else ends[mark - 1]
        text = figure(bars.edges[mark])
        drawn.append(_label(place, 30 + _PLOT_PX, text, anchor=anchor, kind="axis"))
    return _svg(name, words, _PLOT_PX + 38, drawn, kind="bars")


def _lying(bars: Bars, name: str, words: str) -> Markup:
    order = sorted(range(len(bars.window)), key=lambda b: -abs(bars.window[b] - bars.reference[b]))[
        :_CATEGORIES
    ]
    shown = sorted(order, key=lambda b: -bars.reference[b])
    top = max((1e-9, *(max(bars.reference[b], bars.window[b]) for b in shown)))
    drawn: list[Markup] = []
    for row, b in enumerate(shown):
        y = row * _ROW_PX
        before, now = bars.reference[b], bars.window[b]
        said = f"{bars.label(b)}: {percent(before)} → {percent(now)}"
        drawn += [
            _bar(0, y + 3, 0.8 * before / top, _ROW_PX - 6, "ref", said),
            _bar(0, y + 8, 0.8 * now / top, _ROW_PX - 16, "win", said),
            _label(1.0, y + 16, percent(now), anchor="end", kind="axis"),
        ]
    drawn.append(_line(0, 0, 0, len(shown) * _ROW_PX, "base"))
    height = len(shown) * _ROW_PX + 2
    names = [bars.label(b) for b in shown]
    return _beside(name, words, "bars", names, _ROW_PX, drawn, height)


def _beside(
    name: str, description: str, kind: str, names: Sequence[str], row_px: int,
    drawn: Sequence[Markup], height: int,
) -> Markup:  # fmt: skip
    """Names of rows, in as many pixels as they need, and what is drawn beside them."""
    texts = [
        tag("text", tag("title", text), _short(text), x="100%", y=row * row_px + row_px // 2 + 4,
            text_anchor="end")
        for row, text in enumerate(names)
    ]  # fmt: skip
    parts = (
        tag("svg", part, width="100%", height=height, aria_hidden="true", focusable="false")
        for part in (texts, drawn)
    )
    return tag("div", parts, role="img", aria_label=f"{name}. {description}",
               class_=f"chart beside {kind}")  # fmt: skip


def _short(name: str) -> str:
    return name if len(name) <= _NAME_CHARS else name[: _NAME_CHARS - 1] + "…"


def meter(value: float, name: str) -> Markup:
    """Draw a value in units of its threshold, which is the mark in the middle."""
    said = f"{ratio(value)} its threshold"
    return _svg(
        name, said, 12,
        _bar(0, 3, 1, 6, "track"),
        _bar(0, 3, value / (1 + value) if value > 0 else 0.0, 6, f"level{level(value)}"),
        _line(0.5, 0, 0.5, 12, "threshold"),
        kind="meter",
    )  # fmt: skip


def sparkline(
    history: Sequence[tuple[int, float]], start_ms: int, end_ms: int, name: str,
    change: tuple[int, int, int] | None = None,
) -> Markup:  # fmt: skip
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
    plot = tag(
        "svg",
        tag("polyline", points=points, class_="course", vector_effect="non-scaling-stroke"),
        viewBox="0 0 100 100", preserveAspectRatio="none", width="100%", height=44,
    )  # fmt: skip
    middle = 44 * (100 - 96 / 2) / 100
    band: list[Markup] = []
    if change is not None:
        first, likeliest, last = (
            min(1.0, max(0.0, (at - start_ms) / whole)) for at in change
        )  # fmt: skip
        band = [_bar(first, 0, max(0.002, last - first), 44, "band"),
                _line(likeliest, 0, likeliest, 44, "tick")]  # fmt: skip
        words += f" It changed about {minute(change[1])}."
    return _svg(name, words, 62, band, _line(0, middle, 1, middle, "threshold"), plot,
                _time_axis(start_ms, end_ms, 58), kind="spark")  # fmt: skip


def timeline(episodes: Sequence[Episode], start_ms: int, end_ms: int, name: str) -> Markup:
    """Draw a lane for each subject and kind; a block for each episode, coloured by severity."""
    lanes = sorted({(e.subject, e.kind) for e in episodes})
    many = len({subject for subject, _ in lanes}) > 1
    whole = max(1, end_ms - start_ms)
    drawn: list[Markup] = []
    for row, lane in enumerate(lanes):
        y = row * _LANE_PX
        title = f"{lane[0]}: {words(lane[1])}" if many else words(lane[1])
        drawn += [_label(0, y + 13, title), _bar(0, y + 20, 1, 14, "track")]
        for episode in episodes:
            if (episode.subject, episode.kind) == lane:
                drawn += _blocks(episode, start_ms, whole, y + 20)
    height = len(lanes) * _LANE_PX
    firing = sum(episode.firing for episode in episodes)
    said = f"{counted(len(episodes), 'episode')}, {firing} still firing at the end."
    return _svg(name, said, height + 16, drawn, _time_axis(start_ms, end_ms, height + 12),
                kind="timeline")  # fmt: skip


def _blocks(episode: Episode, start_ms: int, whole: int, y: float) -> Iterable[Markup]:
    def at(time_ms: int) -> float:
        return min(1.0, max(0.0, (time_ms - start_ms) / whole))

    told = [r for i, r in enumerate(episode.revisions) if not i or r.status == "firing"]
    for severity, group in groupby(told, key=lambda revision: revision.severity):
        run = list(group)
        begin = episode.start_ms if run[0] is told[0] else run[0].time_ms
        after = told.index(run[-1]) + 1
        until = told[after].time_ms if after < len(told) else episode.end_ms
        x = min(at(begin), 1.0 - _LEAST_BLOCK)
        said = f"{words(episode.kind)}, {severity}, {span(begin, until)} UTC"
        yield _bar(x, y, max(_LEAST_BLOCK, at(until) - x), 14, f"sev-{severity}", said)
    changed = [r for r in told[1:] if r.joined or r.left]
    if len(changed) <= _MOST_TICKS:  # more would hide what they are on
        for revision in changed:
            yield _line(at(revision.time_ms), y - 3, at(revision.time_ms), y + 17, "tick")


def _time_axis(start_ms: int, end_ms: int, y: float) -> Markup:
    whole = end_ms - start_ms
    marks = []
    for i in range(4):
        anchor = "start" if i == 0 else "end" if i == 3 else "middle"
        time_ms = start_ms + whole * i // 3
        marks.append(_label(i / 3, y, day(time_ms, whole), anchor=anchor, kind="axis"))
    return join(marks)


def heat(rows: Sequence[tuple[str, Sequence[float]]], start_ms: int, end_ms: int,
         name: str) -> Markup:  # fmt: skip
    """Draw a row for each signal, time to the right; cells of one level are one block."""
    drawn: list[Markup] = []
    worst = max(((max(cells, default=0.0), label) for label, cells in rows), default=(0.0, ""))
    for row, (_, cells) in enumerate(rows):
        begin = 0
        for i in range(1, len(cells) + 1):
            if i == len(cells) or level(cells[i]) != level(cells[begin]):
                drawn.append(
                    _bar(begin / len(cells), row * _HEAT_PX + 2, (i - begin) / len(cells),
                         _HEAT_PX - 4, f"level{level(cells[begin])}")
                )  # fmt: skip
                begin = i
    said = f"Worst: {worst[1]} at {ratio(worst[0])} its threshold." if rows else ""
    drawn.append(_time_axis(start_ms, end_ms, len(rows) * _HEAT_PX + 14))
    height = len(rows) * _HEAT_PX + 20
    names = [label for label, _ in rows]
    return _beside(name, said, "heat", names, _HEAT_PX, drawn, height)
