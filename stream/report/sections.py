"""The sections of a report: headings, tables, cards. Each is left out where it has nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from stream.report.charts import heat, histogram, level, meter, sparkline, timeline
from stream.report.html import Child, Markup, join, tag
from stream.report.model import Bars, Episode, Report, Signal
from stream.report.words import arrows, figure, minute, percent, ratio, span, test_name, words

__all__ = [
    "badge",
    "episodes_section",
    "facts",
    "overview_section",
    "provenance_section",
    "quality_section",
    "segments_section",
    "signals_section",
    "table",
    "tests_section",
]

_WORST_SHARES: Final = 20
#: Episodes that are shown at once; earlier ones open on demand.
_EPISODES: Final = 4


def badge(text: str, kind: str) -> Markup:
    """A word in a coloured pill; the colour says nothing that the word does not."""
    return tag("span", text, class_=f"badge {kind}")


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Child]], *,
          figures: frozenset[int] = frozenset(), kind: str = "") -> Markup:  # fmt: skip
    """Give a table in a box that scrolls by itself; the columns `figures` are numbers."""

    def cell(name: str, at: int, child: Child) -> Markup:
        kind_of = "figure" if at in figures else None
        scope = "row" if name == "th" else None
        return tag(name, child, class_=kind_of, scope=scope)

    head = tag("tr", (tag("th", h, scope="col", class_="figure" if i in figures else None)
                      for i, h in enumerate(heads)))  # fmt: skip
    body = (
        tag("tr", (cell("th" if i == 0 else "td", i, child) for i, child in enumerate(row)))
        for row in rows
    )
    made = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", body))
    return tag("div", made, class_=f"scroll {kind}".strip(), tabindex=0, role="region",
               aria_label=caption)  # fmt: skip


def _section(id_: str, title: str, lead: str, *children: Child) -> Markup:
    words = tag("p", lead, class_="lead") if lead else None
    return tag("section", tag("h2", title, id=f"{id_}-title"), words, children,
               id=id_, aria_labelledby=f"{id_}-title")  # fmt: skip


def facts(rows: Sequence[tuple[str, str, str]]) -> Markup:
    """Key figures side by side: (name, value, words)."""
    return tag("dl", (
        tag("div", tag("dt", name), tag("dd", value, class_="value"),
            tag("dd", said, class_="note") if said else None)
        for name, value, said in rows
    ), class_="facts")  # fmt: skip


def episodes_section(report: Report) -> Markup | None:
    """The timeline, and what each episode said."""
    if not report.episodes:
        return _section("episodes", "Episodes", "No episode opened: nothing passed its threshold "
                        "often enough to be news.")  # fmt: skip
    newest = sorted(report.episodes, key=lambda e: (not e.firing, -e.end_ms, -e.start_ms))
    chart = timeline(report.episodes, report.start_ms, report.end_ms, "Timeline of episodes")
    return _section(
        "episodes", "Episodes",
        "One episode is one cause: however many signals drift, it is one alert. "
        "Ticks are revisions in which a signal joined or left. Times are event times in UTC.",
        tag("div", chart, class_="panel"),
        tag("ol", (_episode(episode) for episode in newest[:_EPISODES]), class_="episodes"),
        tag("details", tag("summary", f"{len(newest) - _EPISODES} earlier episodes"),
            tag("ol", (_episode(episode) for episode in newest[_EPISODES:]), class_="episodes"))
        if len(newest) > _EPISODES else None,
    )  # fmt: skip


def _episode(episode: Episode) -> Markup:
    last = episode.revisions[-1]
    state = badge("firing", f"sev-{episode.severity}") if episode.firing else badge(
        "resolved", "resolved")  # fmt: skip
    times = (
        f"since {minute(episode.start_ms)}"
        if episode.firing
        else span(episode.start_ms, episode.end_ms)
    )
    rows = [
        (
            revision.number,
            minute(revision.time_ms),
            revision.status if revision.status == "resolved" else revision.severity,
            ", ".join(revision.joined) or "–",
            ", ".join(revision.left) or "–",
        )
        for revision in episode.revisions
    ]
    runbook = (
        tag("p", tag("a", "Runbook", href=episode.runbook_url, rel="noreferrer"))
        if episode.runbook_url.startswith(("https://", "http://"))
        else tag(
            "p", "Runbook: ", tag("code", f"driftstream runbook {episode.kind}"), class_="meta"
        )
    )
    return tag(
        "li",
        tag("h3", words(episode.kind).capitalize(), " ", state, " ",
            badge(f"peak {episode.severity}", f"sev-{episode.severity}")),
        tag("p", f"{episode.subject} · {times} UTC · {len(episode.revisions)} revisions",
            class_="meta"),
        tag("p", arrows(last.summary)),
        tag("p", f"Different from the reference from the start: {', '.join(episode.from_start)}. "
            "Is it the right reference?") if episode.from_start else None,
        tag("p", last.evidence, class_="meta") if last.evidence else None,
        runbook,
        tag("details", tag("summary", "Revisions"),
            table(f"Revisions of episode {episode.id}",
                  ("revision", "time (UTC)", "severity", "joined", "left"), rows,
                  figures=frozenset({0}))),
    )  # fmt: skip


def overview_section(report: Report, rows: Sequence[tuple[str, Sequence[float]]]) -> Markup | None:
    """Every signal over time, the loudest first."""
    if not rows:
        return None
    key = tag("p", (
        tag("span", tag("span", class_=f"swatch level{n}", aria_hidden="true"), said)
        for n, said in enumerate(("quiet", "from 0.7×", "finding", "from 2×", "from 4×"))
    ), class_="key")  # fmt: skip
    chart = heat(rows, report.start_ms, report.end_ms, "Signals over time")
    return _section(
        "overview", "Signals over time",
        "Worst windowed test of each signal in units of its threshold.",
        tag("div", chart, key, class_="panel"),
    )  # fmt: skip


def signals_section(report: Report) -> Markup | None:
    """A card for each of the leading signals."""
    if not report.signals:
        return None
    key = tag("p",
              tag("span", tag("span", class_="swatch ref", aria_hidden="true"), "reference"),
              tag("span", tag("span", class_="swatch win", aria_hidden="true"), "window"),
              class_="key")  # fmt: skip
    return _section(
        "signals", "What moved", "The leading signals in the window in which each drifted most.",
        key, tag("div", (_card(signal, report) for signal in report.signals), class_="cards"),
    )  # fmt: skip


def _card(signal: Signal, report: Report) -> Markup:
    where = f" of {signal.segment}" if signal.segment else ""
    name = f"{signal.name}{where}"
    ranked = f" · importance {figure(signal.importance)}" if signal.importance is not None else ""
    p_value = f" · p {figure(signal.p_value)}" if signal.p_value is not None else ""
    tested = (
        f"{test_name(signal.test)} {figure(signal.value)}, threshold {figure(signal.threshold)}"
    )
    parts: list[Child] = [
        tag("h3", tag("span", name), " ",
            badge(ratio(signal.ratio), f"level{level(signal.ratio)}")),
        meter(signal.ratio, f"{name}: {test_name(signal.test)}"),
        tag("p", f"{signal.role} · {tested}{p_value}{ranked}", class_="meta"),
        tag("p", arrows(signal.change)) if signal.change else None,
    ]  # fmt: skip
    if signal.bars is not None:
        chart = histogram(signal.bars, f"Distribution of {name}")
        parts.append(tag("figure", chart, _numbers(name, signal.bars)))
    parts += [_moments(signal), _change_point(signal)]
    if len(signal.history) > 1:
        caption = f"{signal.history_of}; dashed is the threshold"
        chart = sparkline(signal.history, report.start_ms, report.end_ms, f"{name} over time",
                          signal.change_point)  # fmt: skip
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
    made = table(f"Shares of {name}", ("bin", "reference", "window", "points"), rows,
                 figures=frozenset({1, 2, 3}))  # fmt: skip
    return tag("details", tag("summary", "Numbers"), made)


def _moments(signal: Signal) -> Markup | None:
    if not signal.moments:
        return None
    return table(f"Mean and quantiles of {signal.name}", ("", "reference", "window"),
                 signal.moments, figures=frozenset({1, 2}), kind="small")  # fmt: skip


def _change_point(signal: Signal) -> Markup | None:
    if signal.change_point is None:
        return None
    first, likeliest, last = signal.change_point
    if signal.gradual:
        return tag("p", "Has changed gradually since about ", tag("strong", minute(likeliest)),
                   f" UTC; it began between {minute(first)} and {minute(last)}.")  # fmt: skip
    return tag("p", "Changed about ", tag("strong", minute(likeliest)),
               f" UTC, between {minute(first)} and {minute(last)}.")  # fmt: skip


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
        for row in report.segments
    ]
    heads = ("segment", "worst, of its threshold", "signal", "windows", "findings")
    return _section("segments", "Segments", "Where the drift is.",
                    table("Worst test of each segment", heads, rows,
                          figures=frozenset({3, 4})))  # fmt: skip


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
    return _section(
        "quality", "Data quality",
        "Share of values that were missing, of a wrong type, a category that the reference does "
        "not know, or outside its range: in the reference → now.",
        table("Data quality by signal", heads, rows,
              figures=frozenset(range(1, len(heads)))),
    )  # fmt: skip


def _change_of(before: float, now: float) -> str:
    return f"{percent(before)} → {percent(now)}" if before or now else "–"


def tests_section(report: Report) -> Markup:
    """What was tested, at which level, for which budget."""
    rows = [
        (
            test_name(row.test),
            row.scope,
            f"{row.made:,}" if row.made else "–",
            figure(row.alpha) if row.alpha is not None else "–",
            f"{row.findings:,}" if row.findings is not None else "–",
        )
        for row in report.tests
    ]
    made = table("Tests", ("test", "scope", "made", "alpha", "findings"), rows,
                 figures=frozenset({2, 3, 4})) if rows else None  # fmt: skip
    left = tag("ul", (tag("li", words) for words in report.untested)) if report.untested else None
    return _section("tests", "What was tested", report.budget, made,
                    tag("h3", "What was not tested") if left else None, left)  # fmt: skip


def provenance_section(report: Report) -> Markup:
    """From what all of this follows."""
    rows = [(name, tag("code", value)) for name, value in report.provenance]
    return _section("provenance", "Provenance",
                    "The same events under the same plan give the same report.",
                    table("What this report was made from", ("what", "value"), rows),
                    tag("ul", (tag("li", note) for note in report.notes))
                    if report.notes else None)  # fmt: skip
