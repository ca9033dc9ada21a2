"""What the page shows of one model: its signals and segments in their last full window.

The work for one look is bounded: so many signals and histograms, the loudest first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from detectors import WindowResult, describe
from stream.monitoring.subject import SubjectMonitor
from stream.monitoring.untested import untested_now
from stream.monitoring.watch import Watch
from stream.monitoring.windows import Closed
from stream.report.from_replay import bars_of_counts
from stream.report.shape import Shape

__all__ = [
    "MOST_HISTOGRAMS", "MOST_SIGNALS", "Bars", "Detail", "SegmentRow", "SignalRow", "detail_of",
    "segments_of", "signal_row", "worst_test",
]  # fmt: skip

MOST_SIGNALS: Final = 60
MOST_HISTOGRAMS: Final = 9
MOST_SEGMENTS: Final = 20


class Bars(msgspec.Struct):
    """Shares in coarse bins; names and edges are left out for a private model."""

    reference: tuple[float, ...]
    window: tuple[float, ...]
    edges: tuple[float, ...]
    labels: tuple[str, ...]
    special: int  # the first bin of what is no known value
    shape: Shape | None


class SignalRow(msgspec.Struct, rename="camel", omit_defaults=True):
    """A signal in the last full window; `ratio` is its worst test over that test's threshold."""

    name: str
    role: str
    ratio: float
    test: str
    value: float
    threshold: float
    missing: float
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


def _ratios(result: WindowResult) -> npt.NDArray[np.float64]:
    """Each test's value in units of its threshold."""
    threshold = result.threshold
    ratios: npt.NDArray[np.float64] = np.where(
        threshold > 0, result.value / np.maximum(threshold, 1e-300), 0.0
    )
    return np.nan_to_num(ratios, posinf=1e6)


def worst_test(result: WindowResult, index: int | None = None) -> tuple[int, float] | None:
    """Row and ratio of the loudest test, of one signal or any; None if none was made."""
    ratios = _ratios(result)
    rows = np.arange(ratios.size) if index is None else np.flatnonzero(result.signal == index)
    if not rows.size:
        return None
    row = int(rows[np.argmax(ratios[rows])])
    return row, float(ratios[row])


def detail_of(held: SubjectMonitor) -> Detail | None:
    """What its last full window shows; None while nothing is tested."""
    watch = held.watch
    if watch is None:
        return None
    plan = watch.plan
    window = watch.windows.last.get("")
    result = watch.results.get("")
    signals = list(_signals(watch, window, result)) if window and result is not None else []
    segments, more_segments = segments_of(watch)
    return Detail(
        model=held.subject.model,
        version=held.subject.version,
        starts=window.start_ms if window else 0,
        ends=window.end_ms if window else 0,
        events=window.events if window else 0,
        reference=plan.reference.hash,
        plan=plan.hash,
        signals=signals,
        more_signals=max(0, len(plan.monitored) - len(signals)) if window else 0,
        segments=segments,
        more_segments=more_segments,
        private=plan.private,
        idle=held.is_idle,
        untested=[each.words for each in untested_now(held.course)] if held.course else [],
    )


def _signals(watch: Watch, window: Closed, result: WindowResult) -> Iterator[SignalRow]:
    """The loudest signals, the first few with their histogram."""
    ratios = _ratios(result)
    worst: dict[int, int] = {}
    for row in np.argsort(-ratios, kind="stable").tolist():
        worst.setdefault(int(result.signal[row]), row)
        if len(worst) >= MOST_SIGNALS:
            break
    for at, row in enumerate(worst.values()):
        ratio = float(ratios[row])
        yield signal_row(watch, window, result, row, ratio, drawn=at < MOST_HISTOGRAMS)


def signal_row(
    watch: Watch, window: Closed, result: WindowResult, row: int, ratio: float, *, drawn: bool
) -> SignalRow:
    """What one test found of its signal, with the histogram if it is to be drawn."""
    plan, index = watch.plan, int(result.signal[row])
    signal = plan.expected(index, window.counts)
    counts = window.counts[watch.layout.slice(index)].astype(np.int64)
    missing = signal.binning.missing
    made = SignalRow(
        name=signal.name,
        role=signal.role,
        ratio=ratio,
        test=result.test(row),
        value=float(np.nan_to_num(result.value[row])),
        threshold=float(np.nan_to_num(result.threshold[row])),
        missing=int(counts[missing]) / max(1, int(counts.sum())),
        missing_before=int(signal.counts[missing]) / max(1, signal.events),
    )
    if drawn:
        change = describe(signal, counts, public=not plan.private, look=int(result.look[row]))
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


def segments_of(watch: Watch, index: int | None = None) -> tuple[list[SegmentRow], int]:
    """The loudest segments, by one signal or any, and how many are left out.

    None of a private model: values are hidden.
    """
    if watch.plan.private:
        return [], 0
    rows = []
    for segment, result in list(watch.results.items()):
        window = watch.windows.last.get(segment)
        if not segment or window is None or (worst := worst_test(result, index)) is None:
            continue
        row, ratio = worst
        name = watch.plan.monitored[int(result.signal[row])].name
        rows.append(SegmentRow(segment, name, result.test(row), ratio, window.events))
    rows.sort(key=lambda row: (-row.ratio, row.segment))
    return rows[:MOST_SEGMENTS], max(0, len(rows) - MOST_SEGMENTS)
