"""The families that speak of models and their signals, from the monitors' own arrays."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

import stream
from stream.metrics.gauges import Gauge
from stream.metrics.status_protocol import PartitionClock
from stream.stage1.watermark import BY_PRODUCER
from stream.stage2.alarms import SPAN_DAYS
from stream.stage2.monitor import PartitionMonitor
from stream.stage2.subject import SubjectMonitor
from stream.text.printable import printable

__all__ = [
    "build_info",
    "clocks",
    "counter",
    "gauge",
    "of_signals",
    "of_subjects",
    "refusals",
]

#: Of an episode that was published before this worker began, until its next revision.
_UNKNOWN: Final = "told before this worker began: `driftstream alerts` has the words"
_SUBJECT: Final = ["model", "model_version"]
_OF_WINDOWS: Final = frozenset(  # families without a signal
    {
        "window_events",
        "window_end_timestamp_seconds",
        "outcome_events",
        "outcome",
        "outcome_low",
        "outcome_high",
        "outcome_reference",
        "outcome_estimated",
        "outcome_estimated_low",
        "outcome_estimated_high",
        "fairness",
        "fairness_low",
        "fairness_high",
        "fairness_reference",
        "fairness_disparity",
        "fairness_disparity_low",
        "fairness_disparity_high",
        "fairness_disparity_reference",
    }
)
#: family -> (help, label of `Gauge.extra`)
_SIGNAL_FAMILIES: Final = {
    "drift_score": ("Value of a test in the last full window.", "test"),
    "drift_threshold": ("Value from which the test is a finding.", "test"),
    "untested": (
        "1 for what is not tested or, with reason slow, told later than in two weeks; 0 if another "
        "test looks for the same; of segments, how many.",
        "reason",
    ),
    "signal_missing_ratio": ("Share of events without this signal in the last full window.", ""),
    "signal_mean": (
        "Mean within the reference's range in the last full window, where its bins bound it.",
        "",
    ),
    "window_events": ("Events in a window.", "window"),
    "window_end_timestamp_seconds": ("Event time at which the last full window ended.", ""),
    "signal_bin_share": ("Share of a bin in the last full window; leading signals only.", "bin"),
    "signal_bin_reference_share": ("Share of that bin in the reference.", "bin"),
    "signal_quantile": (
        "Quantile in the last full window, from its bins; if beyond a wide one, its edge.",
        "q",
    ),
    "outcome_events": ("Truths of the last full window.", ""),
    "outcome": (
        "Metric of the last full window's predictions whose truth is known, as scikit-learn names "
        "it: accuracy, recall, auc, mae ...",
        "metric",
    ),
    "outcome_low": ("Lower end of its 95 % interval, where it has one.", "metric"),
    "outcome_high": ("Upper end of its 95 % interval.", "metric"),
    "outcome_reference": ("The same metric of the reference's rows.", "metric"),
    "outcome_estimated": (
        "The metric of all predictions of the last full window as estimated from their scores, "
        "without a truth: right if the truth follows the score as in the reference.",
        "metric",
    ),
    "outcome_estimated_low": ("Lower end of its 95 % interval, on the same assumption.", "metric"),
    "outcome_estimated_high": ("Upper end of its 95 % interval, on the same assumption.", "metric"),
    "fairness": (
        "Rate of a value of a protected column, which the segment names, as last judged: "
        "selection_rate, error_rate, true_positive_rate, false_positive_rate.",
        "metric",
    ),
    "fairness_low": ("Lower end of its 95 % interval.", "metric"),
    "fairness_high": ("Upper end of its 95 % interval.", "metric"),
    "fairness_reference": ("The same rate of the reference's rows.", "metric"),
    "fairness_disparity": (
        "How far the rates of two values of a protected column, which the segment names, are "
        "apart: demographic_parity_difference, demographic_parity_ratio, "
        "equal_opportunity_difference ...",
        "metric",
    ),
    "fairness_disparity_low": ("Lower end of its 95 % interval, over all pairs.", "metric"),
    "fairness_disparity_high": ("Upper end of its 95 % interval, over all pairs.", "metric"),
    "fairness_disparity_reference": ("The same of these two values in the reference.", "metric"),
}


def build_info(environment: str) -> Metric:
    """What runs, and in which environment of the config: Prometheus may ask several."""
    build = gauge("build_info", "What runs.", ["version", "python", "environment"])
    build.add_metric([stream.__version__, platform.python_version(), environment], 1)
    return build


def refusals(monitors: list[PartitionMonitor], gaps: int) -> list[Metric]:
    """Summaries that were refused, gaps in the logs, versions; `gaps` are those of events."""
    refused = counter("summaries_refused", "Summaries that were not taken in.", ["reason"])
    loss = counter("declared_loss", "Gaps in a log: cut by its retention, or lost.")
    by_reason: dict[str, int] = {}
    for monitor in monitors:
        for reason, count in list(monitor.refused.items()):
            by_reason[reason] = by_reason.get(reason, 0) + count
    for reason, count in sorted(by_reason.items()):
        refused.add_metric([reason], count)
    loss.add_metric([], gaps + sum(monitor.sources.declared_loss for monitor in monitors))
    versions = counter("versions_retired", "Versions forgotten, and why.", ["model", "reason"])
    gone: dict[tuple[str, str], int] = {}
    for monitor in monitors:
        for key, count in list(monitor.retired.items()):
            gone[key] = gone.get(key, 0) + count
    for key, count in sorted(gone.items()):
        versions.add_metric(list(key), count)
    return [refused, loss, versions]


def clocks(of: Mapping[tuple[str, int], PartitionClock]) -> list[Metric]:
    """What the times of the source partitions' records and events are like."""
    labels = ["topic", "partition"]
    newest = gauge("newest_event_timestamp_seconds", "Largest event time, right or wrong.", labels)
    spread = gauge("clock_spread_seconds", "Lead over what producers agree on.", labels)
    kinds = gauge("record_time", "1: who gave the records' times.", ["topic", "type"])
    for (topic, partition), clock in sorted(of.items()):
        newest.add_metric([topic, str(partition)], clock.newest_ms / 1000)
        if clock.type == BY_PRODUCER:
            spread.add_metric([topic, str(partition)], clock.spread_ms / 1000)
    for topic, kind in sorted({(topic, clock.type) for (topic, _), clock in of.items()}):
        kinds.add_metric([topic, kind], 1)
    return [newest, spread, kinds]


def of_subjects(
    subjects: list[SubjectMonitor], telling: Mapping[tuple[str, str, str], tuple[str, str]]
) -> list[Metric]:
    """Budget, episodes and frontier of each model; `telling` is what alerts say of what fires."""
    budget = gauge("budget_false_alarms_per_week", "False alarms a week allowed.", _SUBJECT)
    spent = gauge("budget_spent_ratio", "Episodes opened this week per one allowed.", _SUBJECT)
    alarm = gauge(
        "alarm_time_ratio",
        f"Share of panes tested in the last {SPAN_DAYS} days of event time, under the present "
        "reference, after which an episode of drift or data quality was open.",
        _SUBJECT,
    )
    active = gauge("alert_active", "1 while an episode fires.", [*_SUBJECT, "kind", "severity"])
    info = gauge(
        "alert_info",
        "1 for each episode that fires, with the words of its newest alert.",
        [*_SUBJECT, "kind", "severity", "episode", "summary"],
    )
    frontier = gauge("frontier_timestamp_seconds", "Event time that is judged.", _SUBJECT)
    scopes = gauge("scopes", "Segments with a window of their own, at most 2,000.", _SUBJECT)
    learning = gauge("learning_events", "Collected before anything is tested.", _SUBJECT)
    learned = gauge("learned_timestamp_seconds", "Event time tested from, if learned.", _SUBJECT)
    judged = counter(
        "events_judged",
        "Events in sealed panes, and late ones: each once, however often it was read. Held in the "
        "state, so it goes with the model from worker to worker.",
        [*_SUBJECT, "outcome"],
    )
    limit = gauge("limit", "What a metric may be at least, or at most.", [*_SUBJECT, "limit"])
    evidence = gauge(
        "limit_evidence",
        "Evidence that a limit is passed, as the part of what an alarm takes, on the scale of "
        "logarithms: from 0 to 1, where it begins anew.",
        [*_SUBJECT, "limit"],
    )
    for monitor in subjects:
        model, version = monitor.subject
        judged.add_metric([model, version, "counted"], monitor.lifetime.events)
        judged.add_metric([model, version, "late"], monitor.late_total)
        for kind, severity in monitor.episodes.active.items():
            active.add_metric([model, version, kind, severity], 1)
            episode, summary = telling.get((model, version, kind), ("", _UNKNOWN))
            info.add_metric([model, version, kind, severity, episode[:8], summary], 1)
        if monitor.frontier_ms > 0:
            frontier.add_metric([model, version], monitor.frontier_ms / 1000)
        if (ratio := monitor.alarms.ratio) is not None:
            alarm.add_metric([model, version], ratio)
        phase = monitor.phase
        if phase is not None and phase.warmup is not None:
            learning.add_metric([model, version], phase.warmup.events)
        if phase is not None and phase.tested_since_ms:
            learned.add_metric([model, version], phase.tested_since_ms / 1000)
        detection = monitor.detection
        if detection is None:
            continue
        scopes.add_metric([model, version], sum(map(bool, detection.windows.filling)))
        allowed = detection.plan.false_alarms_per_week
        budget.add_metric([model, version], allowed)
        spent.add_metric([model, version], monitor.opened_this_week / allowed)
        if detection.limits is not None:
            for name, at, part in detection.limits.levels():
                limit.add_metric([model, version, name], at)
                evidence.add_metric([model, version, name], part)
    return [
        budget, spent, alarm, active, info, frontier, scopes, learning, learned, judged, limit,
        evidence,
    ]  # fmt: skip


def of_signals(gauges: Iterable[Gauge]) -> list[Metric]:
    """A family for each kind of gauge of signals and windows."""
    families = {
        name: gauge(name, words, _labels(name, extra))
        for name, (words, extra) in _SIGNAL_FAMILIES.items()
    }
    for each in gauges:
        labels = [each.model, each.version, each.segment]
        labels += [each.signal] if each.family not in _OF_WINDOWS else []
        labels += [each.extra] if each.extra else []
        families[each.family].add_metric(labels, each.value)
    return list(families.values())


def _labels(family: str, extra: str) -> list[str]:
    labels = [*_SUBJECT, "segment", *([] if family in _OF_WINDOWS else ["signal"])]
    return [*labels, extra] if extra else labels


class _Gauge(GaugeMetricFamily):
    """Labels hold names: on the page they are printable, as everywhere."""

    def add_metric(self, labels: Sequence[str], *values: Any, **more: Any) -> None:
        super().add_metric(tuple(map(printable, labels)), *values, **more)


class _Counter(CounterMetricFamily):
    """As `_Gauge`."""

    def add_metric(self, labels: Sequence[str], *values: Any, **more: Any) -> None:
        super().add_metric(tuple(map(printable, labels)), *values, **more)


def gauge(name: str, words: str, labels: list[str]) -> GaugeMetricFamily:
    """An empty gauge."""
    return _Gauge(f"driftstream_{name}", words, labels=labels)


def counter(name: str, words: str, labels: list[str] | None = None) -> CounterMetricFamily:
    """An empty counter."""
    return _Counter(f"driftstream_{name}", words, labels=labels or [])
