"""A replay, as it goes, to a report: every window that was tested leaves its trace here.

What is kept is bounded by the number of signals and segments, not by the length of the file: the
history of each signal has at most so many columns, and neighbours are merged where it has more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

import stream
from detectors import SignalReference, WindowResult, describe
from detectors.change_points.explain import QUANTILES, Change
from detectors.figures import figures, percent
from detectors.references.segments import segment_of
from stream.contracts.alert_event import AlertEvent
from stream.contracts.moments import INFINITY
from stream.plans.plan import Plan
from stream.report.fairness import FairnessTable, fairness_tables
from stream.report.from_alerts import episodes_of, leading_signals, worst_severity
from stream.report.loudness import FOLLOWING, NEAR, evidence_ratios
from stream.report.loudness_history import LoudnessHistory
from stream.report.model import Bars, Report, SegmentRow, Signal, TestRow
from stream.report.outcomes import Outcomes, outcomes_of
from stream.report.phrases import false_alarms
from stream.report.quality import quality_rows
from stream.report.replay_words import lead_of_replay, warnings_of_replay, window_words
from stream.report.shape import shape_of_counts
from stream.report.words import figure, quantiles, subject
from stream.stage2.detection import Detection
from stream.stage2.monitor import PartitionMonitor
from stream.stage2.untested import AtEnd
from stream.stage2.windows import Closed
from stream.text.counted import counted
from stream.text.durations import WEEK_MS

__all__ = ["ReplayRecorder", "bars_of_counts"]

_CARDS: Final = 12
_ALL_TESTED: Final = AtEnd(True, [])


class ReplayRecorder:
    """Notes what a replay does; `report` and `rows` say it."""

    def __init__(self) -> None:
        self._plan: Plan | None = None
        self._monitor: PartitionMonitor | None = None
        self._history = LoudnessHistory(())
        self._worst: dict[int, Signal] = {}
        self._segments: dict[str, SegmentRow] = {}
        self._counts: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._tests: dict[tuple[str, str], list[int]] = {}
        self._windows = 0
        self._start_ms = INFINITY
        self._end_ms = 0
        self._alerts: list[AlertEvent] = []

    def follow(self, monitor: PartitionMonitor) -> None:
        """Look at the monitor's e-detectors too, whenever a window is tested."""
        self._monitor = monitor

    def alert(self, event: AlertEvent) -> None:
        """Note an alert event."""
        self._alerts.append(event)
        self._history.tell(event)

    def window(self, plan: Plan, window: Closed, result: WindowResult) -> None:
        """Note a tested window; `OnWindow` of a replay."""
        if self._plan is None or self._plan.layout.names != plan.layout.names:
            self._history, self._worst = LoudnessHistory(plan.layout.names), {}
            for alert in self._alerts:
                self._history.tell(alert)
            self._counts = np.zeros(plan.layout.width, np.int64)
        self._plan = plan
        self._start_ms = min(self._start_ms, window.start_ms)
        self._end_ms = max(self._end_ms, window.end_ms)
        worst = np.zeros(len(plan.monitored))
        np.maximum.at(worst, result.signal, result.ratio)
        self._count_tests(window, result)
        if window.segment:
            self._note_segment(plan, window, result)
        else:
            self._windows += 1
            self._counts += window.counts[: self._counts.size]
            evidence = self._evidence(result)
            self._history.window(window.end_ms, np.maximum(worst, evidence))
        for row in np.flatnonzero(result.ratio > 0).tolist():
            index, ratio = int(result.signal[row]), result.ratio[row]
            known = self._worst.get(index)
            if ratio >= worst[index] and (known is None or ratio > known.ratio):
                self._worst[index] = _signal(plan, index, window, result, row)

    def _count_tests(self, window: Closed, result: WindowResult) -> None:
        scope = "segments" if window.segment else "whole stream"
        for row, test in enumerate(result.tests):
            made = self._tests.setdefault((test, scope), [0, 0])
            made[0] += 1
            made[1] += bool(result.found[row])

    def _evidence(self, result: WindowResult) -> npt.NDArray[np.float64] | float:
        """How loud the e-detectors of what was tested are now."""
        for detection in self._detections():
            if detection.results.get("") is result:
                evidence = evidence_ratios(detection)
                return np.where(evidence >= NEAR, evidence, 0.0)
        return 0.0

    def _detections(self) -> Iterable[Detection]:
        monitors = [] if self._monitor is None else self._monitor.subjects.values()
        return (each.detection for each in monitors if each.detection is not None)

    def _note_segment(self, plan: Plan, window: Closed, result: WindowResult) -> None:
        row = int(np.argmax(result.ratio)) if result.ratio.size else -1
        if row < 0:
            return
        name = segment_of(window.segment) if plan.private else window.segment
        known = self._segments.get(name)
        n, found = (known.windows, known.findings) if known else (0, 0)
        best = float(result.ratio[row])
        if known is not None and known.ratio >= best:
            signal, test, best = known.signal, known.test, known.ratio
        else:
            signal, test = plan.monitored[int(result.signal[row])].name, result.test(row)
        self._segments[name] = SegmentRow(
            name, signal, test, best, n + 1, found + int(result.found.sum())
        )

    def rows(self) -> list[tuple[str, list[float]]]:
        """The loudness of each signal over time, the loudest first, for `stream.report.render`."""
        return self._history.loudest_first()

    def report(
        self,
        plan: Plan,
        data: str,
        events: int,
        rejected: int,
        late: int,
        alphas: Sequence[float] = (),
        sequential: Sequence[TestRow] = (),
        in_alarm: tuple[int, int] = (0, 0),
        untested: AtEnd = _ALL_TESTED,
    ) -> Report:
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
        drifted = list(dict.fromkeys(s.name for s in leading_signals(self._alerts)))
        names = {signal.name for signal in plan.monitored}
        n_drifted = len(names.intersection(drifted))
        weeks = max(1.0, (end_ms - start_ms) / WEEK_MS)
        named = subject(plan.model, plan.reference.version)
        lead = lead_of_replay(len(episodes), len(firing), drifted, untested)
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
                ("Drifted", f"{n_drifted}", f"of {counted(len(names), 'signal')}"),
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
            quality=quality_rows(plan, self._counts),
            tests=(*self._test_rows(alphas), *sequential),
            budget=f"{false_alarms(plan.false_alarms_per_week)} "
            f"{'is' if plan.false_alarms_per_week == 1.0 else 'are'} allowed for this model. Alpha "
            "is the chance of each signal and window to be wrong, and is shared by the signal's "
            "tests. ADWIN and e-detectors watch every pane with their own part.",
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
            outcomes=self._outcomes(),
            fairness=self._fairness(),
        )

    def _outcomes(self) -> tuple[Outcomes, ...]:
        """Of the last full window of each version of the model."""
        monitors = {} if self._monitor is None else self._monitor.subjects
        return tuple(
            outcomes_of(view, subject(*key))
            for key, monitor in sorted(monitors.items())
            if monitor.detection is not None
            and (view := monitor.detection.outcomes_now()) is not None
        )

    def _fairness(self) -> tuple[FairnessTable, ...]:
        """As last judged, of each version of the model."""
        monitors = {} if self._monitor is None else self._monitor.subjects
        return tuple(
            table
            for key, monitor in sorted(monitors.items())
            if monitor.detection is not None
            for table in fairness_tables(monitor.detection, subject(*key))
        )

    def _signals(self) -> tuple[Signal, ...]:
        """The loudest signals, those of episodes first."""
        alerted = {(s.segment, s.name): s for s in leading_signals(self._alerts)}
        named = {name for _, name in alerted}
        found = {signal.name: self._by_any_test(signal, alerted) for signal in self._worst.values()}
        found |= {
            name: s for (where, name), s in alerted.items() if not where and name not in found
        }
        loud = sorted(found.values(), key=lambda one: (one.name not in named, -one.ratio))
        loud = [one for one in loud if one.name in named or one.ratio >= 1] or loud[:2]
        return tuple(self._with_history(signal, alerted) for signal in loud[:_CARDS])

    @staticmethod
    def _by_any_test(signal: Signal, alerted: Mapping[tuple[str, str], Signal]) -> Signal:
        """By what a test without a window found, where that is louder than every window's."""
        alert = alerted.get(("", signal.name))
        if alert is None or alert.test not in FOLLOWING or alert.ratio <= signal.ratio:
            return signal
        return replace(alert, bars=alert.bars or signal.bars, moments=alert.moments, since="")

    def _with_history(self, signal: Signal, alerted: Mapping[tuple[str, str], Signal]) -> Signal:
        """A signal with its loudness over time, and since when by the alerts."""
        alert = alerted.get((signal.segment, signal.name)) or alerted.get(("", signal.name))
        return replace(
            signal,
            history=self._history.of(signal.name),
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
    segment = segment_of(window.segment) if hidden else window.segment
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
    )


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
        QUANTILES,
        change.quantiles_before,
        change.quantiles_after,
        change.sides_before,
        change.sides_after,
    )
    if change.mean_before is None or change.mean_after is None:  # one alone compares with nothing
        return found
    before, after = figures(change.mean_before, change.mean_after)
    return (("mean", before, after), *found)
