"""What the page shows of one model: its signals and segments in their last full window.

The work for one look is bounded: so many signals and histograms, the loudest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

import msgspec
import numpy as np

from detectors import WindowResult, describe
from stream.report.fairness import FairnessTable, fairness_tables
from stream.report.from_replay import bars_of_counts
from stream.report.loudness import Heard, Loud, loudest, worst_row
from stream.report.outcomes import Outcomes, outcomes_of
from stream.report.shape import Shape
from stream.stage2.detection import Detection
from stream.stage2.subject import SubjectMonitor
from stream.stage2.untested import untested_now

__all__ = [
    "MAX_HISTOGRAMS", "MAX_SIGNALS", "Bars", "Detail", "SegmentRow", "SignalRow", "detail_of",
    "segments_of", "signal_row",
]  # fmt: skip

MAX_SIGNALS: Final = 60
MAX_HISTOGRAMS: Final = 9
MAX_SEGMENTS: Final = 20


class Bars(msgspec.Struct):
    """Shares in coarse bins; names and edges are left out for a private model."""

    reference: tuple[float, ...]
    window: tuple[float, ...]
    edges: tuple[float, ...]
    labels: tuple[str, ...]
    special: int  # the first bin of what is no known value
    shape: Shape | None


class SignalRow(msgspec.Struct, rename="camel", omit_defaults=True):
    """A signal; `ratio` is its worst test over that test's threshold.

    Shares and bars are of the last full window; None before there is one.
    """

    name: str
    role: str
    ratio: float
    test: str
    value: float
    threshold: float
    missing: float | None
    missing_before: float
    change: str = ""
    bars: Bars | None = None


class SegmentRow(msgspec.Struct):
    """The worst test of a segment's last full window."""

    segment: str
    signal: str
    test: str
    ratio: float
    events: int


class Detail(msgspec.Struct, rename="camel"):
    """The signals of one model in its last full window; `idle` if no events came for a while."""

    model: str
    version: str
    starts: int
    ends: int
    events: int
    reference: str
    plan: str
    signals: list[SignalRow]
    more_signals: int
    segments: list[SegmentRow]
    more_segments: int
    private: bool
    idle: bool
    untested: list[str]
    outcomes: Outcomes | None = None
    fairness: tuple[FairnessTable, ...] = ()


def detail_of(monitor: SubjectMonitor, heard: Iterable[Heard] = ()) -> Detail | None:
    """What its last full window shows, and tests without one; None while nothing is tested."""
    detection = monitor.detection
    if detection is None:
        return None
    plan = detection.plan
    window = detection.windows.last.get("")
    loud = loudest(detection, heard)
    signals = list(_signals(detection, loud))
    segments, more_segments = segments_of(detection)
    outcomes = detection.outcomes_now()
    return Detail(
        model=monitor.subject.model,
        version=monitor.subject.version,
        starts=window.start_ms if window else 0,
        ends=window.end_ms if window else 0,
        events=window.events if window else 0,
        reference=plan.reference.hash,
        plan=plan.hash,
        signals=signals,
        more_signals=max(0, len(plan.monitored) - len(signals)) if signals else 0,
        segments=segments,
        more_segments=more_segments,
        private=plan.private,
        idle=monitor.is_idle,
        untested=[each.words for each in untested_now(monitor.phase)] if monitor.phase else [],
        outcomes=None if outcomes is None else outcomes_of(outcomes),
        fairness=fairness_tables(detection),
    )


def _signals(detection: Detection, loud: Mapping[int, Loud]) -> Iterator[SignalRow]:
    """The loudest signals, the first few with their histogram."""
    for at, (index, worst) in enumerate(islice(loud.items(), MAX_SIGNALS)):
        yield signal_row(detection, index, worst, drawn=at < MAX_HISTOGRAMS)


def signal_row(detection: Detection, index: int, worst: Loud, *, drawn: bool) -> SignalRow:
    """What the worst test of a signal found, with the histogram if it is to be drawn."""
    plan, window, result = detection.plan, detection.windows.last.get(""), detection.results.get("")
    signal = plan.monitored[index] if window is None else plan.expected(index, window.counts)
    missing = signal.binning.missing
    made = SignalRow(
        name=signal.name,
        role=signal.role,
        ratio=worst.ratio,
        test=worst.test,
        value=worst.value,
        threshold=worst.threshold,
        missing=None,
        missing_before=int(signal.counts[missing]) / max(1, signal.events),
    )
    if window is None:
        return made
    counts = window.counts[detection.layout.slice(index)].astype(np.int64)
    made.missing = int(counts[missing]) / max(1, int(counts.sum()))
    if drawn:
        look = _look(result, worst)
        change = describe(signal, counts, public=not plan.private, look=look)
        made.change = "" if plan.private else change.text
        bars = bars_of_counts(signal, counts, change, hidden=plan.private)
        made.bars = Bars(
            reference=bars.reference,
            window=bars.window,
            edges=bars.edges,
            labels=tuple(map(bars.label, range(len(bars.labels)))),
            special=bars.special,
            shape=bars.shape,
        )
    return made


def _look(result: WindowResult | None, worst: Loud) -> int:
    """The share that a test of names found, as `describe` takes it."""
    return -1 if result is None or worst.row < 0 else int(result.look[worst.row])


def segments_of(detection: Detection, index: int | None = None) -> tuple[list[SegmentRow], int]:
    """The loudest segments, by one signal or any, and how many are left out.

    None of a private model: values are hidden.
    """
    if detection.plan.private:
        return [], 0
    rows = []
    for segment, result in list(detection.results.items()):
        window = detection.windows.last.get(segment)
        if not segment or window is None or (worst := worst_row(result, index)) is None:
            continue
        row, ratio = worst
        name = detection.plan.monitored[int(result.signal[row])].name
        rows.append(SegmentRow(segment, name, result.test(row), ratio, window.events))
    rows.sort(key=lambda row: (-row.ratio, row.segment))
    return rows[:MAX_SEGMENTS], max(0, len(rows) - MAX_SEGMENTS)
