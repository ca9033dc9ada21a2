"""The other sections of a report: tables, cards. Each is left out where it has nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stream.report.charts import heat, level, meter, ratio_scale, sparkline
from stream.report.fairness import FAIRNESS, FAIRNESS_HEADS, FairnessTable
from stream.report.histograms import equal_bins, histogram
from stream.report.html import Child, Markup, join, tag
from stream.report.model import Bars, Report, Signal
from stream.report.outcomes import ESTIMATED, HEADS, Outcomes
from stream.report.parts import badge, section, table
from stream.report.phrases import (
    FETCH,
    QUALITY,
    REPLAYED_ALIKE,
    changed_when,
    left_out,
    of_signal,
    tested,
)
from stream.report.reliability import reliability
from stream.report.words import arrows, chance, percent, ratio, test_name
from stream.text.printable import printable

__all__ = [
    "fairness_section",
    "fetch_section",
    "outcomes_section",
    "overview_section",
    "provenance_section",
    "quality_section",
    "segments_section",
    "signals_section",
    "tests_section",
    "warnings_panel",
]

#: Rows that are shown; what there is more is counted.
_HEAT_ROWS: Final = 20
_SEGMENTS: Final = 40
_WORST_SHARES: Final = 20
#: Warnings that are shown at once.
_WARNINGS: Final = 6


def warnings_panel(warnings: Sequence[str]) -> Markup | None:
    """What to know before the rest is believed."""
    if not warnings:
        return None

    def listed(lines: Sequence[str]) -> Markup:
        return tag("ul", (tag("li", line) for line in lines))

    rest = warnings[_WARNINGS:]
    more = tag("details", tag("summary", f"{len(rest)} more"), listed(rest)) if rest else None
    return tag(
        "div",
        tag("p", "Before you rely on it", class_="brand"),
        listed(warnings[:_WARNINGS]),
        more,
        class_="panel warnings",
        role="note",
        aria_label="Warnings",
    )


def overview_section(report: Report, rows: Sequence[tuple[str, Sequence[float]]]) -> Markup | None:
    """Every signal over time, the loudest first."""
    if not rows:
        return None
    key = tag(
        "p",
        (
            tag("span", tag("span", class_=f"swatch level{n}", aria_hidden="true"), meaning)
            for n, meaning in enumerate(("quiet", "from 0.7×", "finding", "from 2×", "from 4×"))
        ),
        class_="key",
    )
    chart = heat(rows[:_HEAT_ROWS], report.start_ms, report.end_ms, "Signals over time")
    return section(
        "overview",
        "Signals over time",
        "The worst test of each signal, in units of its threshold.",
        tag("div", chart, key, class_="panel"),
        _more(len(rows) - _HEAT_ROWS, "signal", "moved less"),
    )


def _more(n: int, one: str, why: str) -> Markup | None:
    note = left_out(n, one, why)
    return tag("p", note, class_="meta") if note else None


def outcomes_section(report: Report) -> Markup | None:
    """How right the model was, and what came by score."""
    if not report.outcomes:
        return None
    return section("outcomes", "Outcomes", ESTIMATED, [_outcomes(each) for each in report.outcomes])


def fairness_section(report: Report) -> Markup | None:
    """Rates by value of protected columns."""
    if not report.fairness:
        return None
    return section("fairness", "Fairness", FAIRNESS, [_fairness(each) for each in report.fairness])


def _fairness(of: FairnessTable) -> Markup:
    rows = [(r.rate, r.value, r.now, r.interval, r.reference, r.events) for r in of.rows]
    name = f"Fairness of {of.subject} by {of.column}"
    return join(
        tag("h3", f"{of.subject} by {of.column}"),
        tag("ul", [tag("li", note) for note in of.notes]),
        table(name, FAIRNESS_HEADS, rows, figures=frozenset({2, 3, 4, 5})),
    )


def _outcomes(of: Outcomes) -> Markup:
    name = f"Outcomes of {of.subject}"
    rows = [(r.name, r.now, r.interval, r.reference, r.estimated) for r in of.rows]
    parts: list[Child] = [
        tag("h3", of.subject),
        tag("p", of.lead, class_="meta"),
        table(name, HEADS, rows, figures=frozenset({1, 2, 3, 4})),
    ]
    if of.reliability is not None:
        words = f"Share of events whose truth {of.reliability.what}, by score"
        drawing = reliability(of.reliability, f"{words}: {of.subject}")
        figure = tag("figure", tag("figcaption", words), drawing)
        parts.append(tag("div", figure, _key(), class_="panel"))
    return join(*parts)


def _key() -> Markup:
    return tag(
        "p",
        tag("span", tag("span", class_="swatch ref", aria_hidden="true"), "reference"),
        tag("span", tag("span", class_="swatch win", aria_hidden="true"), "window"),
        class_="key",
    )


def signals_section(report: Report) -> Markup | None:
    """A card for each of the leading signals."""
    if not report.signals:
        return None
    return section(
        "signals",
        "What moved",
        "The leading signals in the window in which each drifted most.",
        _key(),
        tag("div", (_card(signal, report) for signal in report.signals), class_="cards"),
    )


def _card(signal: Signal, report: Report) -> Markup:
    name = of_signal(signal)
    parts: list[Child] = [
        tag(
            "h3", tag("span", name), " ", badge(ratio(signal.ratio), f"level{level(signal.ratio)}")
        ),
        meter(signal.ratio, f"{name}: {test_name(signal.test)}", labelled=True),
        tag("p", f"{signal.role} · {tested(signal)}", class_="meta"),
        tag("p", arrows(signal.change)) if signal.change else None,
    ]
    if signal.bars is not None:
        chart = histogram(signal.bars, f"Distribution of {name}")
        parts.append(tag("figure", chart, _numbers(name, signal.bars)))
    parts += [_moments(signal), _change_point(signal)]
    if len(signal.history) > 1:
        caption = f"{signal.history_of}; dashed is the threshold"
        chart = sparkline(
            signal.history, report.start_ms, report.end_ms, f"{name} over time", signal.change_point
        )
        parts.append(tag("figure", tag("figcaption", caption), chart))
    return tag("article", parts, class_="panel")


def _numbers(name: str, bars: Bars) -> Markup:
    rows = [
        (
            bars.label(b),
            percent(bars.reference[b]),
            percent(bars.window[b]),
            f"{100 * (bars.window[b] - bars.reference[b]):+.1f}",
        )
        for b in range(len(bars.window))
    ]
    made = table(
        f"Shares of {name}",
        ("bin", "reference", "window", "points"),
        rows,
        figures=frozenset({1, 2, 3}),
    )
    if bars.shape is None:
        return tag("details", tag("summary", "Numbers"), made)
    chart = equal_bins(bars, f"Distribution of {name} in bins of equal weight")
    return tag("details", tag("summary", "Bins of equal weight, and numbers"), chart, made)


def _moments(signal: Signal) -> Markup | None:
    if not signal.moments:
        return None
    return table(
        f"Mean and quantiles of {signal.name}",
        ("of the values", "reference", "window"),
        signal.moments,
        figures=frozenset({1, 2}),
        kind="small",
    )


def _change_point(signal: Signal) -> Markup | None:
    interval = changed_when(signal)
    if interval is None:
        return None
    before, likeliest, after = interval
    return tag("p", before, tag("strong", likeliest), after)


def segments_section(report: Report) -> Markup | None:
    """The worst test of each segment."""
    if not report.segments:
        return None
    rows = [
        (
            row.segment,
            join(meter(row.ratio, f"{row.segment}, {row.signal}"), f"{ratio(row.ratio)}"),
            f"{row.signal} ({test_name(row.test)})",
            f"{row.windows:,}" if row.windows else "–",
            f"{row.findings:,}",
        )
        for row in report.segments[:_SEGMENTS]
    ]
    heads = (
        "segment",
        join("worst, of its threshold ", ratio_scale()),
        "signal",
        "windows",
        "findings",
    )
    return section(
        "segments",
        "Segments",
        "Where the drift is.",
        table("Worst test of each segment", heads, rows, figures=frozenset({3, 4})),
        _more(len(report.segments) - _SEGMENTS, "segment", "moved less"),
    )


def quality_section(report: Report) -> Markup | None:
    """Missing, unusable and unseen values."""
    if not report.quality:
        return None
    names = [name for name, *_ in report.quality[0].shares]
    heads = ["signal", *names]
    rows = [
        (row.signal, *(_change_of(before, now) for _, before, now in row.shares))
        for row in report.quality[:_WORST_SHARES]
    ]
    return section(
        "quality",
        "Data quality",
        QUALITY,
        table("Data quality by signal", heads, rows, figures=frozenset(range(1, len(heads)))),
        _more(len(report.quality) - _WORST_SHARES, "signal", "changed less"),
    )


def _change_of(before: float, now: float) -> str:
    return f"{percent(before)} → {percent(now)}" if before or now else "–"


def tests_section(report: Report) -> Markup:
    """What was tested, at which level, for which budget."""
    rows = [
        (
            test_name(row.test),
            row.scope,
            f"{row.made:,}" if row.made else "–",
            chance(row.alpha) if row.alpha is not None else "–",
            f"{row.findings:,}" if row.findings is not None else "–",
        )
        for row in report.tests
    ]
    made = (
        table(
            "Tests",
            ("test", "scope", "made", "alpha", "findings"),
            rows,
            figures=frozenset({2, 3, 4}),
        )
        if rows
        else None
    )
    left = tag("ul", (tag("li", words) for words in report.untested)) if report.untested else None
    head = tag("h3", "What was not tested, or is told late") if left else None
    return section("tests", "What was tested", report.budget, made, head, left)


def fetch_section(report: Report) -> Markup | None:
    """How to read the events themselves."""
    if not report.fetch:
        return None
    made = tag("pre", tag("code", "\n".join(map(printable, report.fetch))), tabindex=0)
    return section("events", "Its events", FETCH, made)


def provenance_section(report: Report) -> Markup:
    """From what all of this follows."""
    rows = [(name, tag("code", value)) for name, value in report.provenance]
    return section(
        "provenance",
        "Provenance",
        REPLAYED_ALIKE,
        table("What this report was made from", ("what", "value"), rows),
    )
