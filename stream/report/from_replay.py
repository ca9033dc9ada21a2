"""A replay, as it goes, to a report: every window that was tested leaves its trace here.

What is kept is bounded by the number of signals and segments, not by the length of the file: the
course of each signal has at most so many columns, and neighbours are merged where it has more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

import stream
from detectors import NumericBinning, SignalReference, WindowResult, describe
from detectors.changes.explain import QUANTILES, Change
from detectors.figures import figures, percent
from stream.alerts.event import AlertEvent
from stream.counted import counted
from stream.monitoring.untested import AtEnd
from stream.monitoring.windows import Closed
from stream.plans.plan import Plan
from stream.report.charts import HEAT_COLUMNS
from stream.report.from_alerts import episodes_of, leading_signals, worst_severity
from stream.report.model import Bars, QualityRow, Report, SegmentRow, Signal, TestRow
from stream.report.replay_words import lead_of_replay, warnings_of_replay, window_words
from stream.report.shape import shape_of_counts
from stream.report.words import figure, quantiles, subject

__all__ = ["ReplayRecorder", "bars_of_counts"]

_CARDS: Final = 12
_WEEK_MS: Final = 604_800_000
_ALL_TESTED: Final = AtEnd(True, [])


class ReplayRecorder:
    """Notes what a replay does; `report` and `rows` say it."""

    def __init__(self) -> None:
        self._plan: Plan | None = None
        self._times: list[int] = []  # end of each column of the course
        self._course: list[npt.NDArray[np.float64]] = []  # worst ratio of each signal
        self._worst: dict[int, Signal] = {}
        self._segments: dict[str, SegmentRow] = {}
        self._counts: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._tests: dict[tuple[str, str], list[int]] = {}
        self._windows = 0
        self._start_ms = 2**62
        self._end_ms = 0
        self._alerts: list[AlertEvent] = []

    def alert(self, event: AlertEvent) -> None:
        """Note an alert event."""
        self._alerts.append(event)

    def window(self, plan: Plan, window: Closed, result: WindowResult) -> None:
        """Note a tested window; `OnWindow` of a replay."""
        if self._plan is None or self._plan.layout.names != plan.layout.names:
            self._times, self._course, self._worst = [], [], {}
            self._counts = np.zeros(plan.layout.width, np.int64)
        self._plan = plan
        self._start_ms = min(self._start_ms, window.start_ms)
        self._end_ms = max(self._end_ms, window.end_ms)
        ratios = np.where(
            result.threshold > 0, result.value / np.maximum(result.threshold, 1e-300), 0
        )
        worst = np.zeros(len(plan.monitored))
        np.maximum.at(worst, result.signal, ratios)
        self._count_tests(window, result)
        if window.segment:
            self._note_segment(plan, window, result, ratios)
        else:
            self._windows += 1
            self._counts += window.counts[: self._counts.size]
            self._note_course(window.end_ms, worst)
        for row in np.flatnonzero(ratios > 0).tolist():
            index = int(result.signal[row])
            held = self._worst.get(index)
            if ratios[row] >= worst[index] and (held is None or ratios[row] > held.ratio):
                self._worst[index] = _signal(plan, index, window, result, row)

    def _count_tests(self, window: Closed, result: WindowResult) -> None:
        scope = "segments" if window.segment else "whole stream"
        for row, test in enumerate(result.tests):
            made = self._tests.setdefault((test, scope), [0, 0])
            made[0] += 1
            made[1] += bool(result.found[row])

    def _note_course(self, end_ms: int, worst: npt.NDArray[np.float64]) -> None:
        self._times.append(end_ms)
        self._course.append(worst)
        if len(self._times) >= 2 * HEAT_COLUMNS:
            self._times = self._times[1::2]
            self._course = [
                np.maximum(a, b) for a, b in zip(self._course[::2], self._course[1::2], strict=True)
            ]

    def _note_segment(
        self, plan: Plan, window: Closed, result: WindowResult, ratios: npt.NDArray[np.float64]
    ) -> None:
        row = int(np.argmax(ratios)) if ratios.size else -1
        if row < 0:
            return
        name = window.segment.split("=", 1)[0] if plan.private else window.segment
        held = self._segments.get(name)
        n, found = (held.windows, held.findings) if held else (0, 0)
        best = float(ratios[row])
        if held is not None and held.ratio >= best:
            signal, test, best = held.signal, held.test, held.ratio
        else:
            signal, test = plan.monitored[int(result.signal[row])].name, result.test(row)
        self._segments[name] = SegmentRow(
            name, signal, test, best, n + 1, found + int(result.found.sum())
        )

    def rows(self) -> list[tuple[str, list[float]]]:
        """The course of each signal, the loudest first, for `stream.report.render`."""
        if self._plan is None or not self._course:
            return []
        course = np.array(self._course)
        loudest = np.argsort(-course.max(axis=0), kind="stable").tolist()
        return [(self._plan.monitored[i].name, course[:, i].tolist()) for i in loudest]

    def report(
        self, plan: Plan, data: str, events: int, rejected: int, late: int,
        alphas: Sequence[float], sequential: Sequence[TestRow] = (),
        in_alarm: tuple[int, int] = (0, 0),
        untested: AtEnd = _ALL_TESTED,
    ) -> Report:  # fmt: skip
        """The report.

        `alphas` are of the whole stream's windowed tests and of a segment's, `sequential` what is
        known of the tests that are no windows', `in_alarm` how many panes were, of how many,
        `untested` what was not tested.
        """
        plan = self._plan or plan
        end_ms = max(self._end_ms, 0)
        start_ms = min(self._start_ms, end_ms)
        episodes = episodes_of(self._alerts, end_ms)
        start_ms = min([start_ms, *(e.start_ms for e in episodes)])
        end_ms = max([end_ms, *(e.end_ms for e in episodes)])
        firing = [e for e in episodes if e.firing]
        drifted = {s.name for s in leading_signals(self._alerts)}
        weeks = max(1.0, (end_ms - start_ms) / _WEEK_MS)
        named = subject(plan.model, plan.reference.version)
        lead = lead_of_replay(len(episodes), len(firing), sorted(drifted), untested)
        return Report(
            title=f"{named}: replay of {data}",
            lead=lead,
            severity=worst_severity(e.severity for e in firing),
            start_ms=start_ms,
            end_ms=end_ms,
            made=f"Made by driftstream {stream.__version__} from {data}: a worker on Kafka decides "
            "the same.",
            facts=(
                ("Events", f"{events:,}", f"{rejected:,} refused, {late:,} late"),
                ("Windows", f"{self._windows:,}", window_words(plan)),
                ("Episodes", f"{len(episodes)}", f"{len(firing)} still firing"),
                ("Drifted", f"{len(drifted)}", f"of {counted(len(plan.monitored), 'signal')}"),
                (
                    "False alarms allowed",
                    figure(round(plan.false_alarms_per_week * weeks, 2)),
                    f"in {weeks:.1f} weeks, {figure(plan.false_alarms_per_week)} a week",
                ),
                *(
                    [("In alarm", percent(in_alarm[0] / in_alarm[1]), f"of {in_alarm[1]:,} panes")]
                    if in_alarm[1]
                    else []
                ),
            ),
            episodes=episodes,
            signals=self._signals(),
            segments=tuple(sorted(self._segments.values(), key=lambda r: -r.ratio)),
            quality=_quality(plan, self._counts),
            tests=(*self._test_rows(alphas), *sequential),
            budget=f"{figure(plan.false_alarms_per_week)} false alarms a week are allowed for this "
            "model. Alpha is the chance of each signal and window to be wrong, and is shared by "
            "the signal's tests. ADWIN and e-detectors watch every pane with their own part.",
            untested=tuple(each.words for each in untested.untested),
            provenance=(
                ("driftstream", stream.__version__),
                ("data", data),
                ("offsets", f"0 to {max(0, events - 1)}"),
                ("model, version", named),
                ("reference", plan.reference.hash),
                ("reference's rows", f"{plan.reference.events:,}"),
                ("plan", plan.hash),
                ("pane", f"{figure(plan.pane_ms / 1000)} s"),
                ("lateness", f"{figure(plan.lateness_ms / 1000)} s"),
            ),
            warnings=warnings_of_replay(plan, untested, episodes),
        )

    def _signals(self) -> tuple[Signal, ...]:
        """The loudest signals, those of episodes first."""
        told = {(s.segment, s.name): s for s in leading_signals(self._alerts)}
        named = {name for _, name in told}
        loud = sorted(
            self._worst.items(), key=lambda held: (held[1].name not in named, -held[1].ratio)
        )
        loud = [held for held in loud if held[1].name in named or held[1].ratio >= 1] or loud[:2]
        return tuple(self._with_course(i, signal, told) for i, signal in loud[:_CARDS])

    def _with_course(
        self, index: int, signal: Signal, told: dict[tuple[str, str], Signal]
    ) -> Signal:
        """A signal with how it went, and since when by the alerts."""
        alert = told.get((signal.segment, signal.name)) or told.get(("", signal.name))
        return replace(
            signal,
            history=tuple(zip(self._times, (float(column[index]) for column in self._course))),
            history_of="The whole stream over time" if signal.segment else "Over time",
            change_point=alert.change_point if alert is not None else None,
            gradual=alert is not None and alert.gradual,
        )

    def _test_rows(self, alphas: Sequence[float]) -> tuple[TestRow, ...]:
        return tuple(
            TestRow(test, scope, made, alphas[scope == "segments"] if alphas else None, found)
            for (test, scope), (made, found) in sorted(
                self._tests.items(), key=lambda item: (item[0][1] == "segments", item[0][0])
            )
        )


def _signal(plan: Plan, index: int, window: Closed, result: WindowResult, row: int) -> Signal:
    reference = plan.expected(index, window.counts)
    hidden = plan.private
    counts = window.counts[plan.layout.slice(index)]
    change = describe(reference, counts, public=not hidden, look=int(result.look[row]))
    segment = window.segment.split("=", 1)[0] if hidden else window.segment
    return Signal(
        name=reference.name,
        role=reference.role,
        test=result.test(row),
        value=float(result.value[row]),
        threshold=float(result.threshold[row]),
        at_ms=window.end_ms,
        segment=segment,
        importance=plan.importance(reference.name),
        change="" if hidden else change.text,
        bars=bars_of_counts(reference, counts, change, hidden=hidden),
        moments=() if hidden else _moments(change),
    )  # fmt: skip


def bars_of_counts(
    reference: SignalReference, counts: npt.NDArray[np.integer], change: Change, *, hidden: bool
) -> Bars:
    """The bins of what changed; `hidden` leaves out what could tell values."""
    if hidden:
        return Bars(change.reference, change.window)
    shape = shape_of_counts(reference, counts)
    return Bars(change.reference, change.window, change.edges, change.labels, shape)


def _moments(change: Change) -> tuple[tuple[str, str, str], ...]:
    if not change.quantiles_before or not change.quantiles_after:
        return ()
    found = quantiles(
        QUANTILES, change.quantiles_before, change.quantiles_after,
        change.sides_before, change.sides_after,
    )  # fmt: skip
    if change.mean_before is None or change.mean_after is None:  # one alone compares with nothing
        return found
    before, after = figures(change.mean_before, change.mean_after)
    return (("mean", before, after), *found)


def _quality(plan: Plan, counts: npt.NDArray[np.int64]) -> tuple[QualityRow, ...]:
    """Shares over all tested windows, signals that changed most first."""
    rows: list[tuple[float, QualityRow]] = []
    for index, signal in enumerate(plan.monitored):
        binning = signal.binning
        seen = counts[plan.layout.slice(index)] if counts.size else np.zeros(binning.n_bins, int)
        bins = {"missing": [binning.missing], "invalid": [binning.invalid]}
        if isinstance(binning, NumericBinning):
            bins |= {"unseen": [], "out of range": [binning.below, binning.above]}
        else:
            bins |= {"unseen": binning.new.tolist(), "out of range": []}
        before, now = max(1, signal.events), max(1, int(seen.sum()))
        shares = tuple(
            (name, float(signal.counts[b].sum()) / before, float(seen[b].sum()) / now)
            for name, b in bins.items()
        )
        moved = max(abs(share[2] - share[1]) for share in shares)
        rows.append((moved, QualityRow(signal.name, shares)))
    return tuple(row for _, row in sorted(rows, key=lambda pair: -pair[0]))
