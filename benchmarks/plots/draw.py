"""The plots, each a function of stored results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.comparison.tcpd import PUBLISHED
from benchmarks.plots.svg import BLUE, GREY, INK, ORANGE, PALE, Panel, Scale, Sheet

__all__ = ["budget", "course", "dependence", "levels", "tcpd"]

_RHO = Scale(-0.05, 0.95, [(r, f"{r:g}") for r in (0, 0.3, 0.5, 0.7, 0.9)])


def levels(rows: Sequence[Mapping[str, Any]]) -> str:
    """Nominal against measured false alarms of the windowed tests (gate 5)."""
    sheet = Sheet(760, 340, "Measured false alarms over the level asked for")
    names = ("psi", "wasserstein", "ks", "kl", "js", "g", "chi2", "hellinger", "total_variation")
    shown = ("0.01", "0.001", "0.0001")
    y = Scale(0.1, 3.0, [(v, f"{v:g}") for v in (0.1, 0.25, 0.5, 1, 2, 3)], log=True)
    panel = Panel(sheet, 64, 54, 670, 210, Scale(-0.5, len(names) - 0.5, []), y)
    panel.axes(
        "False alarms over the level asked for: 1 is exact, below is cautious",
        y_label="measured / nominal",
    )
    panel.line([(-0.5, 1.0), (len(names) - 0.5, 1.0)], INK, width=1.0)
    by = {row["what"]: row for row in rows}
    for i, name in enumerate(names):
        label = name.replace("total_variation", "total var.")
        held = by[f"{name}: false alarms over the level 0.01"]["most"] is not None
        sheet.text(panel.px(i), 284, label, anchor="middle", weight="600" if held else "")
        for k, level in enumerate(shown):
            row = by[f"{name}: false alarms over the level {level}"]
            x, colour = i + 0.24 * (k - 1), (BLUE, GREY, ORANGE)[k]
            panel.interval(x, row["low"], row["high"], colour)
            panel.dot(x, row["value"], colour)
    for k, level in enumerate(("1 in 100", "1 in 1,000", "1 in 10,000")):
        x = 150 + 170 * k
        sheet.add("circle", cx=x, cy=310, r=4, fill=(BLUE, GREY, ORANGE)[k])
        sheet.text(x + 10, 314, f"level {level}")
    return sheet.write()


def budget(rows: Sequence[Mapping[str, Any]], real: Sequence[Mapping[str, Any]]) -> str:
    """False alarms a week against the budget, and the null streams at a budget of 1."""
    sheet = Sheet(760, 360, "False alarms a week against the budget asked for")
    ticks = [(v, f"{v:g}") for v in (0.01, 0.1, 1, 10)]
    asked = Scale(0.15, 30.0, [(v, f"{v:g}") for v in (0.25, 1, 4, 16)], log=True)
    got = Scale(0.01, 30.0, ticks, log=True)
    panel = Panel(sheet, 70, 48, 290, 246, asked, got)
    panel.axes(
        "20 correlated signals, 200 weeks each",
        "budget asked for, a week",
        "episodes a week, measured",
    )
    panel.line([(0.15, 0.15), (30.0, 30.0)], GREY, dashed=True, width=1.5)
    sheet.text(panel.px(1.2), panel.py(3.2), "all of the budget", fill=GREY, size=11, anchor="end")
    for row in rows:
        panel.interval(row["asked"], max(row["low"], 0.01), row["high"], BLUE)
        panel.dot(row["asked"], row["rate"], BLUE)
    panel = Panel(
        sheet,
        560,
        48,
        170,
        246,
        Scale(0.01, 4.0, ticks[:3], log=True),
        Scale(0, max(1, len(real)), []),
    )
    panel.axes("", "episodes a week")
    sheet.text(400, 36, "Streams without change, budget 1", size=13, weight="600")
    panel.line([(1.0, 0.0), (1.0, float(len(real)))], ORANGE, dashed=True, width=1.5)
    for k, row in enumerate(real):
        at = len(real) - k - 0.5
        sheet.text(panel.left - 12, panel.py(at) + 4, _short(row["what"]), size=11, anchor="end")
        panel.interval(0, max(row["low"], 0.01), row["high"], BLUE, across=True, at=at)
        panel.dot(max(row["value"], 0.01), at, BLUE, hollow=row["value"] == 0)
    sheet.text(400, 346, "hollow: none at all; lines are exact 95 % intervals", size=11, fill=GREY)
    return sheet.write()


def _short(what: str) -> str:
    for long, short in (
        (", F = 1", ""),
        ("without change", "still"),
        (", 33 features", ""),
        ("NAB art_", "NAB "),
        ("perfect_square_wave", "square_wave"),
        ("replay of ", "replay: "),
        (" signals", ""),
    ):
        what = what.replace(long, short)
    return what.rsplit(": episodes", 1)[0]


def dependence(rows: Sequence[Mapping[str, Any]]) -> str:
    """AR(1) streams: false alarms with the calibration on times, and without."""
    sheet = Sheet(760, 350, "What dependence does to false alarms, with and without calibration")
    panels = (
        (
            "psi",
            "PSI: times the level, 1 in 100",
            [(v, f"{v:g}") for v in (0.1, 1, 10, 100)],
            0.1,
            100.0,
        ),
        (
            "adwin",
            "ADWIN: a million events",
            [(v, f"{v:,g}") for v in (0.01, 1, 100, 10_000)],
            0.01,
            10_000.0,
        ),
        (
            "edetector",
            "e-detector: a million events",
            [(v, f"{v:,g}") for v in (0.01, 1, 100, 10_000)],
            0.01,
            10_000.0,
        ),
    )
    for k, (name, title, ticks, low, high) in enumerate(panels):
        panel = Panel(sheet, 60 + 245 * k, 48, 190, 220, _RHO, Scale(low, high, ticks, log=True))
        panel.axes(title, "AR(1) coefficient")
        for seen, colour in ((False, ORANGE), (True, BLUE)):
            of = [row for row in rows if row["seen"] is seen]
            panel.line([(row["rho"], max(row[name][0], low)) for row in of], colour, width=1.5)
            for row in of:
                value, bottom, top = row[name]
                panel.interval(row["rho"], max(bottom, low), top, colour)
                panel.dot(row["rho"], max(value, low), colour, hollow=value == 0)
    for x, colour, text in (
        (60, BLUE, "reference with times: dependence measured"),
        (360, ORANGE, "without times: events taken to be independent"),
    ):
        sheet.add("circle", cx=x, cy=330, r=4, fill=colour)
        sheet.text(x + 10, 334, text)
    return sheet.write()


def course(held: Mapping[str, Any]) -> str:
    """One stream that changes: the e-detector's evidence, and ADWIN's window."""
    sheet = Sheet(760, 400, "One stream: evidence and window around a change")
    pane, change = held["pane"], held["change"]
    evidence, width = held["evidence"], held["width"]
    last = pane * len(width)
    x = Scale(0, last, [(v, f"{v:,}") for v in range(0, last + 1, 1_500)])
    top = held["threshold"]
    upper = Panel(
        sheet, 70, 44, 665, 130, x, Scale(-1.0, 6.0, [(v, f"{v:g}") for v in (0, 2, 4, 6)])
    )
    upper.axes("e-detector: log10 of the evidence that the mean left the reference's")
    upper.line([(0, top), (last, top)], GREY, dashed=True, width=1.2)
    sheet.text(
        upper.px(60), upper.py(top) - 5, f"threshold, A = {10**top:,.0f}", size=11, fill=GREY
    )
    upper.line([(pane * (i + 1), e) for i, e in enumerate(evidence)], BLUE, width=1.3)
    lower = Panel(
        sheet, 70, 226, 665, 110, x, Scale(0, 10_000, [(v, f"{v:,}") for v in (0, 5_000, 10_000)])
    )
    lower.axes("ADWIN: events in its window; an alarm drops the oldest", "events")
    lower.line([(pane * (i + 1), n) for i, n in enumerate(width)], BLUE, width=1.3)
    for panel, key in ((upper, "edetector"), (lower, "adwin")):
        sheet.add(
            "line",
            x1=panel.px(change),
            x2=panel.px(change),
            y1=panel.top,
            y2=panel.top + panel.height,
            stroke=INK,
            stroke_width=1,
        )
        first = next((a for a in held[key] if a > change), None)
        if first is not None:
            sheet.add(
                "line",
                x1=panel.px(first),
                x2=panel.px(first),
                y1=panel.top,
                y2=panel.top + panel.height,
                stroke=ORANGE,
                stroke_width=1.5,
            )
            sheet.text(
                panel.px(first) + 6,
                panel.top + 12,
                f"alarm, {first - change} events after",
                size=11,
                fill=ORANGE,
            )
    sheet.text(upper.px(change) - 6, upper.top + 12, "mean +.25 sd", size=11, anchor="end")
    return sheet.write()


def tcpd(rows: Sequence[Mapping[str, Any]]) -> str:
    """F1 and cover on the Turing benchmark's univariate series, beside saying nothing."""
    listed = [(row["contestant"], row["f1"], row["cover"]) for row in rows]
    listed += [
        (f"{name}, published", f1, None)
        for name, f1 in PUBLISHED.items()
        if name in ("never", "bocpd")
    ]
    listed.sort(key=lambda row: -row[1])
    height = 22 * len(listed)
    sheet = Sheet(760, height + 112, "Turing Change Point Dataset: F1 and cover")
    scale = Scale(0.0, 0.8, [(v, f"{v:g}") for v in (0, 0.2, 0.4, 0.6, 0.8)])
    f1 = Panel(sheet, 368, 52, 160, height, scale, Scale(0, 1, []))
    cover = Panel(sheet, 570, 52, 160, height, scale, Scale(0, 1, []))
    f1.axes("F1")
    cover.axes("cover")
    for k, (name, score, covered) in enumerate(listed):
        y = 52 + 22 * k + 11
        ours = name.startswith("driftstream")
        colour = BLUE if ours else ORANGE if name.startswith(("never", "bocpd")) else "#a9b4c0"
        sheet.text(356, y + 4, name, size=11, anchor="end", weight="600" if ours else "")
        for panel, value in ((f1, score), (cover, covered)):
            if value is not None:
                panel.bar(0.0, y, 14, value, colour)
                sheet.text(panel.px(value) + 4, y + 4, f"{value:.2f}", size=10, fill=GREY)
    sheet.text(
        20,
        height + 100,
        "26 series of 15 to 816 points, defaults untuned; orange: saying "
        "nothing, and the best online method published",
        size=11,
        fill=GREY,
    )
    sheet.add("line", x1=20, x2=740, y1=height + 84, y2=height + 84, stroke=PALE)
    return sheet.write()
