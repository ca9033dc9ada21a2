"""Alert events to reports: what the alerts topic alone knows of its episodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import stream
from detectors import WINDOWED_TESTS
from stream.alerts.sizes import RELATION, over_threshold
from stream.alerts.story import related_words
from stream.contracts.alert_event import AlertEvent, AlertSignal, parse_time
from stream.report.fetch import UNKNOWN_BROKER, fetch_commands
from stream.report.model import (
    Bars,
    Episode,
    QualityRow,
    Report,
    Revision,
    SegmentRow,
    Signal,
    TestRow,
)
from stream.report.phrases import SEVERITIES_OR_NONE, false_alarms, from_start
from stream.report.shape import shape_of_coarse
from stream.report.words import chance, minute, quantiles, subject, words
from stream.text.counted import counted

__all__ = ["bars_of", "episodes_of", "leading_signals", "report_of_episode", "worst_severity"]

_QUALITY: Final = ("missing", "invalid", "unseen")
_CARDS: Final = 12


def episodes_of(events: Iterable[AlertEvent], end_ms: int | None = None) -> tuple[Episode, ...]:
    """Episodes in the order they opened; one that fires is drawn until `end_ms`."""
    by_episode: dict[str, list[AlertEvent]] = {}
    for event in events:
        by_episode.setdefault(event.data.episode, []).append(event)
    made = [_episode(id_, found, end_ms) for id_, found in by_episode.items()]
    return tuple(sorted(made, key=lambda episode: (episode.start_ms, episode.kind)))


def _episode(id_: str, found: list[AlertEvent], end_ms: int | None) -> Episode:
    revisions = sorted({e.data.revision: e for e in found}.values(), key=lambda e: e.data.revision)
    first, last = revisions[0].data, revisions[-1]
    firing = last.data.status == "firing"
    last_ms = parse_time(last.time)
    return Episode(
        id=id_,
        subject=_subject(last),
        kind=first.labels.kind,
        severity=worst_severity(e.data.severity for e in revisions),
        firing=firing,
        start_ms=parse_time(first.starts_at),
        end_ms=max(last_ms, end_ms or 0) if firing else parse_time(last.data.ends_at),
        action=last.data.annotations.action,
        runbook_url=last.data.annotations.runbook_url,
        revisions=tuple(
            Revision(
                e.data.revision,
                parse_time(e.time),
                e.data.status,
                e.data.severity,
                tuple(e.data.joined),
                tuple(e.data.left),
                e.data.annotations.summary,
                e.data.annotations.evidence,
                max((s.effect or 0.0 for s in e.data.signals), default=0.0),
            )
            for e in revisions
        ),
        from_start=tuple(
            dict.fromkeys(s.name for e in revisions for s in e.data.signals if s.from_start)
        ),
        beside=tuple(map(related_words, last.data.related)),
    )


def worst_severity(severities: Iterable[str]) -> str:
    """The highest of some severities, "" of none."""
    return max(severities, key=SEVERITIES_OR_NONE.index, default="")


def _subject(event: AlertEvent) -> str:
    labels = event.data.labels
    return subject(labels.model, labels.model_version)


def bars_of(signal: AlertSignal) -> Bars | None:
    """The bins of a signal, if the alert holds them."""
    bins = signal.bins
    if bins is None or not bins.window:
        return None
    shape = shape_of_coarse(
        bins.edges, bins.reference, bins.window, bins.labels, signal.events or 0
    )
    return Bars(bins.reference, bins.window, bins.edges, bins.labels, shape)


def leading_signals(events: Iterable[AlertEvent]) -> tuple[Signal, ...]:
    """Each signal of each scope as it was when it drifted most, the worst first."""
    seen: dict[tuple[str, str], list[tuple[AlertEvent, AlertSignal]]] = {}
    for event in events:
        for signal in event.data.signals:
            seen.setdefault((signal.segment, signal.name), []).append((event, signal))
    made = [_signal(found) for found in seen.values()]
    return tuple(sorted(made, key=lambda s: (-s.ratio, s.name, s.segment)))


def _signal(found: Sequence[tuple[AlertEvent, AlertSignal]]) -> Signal:
    def loudness(pair: tuple[AlertEvent, AlertSignal]) -> tuple[bool, float]:
        return pair[1].bins is not None, _ratio(pair[1])

    event, peak = max(found, key=loudness)
    # That a change came gradually may be seen late: but not after the signal left, and came again.
    latest = [
        signal
        for e, signal in found
        if e.data.episode == event.data.episode and signal.since == peak.since
    ][-1]
    return Signal(
        name=peak.name,
        role=peak.role,
        test=peak.test,
        value=peak.value,
        threshold=peak.threshold,
        at_ms=parse_time(event.data.window.end),
        segment=peak.segment,
        p_value=peak.p_value,
        importance=peak.importance,
        since=peak.since,
        change=peak.change,
        bars=bars_of(peak),
        moments=_moments(peak),
        change_point=_change_point(latest),
        gradual=latest.change_point is not None and latest.change_point.shape == "ramp",
        history=tuple((parse_time(e.time), _ratio(signal)) for e, signal in found),
    )


def _moments(signal: AlertSignal) -> tuple[tuple[str, str, str], ...]:
    published = signal.quantiles
    if published is None:
        return ()
    return quantiles(
        published.q,
        published.reference,
        published.window,
        published.reference_sides,
        published.window_sides,
    )


def _change_point(signal: AlertSignal) -> tuple[int, int, int] | None:
    published = signal.change_point
    if published is None:
        return None
    return (
        parse_time(published.earliest),
        parse_time(published.estimate),
        parse_time(published.latest),
    )


def _ratio(signal: AlertSignal) -> float:
    return over_threshold(signal.test, signal.value, signal.threshold)


def report_of_episode(
    events: Sequence[AlertEvent], brokers: str = UNKNOWN_BROKER, notes: Sequence[str] = ()
) -> Report:
    """Everything the revisions of one episode say.

    `brokers` have the events behind it, `notes` are what limits the plan that it was found under.

    Raises
    ------
    ValueError
        If there is none.
    """
    if not events:
        raise ValueError("an episode has at least one revision; got none.")
    events = sorted(events, key=lambda event: event.data.revision)
    (episode,) = episodes_of(events)
    last = events[-1]
    data = last.data
    signals = leading_signals(event for event in events if event.data.status == "firing")
    signals = signals or leading_signals(events)
    whole = tuple(s for s in signals if not s.segment)
    state = "fires" if episode.firing else "resolved"
    # Where it began to be seen is part of the picture: the window before the first revision.
    begins = [parse_time(e.data.window.start) for e in events]
    return Report(
        title=f"{episode.subject}: {words(episode.kind)}",
        lead=data.annotations.summary,
        severity=episode.severity if episode.firing else "",
        start_ms=min(episode.start_ms, *begins),
        end_ms=episode.end_ms,
        made=f"Made by driftstream {stream.__version__} from "
        + ("the one revision" if len(events) == 1 else f"the {len(episode.revisions)} revisions")
        + " of this episode on the alerts topic.",
        facts=(
            ("State", state, f"peak {episode.severity}"),
            ("Began", minute(episode.start_ms), "UTC, event time"),
            ("Signals", f"{len({s.name for s in signals})}", _segments_words(signals)),
            ("Window", f"{data.window.events:,}", "events in the last one tested"),
            ("Action", words(data.annotations.action), "recommended"),
        ),
        episodes=(episode,),
        signals=signals[:_CARDS],
        segments=_segments(signals),
        quality=_quality(whole),
        tests=_tests(events),
        budget=f"The plan allows {false_alarms(data.budget.false_alarms_per_week)} for this model. "
        "So alpha, how often each signal and window may be wrong, is "
        f"{chance(data.budget.alpha)}; its tests share it.",
        provenance=_provenance(last),
        warnings=(*notes, *_left_out(events), *filter(None, [from_start(episode)])),
        fetch=fetch_commands(events, brokers),
    )


def _segments_words(signals: Sequence[Signal]) -> str:
    named = {s.segment for s in signals if s.segment}
    return f"in {counted(len(named), 'segment')} too" if named else "in the whole stream"


def _segments(signals: Sequence[Signal]) -> tuple[SegmentRow, ...]:
    rows: dict[str, SegmentRow] = {}
    for signal in signals:  # the worst come first
        if signal.segment and signal.segment not in rows:
            found = sum(len(s.history) for s in signals if s.segment == signal.segment)
            rows[signal.segment] = SegmentRow(
                signal.segment, signal.name, signal.test, signal.ratio, 0, found
            )
    return tuple(rows.values())


def _quality(signals: Sequence[Signal]) -> tuple[QualityRow, ...]:
    rows = []
    for signal in signals:
        bars = signal.bars
        if bars is None or not bars.labels:
            continue
        bin_of = {label: b for b, label in enumerate(bars.labels)}
        shares = tuple(
            (name, bars.reference[b], bars.window[b])
            if (b := bin_of.get(name)) is not None
            else (name, 0.0, 0.0)
            for name in _QUALITY
        )
        rows.append(QualityRow(signal.name, shares))
    return tuple(rows)


def _tests(events: Sequence[AlertEvent]) -> tuple[TestRow, ...]:
    """Which tests found how many signals; an alert does not say how often they found nothing."""
    found: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for event in events:
        for signal in event.data.signals:
            key = (signal.test, "segments" if signal.segment else "whole stream")
            found.setdefault(key, set()).add((signal.segment, signal.name))
    alpha = events[-1].data.budget.alpha

    def is_of_windows(test: str, scope: str) -> bool:  # others have levels of their own
        return scope == "whole stream" and test in (*WINDOWED_TESTS, RELATION)

    return tuple(
        TestRow(test, scope, 0, alpha if is_of_windows(test, scope) else None, len(signals))
        for (test, scope), signals in sorted(found.items())
    )


def _provenance(event: AlertEvent) -> tuple[tuple[str, str], ...]:
    data = event.data
    rows = [
        ("driftstream", stream.__version__),
        ("source", event.source),
        ("model, version", f"{data.labels.model} {data.labels.model_version}".rstrip()),
        ("episode", data.episode),
        ("fingerprint", data.fingerprint),
        ("last event", event.id),
        ("reference", data.reference),
        ("plan", data.config),
    ]
    rows += [
        (f"offsets of {part}", f"{first} to {last}")
        for part, (first, last) in sorted(data.offsets.items())
    ]
    return tuple(rows)


def _left_out(events: Sequence[AlertEvent]) -> tuple[str, ...]:
    numbers = {event.data.revision for event in events}
    missing = max(numbers) - len(numbers)
    if not missing:
        return ()
    gone = counted(missing, "revision is", "revisions are")
    return (
        f"{gone} not on the topic any more, because its retention took them: what is told first "
        "here need not be how it began.",
    )
