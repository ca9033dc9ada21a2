"""A report as Markdown, for tickets: the words and tables of the HTML file, no drawings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from stream.report.fairness import FAIRNESS, FAIRNESS_HEADS
from stream.report.markdown_text import (
    Markdown,
    Part,
    bold,
    bullets,
    code,
    code_block,
    heading,
    join,
    table,
)
from stream.report.model import Bars, Episode, Report, Signal
from stream.report.outcomes import ESTIMATED, HEADS, score_words
from stream.report.phrases import (
    FETCH,
    NO_EPISODE,
    ONE_CAUSE,
    QUALITY,
    REPLAYED_ALIKE,
    changed_when,
    evidence_of,
    from_start,
    left_out,
    newest_first,
    of_episode,
    of_signal,
    open_beside,
    runbook_command,
    stages,
    state,
    tested,
)
from stream.report.words import chance, minute, percent, ratio, span, test_name, words

__all__ = ["render_markdown"]

#: A ticket is shorter than a file: of more it says how many there are.
_EPISODES: Final = 10
_ROWS: Final = 12
_BINS: Final = 6


def render_markdown(report: Report) -> str:
    """Give a report as Markdown."""
    head = [
        heading(1, report.title, f" ({state(report)})"),
        *_warnings(report),
        join(report.lead),
        join(f"{span(report.start_ms, report.end_ms)} UTC"),
        table(
            ("", "", ""),
            ((Markdown(f"**{name}**"), value, note) for name, value, note in report.facts),
        ),
    ]
    blocks = [
        *head,
        *_episodes(report),
        *_outcomes(report),
        *_fairness(report),
        *_signals(report),
        *_segments(report),
        *_quality(report),
        *_tests(report),
        *_fetch(report),
        *_provenance(report),
        join(report.made),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _warnings(report: Report) -> Iterator[Markdown]:
    if report.warnings:
        yield bold("Before you rely on it")
        yield bullets(report.warnings)


def _episodes(report: Report) -> Iterator[Markdown]:
    yield heading(2, "Episodes")
    if not report.episodes:
        yield join(NO_EPISODE)
        return
    yield join(f"{ONE_CAUSE} Times are event times in UTC.")
    newest = newest_first(report.episodes)
    for episode in newest[:_EPISODES]:
        yield from _episode(episode, report.lead)
    yield join(left_out(len(newest) - _EPISODES, "episode", "began earlier"))


def _episode(episode: Episode, lead: str) -> Iterator[Markdown]:
    now = "firing" if episode.firing else "resolved"
    yield heading(3, words(episode.kind).capitalize(), f": {now}, peak {episode.severity}")
    lines: list[Part] = [join(of_episode(episode), " · ", code(episode.id))]
    lines += [
        join(bold(name), f", {minute(revision.time_ms)}: ", revision.summary)
        for name, revision in stages(episode)
        if name != "Now" or revision.summary != lead
    ]
    if evidence := evidence_of(episode):
        lines.append(join("Evidence: ", evidence))
    if asked := from_start(episode):
        lines.append(asked)
    if beside := open_beside(episode):
        lines.append(beside)
    runbook = episode.runbook_url
    linked = re.fullmatch(r"https?://[!-;=?-\[\]-~]+", runbook)  # ASCII without < > and backslash
    lines.append(
        join("Runbook: ", Markdown(f"<{runbook}>"))
        if linked
        else join("Runbook: ", code(runbook_command(episode)))
    )
    yield bullets(lines)


def _outcomes(report: Report) -> Iterator[Markdown]:
    if not report.outcomes:
        return
    yield heading(2, "Outcomes")
    yield join(ESTIMATED)
    for of in report.outcomes:
        yield heading(3, of.subject)
        yield join(of.lead)
        yield table(HEADS, ((r.name, r.now, r.interval, r.reference, r.estimated) for r in of.rows))
        if of.reliability is not None:
            yield join(f"Share of events whose truth {of.reliability.what}, by score:")
            yield bullets(map(score_words, of.reliability.scores))


def _fairness(report: Report) -> Iterator[Markdown]:
    if not report.fairness:
        return
    yield heading(2, "Fairness")
    yield join(FAIRNESS)
    for of in report.fairness:
        yield heading(3, f"{of.subject} by {of.column}")
        yield bullets(of.notes)
        yield table(
            FAIRNESS_HEADS,
            ((r.rate, r.value, r.now, r.interval, r.reference, r.events) for r in of.rows),
        )


def _signals(report: Report) -> Iterator[Markdown]:
    if not report.signals:
        return
    yield heading(2, "What moved")
    yield join("The leading signals in the window in which each drifted most.")
    yield table(
        ("signal", "of its threshold", "test", "what changed", "since when"),
        (
            (
                code(of_signal(s)),
                ratio(s.ratio),
                tested(s),
                s.change,
                "".join(changed_when(s) or ()),
            )
            for s in report.signals
        ),
    )
    lead = report.signals[0]
    if lead.bars is not None:
        yield from _bars(lead, lead.bars)


def _bars(signal: Signal, bars: Bars) -> Iterator[Markdown]:
    """The bins of the leading signal that moved most, in their order."""
    moved = [now - before for before, now in zip(bars.reference, bars.window, strict=True)]
    most = sorted(sorted(range(len(moved)), key=lambda b: -abs(moved[b]))[:_BINS])
    yield join(
        "Bins of ", code(of_signal(signal)), f" that moved most, {len(most)} of {len(moved)}:"
    )
    yield table(
        ("bin", "reference", "window", "points"),
        (
            (
                bars.label(b),
                percent(bars.reference[b]),
                percent(bars.window[b]),
                f"{100 * moved[b]:+.1f}",
            )
            for b in most
        ),
    )


def _segments(report: Report) -> Iterator[Markdown]:
    if not report.segments:
        return
    yield heading(2, "Segments")
    yield table(
        ("segment", "worst, of its threshold", "signal", "findings"),
        (
            (
                code(row.segment),
                ratio(row.ratio),
                join(code(row.signal), f" ({test_name(row.test)})"),
                f"{row.findings:,}",
            )
            for row in report.segments[:_ROWS]
        ),
    )
    yield join(left_out(len(report.segments) - _ROWS, "segment", "moved less"))


def _quality(report: Report) -> Iterator[Markdown]:
    if not report.quality:
        return
    yield heading(2, "Data quality")
    yield join(QUALITY)
    yield table(
        ("signal", *(name for name, *_ in report.quality[0].shares)),
        (
            (
                code(row.signal),
                *(
                    f"{percent(before)} → {percent(now)}" if before or now else ""
                    for _, before, now in row.shares
                ),
            )
            for row in report.quality[:_ROWS]
        ),
    )
    yield join(left_out(len(report.quality) - _ROWS, "signal", "changed less"))


def _tests(report: Report) -> Iterator[Markdown]:
    yield heading(2, "What was tested")
    yield join(report.budget)
    if report.tests:
        yield table(
            ("test", "scope", "made", "alpha", "findings"),
            (
                (
                    test_name(row.test),
                    row.scope,
                    f"{row.made:,}" if row.made else "",
                    "" if row.alpha is None else chance(row.alpha),
                    "" if row.findings is None else f"{row.findings:,}",
                )
                for row in report.tests
            ),
        )
    if report.untested:
        yield heading(3, "What was not tested, or is told late")
        yield bullets(report.untested)


def _fetch(report: Report) -> Iterator[Markdown]:
    if report.fetch:
        yield heading(2, "Its events")
        yield join(FETCH)
        yield code_block(report.fetch, "sh")


def _provenance(report: Report) -> Iterator[Markdown]:
    yield heading(2, "Provenance")
    yield join(REPLAYED_ALIKE)
    yield table(("what", "value"), ((name, code(value)) for name, value in report.provenance))
