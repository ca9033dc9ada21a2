"""Histograms of a signal, reference and window on one axis.

Numbers are drawn as the density they have (`stream.report.shape`); or, where only that is known or
it is asked for, in bins of about equal weight side by side. Names lie, the ones that moved most.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from stream.report.html import Markup
from stream.report.model import Bars
from stream.report.shape import Box, Shape
from stream.report.svg import bar, beside, chart, label, line, stretched
from stream.report.words import figure, percent

__all__ = ["PLOT_PX", "equal_bins", "histogram"]

PLOT_PX: Final = 120
_TOP_PX: Final = 14
_BASE_PX: Final = _TOP_PX + PLOT_PX
_ROW_PX: Final = 24
_CATEGORIES: Final = 10
#: A bin of missing or unusable values is drawn so many times as wide: its name has to fit.
_SPECIAL_WIDTH: Final = 2.6
_GAP: Final = 0.6


def histogram(bars: Bars, name: str) -> Markup:
    """Reference and window: upright over a scale of numbers, lying for categories."""
    if bars.shape is not None:
        return _density(bars.shape, name, _moved_most(bars))
    if bars.edges:
        return equal_bins(bars, name)
    return _lying(
        bars,
        name,
        f"Share of values in each bin, reference and window. Moved most: {_moved_most(bars)}.",
    )


def _moved_most(bars: Bars) -> str:
    moved = sorted(range(len(bars.window)), key=lambda b: -abs(bars.window[b] - bars.reference[b]))
    return "; ".join(
        f"{bars.label(b)}: {percent(bars.reference[b])} before, {percent(bars.window[b])} now"
        for b in moved[:3]
    )


def _said(box: Box) -> str:
    return f"{box.name}: {percent(box.reference)} → {percent(box.window)}"


def _density(shape: Shape, name: str, moved: str) -> Markup:
    drawn = [
        line(0, _TOP_PX, 1, _TOP_PX, "grid"),
        line(0, _TOP_PX + PLOT_PX / 2, 1, _TOP_PX + PLOT_PX / 2, "grid"),
        label(0, 10, f"{percent(shape.top * shape.bar)} a bar", kind="axis"),
    ]
    if shape.scale == "log":
        drawn.append(label(shape.end, 10, "logarithmic scale", anchor="end", kind="axis"))
    for kind in ("ref", "win"):
        for box in shape.boxes:
            share = box.reference if kind == "ref" else box.window
            height = PLOT_PX * share / box.width / shape.top
            drawn.append(bar(box.x, _BASE_PX - height, box.width, height, kind, _said(box)))
    drawn += [
        stretched(_outline(part, shape.top), _TOP_PX, PLOT_PX, "outline") for part in _parts(shape)
    ]
    drawn.append(line(shape.start, _BASE_PX, shape.end, _BASE_PX, "base"))
    for mark in shape.marks:
        drawn += [
            line(mark.x, _BASE_PX, mark.x, _BASE_PX + 4, "base"),
            label(mark.x, _BASE_PX + 16, mark.text, anchor=_anchor(mark.x), kind="axis"),
        ]
    rights = [box for box in shape.boxes if box.beside and box.x > shape.start]
    for box in shape.boxes:
        if not box.beside:
            continue
        last = bool(rights) and box is rights[-1]
        middle = box.x + box.width / 2
        at, anchor = (1.0, "end") if last else (0.0, "start") if not box.x else (middle, "middle")
        # Names of neighbours are written on different lines, as they are longer than wide.
        row = (len(rights) - rights.index(box)) % 2 if box in rights else 0
        drawn += [
            line(box.x, _BASE_PX, box.x + box.width, _BASE_PX, "base"),
            label(at, _BASE_PX + (16 if row else 30), box.name, anchor=anchor, kind="axis"),
        ]
    axis = "a logarithmic axis" if shape.scale == "log" else "a true axis"
    words = f"How dense the values are on {axis}, reference and window. Moved most: {moved}."
    return chart(name, words, _BASE_PX + 36, drawn, kind="bars density")


def _anchor(x: float) -> str:
    return "start" if x < 0.03 else "end" if x > 0.97 else "middle"


def _parts(shape: Shape) -> Iterator[list[Box]]:
    """The bars on the axis, and each column beside it."""
    yield [box for box in shape.boxes if not box.beside]
    yield from ([box] for box in shape.boxes if box.beside)


def _outline(boxes: list[Box], top: float) -> str:
    points = [(boxes[0].x, 0.0)]
    for box in boxes:
        density = box.window / box.width / top
        points += [(box.x, density), (box.x + box.width, density)]
    points.append((boxes[-1].x + boxes[-1].width, 0.0))
    return " ".join(f"{100 * x:.2f},{100 * (1 - y):.2f}" for x, y in points)


def equal_bins(bars: Bars, name: str) -> Markup:
    """Bins of about equal weight side by side; so the axis is not even."""
    n = len(bars.window)
    values = min(n, len(bars.edges) - 1)
    units = [1.0] * values + [_SPECIAL_WIDTH] * (n - values)
    total = sum(units) + (_GAP if n > values else 0.0)
    top = max((*bars.reference, *bars.window, 1e-9))
    drawn: list[Markup] = []
    for part in (0.5, 1.0):
        y = _TOP_PX + PLOT_PX * (1 - part)
        drawn.append(line(0, y, 1, y, "grid"))
    drawn.append(label(0, 10, percent(top), kind="axis"))
    at = 0.0
    starts = []
    for b, unit in enumerate(units):
        at += _GAP if b == values else 0.0
        starts.append(at / total)
        for shares, inset, kind in ((bars.reference, 0.07, "ref"), (bars.window, 0.27, "win")):
            height = PLOT_PX * shares[b] / top
            hover = f"{bars.label(b)}: {percent(bars.reference[b])} → {percent(bars.window[b])}"
            drawn.append(
                bar(
                    (at + unit * inset) / total,
                    _BASE_PX - height,
                    unit * (1 - 2 * inset) / total,
                    height,
                    kind,
                    hover,
                )
            )
        if b >= values:
            middle = (at + unit / 2) / total
            drawn.append(label(middle, 16 + _BASE_PX, bars.label(b), anchor="middle", kind="axis"))
        at += unit
    drawn.append(line(0, _BASE_PX, 1, _BASE_PX, "base"))
    ends = [*starts[1:values], starts[values - 1] + 1.0 / total]
    marks = sorted({round(i * values / 4) for i in range(5)} if values >= 4 else {0, values})
    for i, mark in enumerate(marks):
        anchor = "start" if i == 0 else "end" if i == len(marks) - 1 else "middle"
        where = starts[0] if mark == 0 else ends[mark - 1]
        drawn.append(
            label(where, 16 + _BASE_PX, figure(bars.edges[mark]), anchor=anchor, kind="axis")
        )
    words = (
        "Share of values in bins of about equal weight, reference and window. "
        f"Moved most: {_moved_most(bars)}."
    )
    return chart(name, words, PLOT_PX + 38, drawn, kind="bars")


def _lying(bars: Bars, name: str, words: str) -> Markup:
    shown = bars.leading(_CATEGORIES)
    top = max((1e-9, *(max(bars.reference[b], bars.window[b]) for b in shown)))
    drawn: list[Markup] = []
    for row, b in enumerate(shown):
        y = row * _ROW_PX
        before, now = bars.reference[b], bars.window[b]
        hover = f"{bars.label(b)}: {percent(before)} → {percent(now)}"
        drawn += [
            bar(0, y + 3, 0.8 * before / top, _ROW_PX - 6, "ref", hover),
            bar(0, y + 8, 0.8 * now / top, _ROW_PX - 16, "win", hover),
            label(1.0, y + 16, percent(now), anchor="end", kind="axis"),
        ]
    drawn.append(line(0, 0, 0, len(shown) * _ROW_PX, "base"))
    height = len(shown) * _ROW_PX + 2
    names = [bars.label(b) for b in shown]
    return beside(name, words, "bars", names, _ROW_PX, drawn, height)
