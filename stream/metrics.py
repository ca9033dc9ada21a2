"""The metrics page: read from a worker's live objects when Prometheus asks, and served.

Values are true at the scrape and nothing is counted twice: counters live where the work is done,
gauges are computed from the monitors' arrays. A subject that this worker gives up takes its series
with it.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

import stream
from stream.delays import Delays
from stream.gauges import bounded, signal_gauges
from stream.http_server import PLAIN, Page, PageServer
from stream.monitor import PartitionMonitor
from stream.subject import SubjectMonitor
from stream.summarise import Stage1Stats

__all__ = ["HealthView", "MetricsCollector", "WorkerState", "serve"]

_ATTEMPTS: Final = 5
_SUBJECT: Final = ["model", "model_version"]
_OF_WINDOWS: Final = frozenset({"window_events"})  # families without a signal
#: family -> (help, label of `Gauge.extra`)
_SIGNAL_FAMILIES: Final = {
    "drift_score": ("Value of a test in the last full window.", "test"),
    "drift_threshold": ("Value from which the test is a finding.", "test"),
    "signal_missing_ratio": ("Share of events without this signal in the last full window.", ""),
    "signal_mean": ("Mean in the last full window, estimated from its bins.", ""),
    "window_events": ("Events in a window.", "window"),
    "signal_quantile": ("Quantile in the last full window, estimated from its bins.", "q"),
}


class HealthView(Protocol):
    """Answers of /healthz and /readyz: (good, words)."""

    def healthy(self) -> tuple[bool, str]:
        """Whether the process does its work."""

    def ready(self) -> tuple[bool, str]:
        """Whether it has its partitions and its state, and is not far behind."""


class WorkerState(Protocol):
    """What the page shows of a worker. Read from another thread than the one that changes it."""

    @property
    def alerts(self) -> Mapping[tuple[str, str, str, str], int]:
        """(model, kind, severity, status) -> alert events."""

    @property
    def batches(self) -> int:
        """Batches of records that were handled."""

    @property
    def batch_seconds(self) -> float:
        """Seconds spent on them."""

    @property
    def delays(self) -> Delays:
        """From the decision of each alert event to its publication."""

    def lag(self) -> Mapping[tuple[str, int], int]:
        """(topic, partition) -> records not yet handled."""

    def watermarks_ms(self) -> Mapping[tuple[str, int], int]:
        """(topic, partition) -> largest event time seen."""

    def snapshots_s(self) -> Mapping[tuple[str, int], float]:
        """(topic, partition) -> when the last complete snapshot was written."""

    def stage1_stats(self) -> Iterable[Stage1Stats]:
        """Counters of the source partitions."""

    def monitors(self) -> Iterable[PartitionMonitor]:
        """The monitors this worker runs now."""


class MetricsCollector(Collector):
    """Makes the families of the metrics page from a worker's state.

    Parameters
    ----------
    state : WorkerState
    max_series : int
        Most series of signals; the rest are folded into `signal="__other__"`.
    clock : callable
        Seconds since the epoch.
    """

    def __init__(
        self,
        state: WorkerState,
        *,
        max_series: int = 10_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._state = state
        self._max_series = max_series
        self._clock = clock
        self._dropped = 0

    def describe(self) -> Iterable[Metric]:
        """No families before the first scrape: the state may not be there yet."""
        return []

    def collect(self) -> Iterable[Metric]:
        """All families as of now."""
        for attempt in range(_ATTEMPTS):
            try:
                return self._collect()
            except RuntimeError:  # a dict grew while it was read: the worker goes on beside us
                if attempt == _ATTEMPTS - 1:
                    raise
        return []

    def _collect(self) -> list[Metric]:
        monitors = list(self._state.monitors())
        subjects = [held for monitor in monitors for held in list(monitor.subjects.values())]
        return [
            *self._worker(),
            *self._stage1(),
            *self._partitions(),
            *_refusals(monitors),
            *_subjects(subjects),
            *self._signals(subjects),
        ]

    def _worker(self) -> list[Metric]:
        state = self._state
        build = _gauge("build_info", "Version of driftstream.", ["version", "python"])
        build.add_metric([stream.__version__, platform.python_version()], 1)
        batches = SummaryMetricFamily(
            "driftstream_batch_duration_seconds", "Time spent on a batch of records.",
            count_value=state.batches, sum_value=state.batch_seconds,
        )  # fmt: skip
        labels = ["model", "kind", "severity", "status"]
        alerts = _counter("alerts", "Alert events published by this worker.", labels)
        for key, count in list(state.alerts.items()):
            alerts.add_metric(list(key), count)
        buckets, total = state.delays.read()
        delays = HistogramMetricFamily(
            "driftstream_detection_delay_seconds", "From an alert's event time to its publication.",
            buckets=buckets, sum_value=total,
        )  # fmt: skip
        return [build, batches, alerts, delays]

    def _stage1(self) -> list[Metric]:
        events = _counter("events", "Events read.", ["model", "outcome"])
        late = _counter("late_events", "Events that came after their pane was complete.", ["model"])
        rejected = _counter("rejected", "Records refused, to the dead-letter topic.", ["reason"])
        invalid = _counter("invalid_values", "Values of a wrong type.")
        unknown = _counter("unknown_fields", "Fields nobody reads, in one event of a thousand.")
        actuals = _counter("actuals", "Late actuals that passed by.")
        by_model: dict[str, int] = {}
        late_by_model: dict[str, int] = {}
        by_reason: dict[str, int] = {}
        sums = [0, 0, 0]
        for stats in self._state.stage1_stats():
            for total, part in (
                (by_model, stats.events), (late_by_model, stats.late), (by_reason, stats.rejected),
            ):  # fmt: skip
                for key, count in list(part.items()):
                    total[key] = total.get(key, 0) + count
            for i, count in enumerate((stats.values_invalid, stats.unknown_fields, stats.actuals)):
                sums[i] += count
        for model, count in sorted(by_model.items()):
            late_ones = late_by_model.get(model, 0)
            events.add_metric([model, "counted"], count - late_ones)
            events.add_metric([model, "late"], late_ones)
            late.add_metric([model], late_ones)
        for reason, count in sorted(by_reason.items()):
            rejected.add_metric([reason], count)
        for family, count in zip((invalid, unknown, actuals), sums, strict=True):
            family.add_metric([], count)
        return [events, late, rejected, invalid, unknown, actuals]

    def _partitions(self) -> list[Metric]:
        state = self._state
        labels = ["topic", "partition"]
        lag = _gauge("consumer_lag_records", "Records in the log and not handled yet.", labels)
        for (topic, partition), records in sorted(state.lag().items()):
            lag.add_metric([topic, str(partition)], records)
        watermark = _gauge("watermark_timestamp_seconds", "Largest event time seen.", labels)
        newest: dict[str, float] = {}
        for (topic, partition), time_ms in sorted(state.watermarks_ms().items()):
            watermark.add_metric([topic, str(partition)], time_ms / 1000)
            newest[topic] = max(newest.get(topic, 0.0), time_ms / 1000)
        age = _gauge("event_age_seconds", "Age of the newest event of a topic.", ["topic"])
        for topic, seconds in sorted(newest.items()):
            age.add_metric([topic], self._clock() - seconds)
        snapshot = _gauge("snapshot_timestamp_seconds", "When state was last written.", labels)
        for (topic, partition), seconds in sorted(state.snapshots_s().items()):
            snapshot.add_metric([topic, str(partition)], seconds)
        return [lag, watermark, age, snapshot]

    def _signals(self, subjects: list[SubjectMonitor]) -> list[Metric]:
        families = {
            name: _gauge(name, words, _labels(name, extra))
            for name, (words, extra) in _SIGNAL_FAMILIES.items()
        }
        gauges, dropped = bounded(signal_gauges(subjects), self._max_series)
        for gauge in gauges:
            labels = [gauge.model, gauge.version, gauge.segment]
            labels += [gauge.signal] if gauge.family not in _OF_WINDOWS else []
            labels += [gauge.extra] if gauge.extra else []
            families[gauge.family].add_metric(labels, gauge.value)
        self._dropped = max(self._dropped, dropped)
        lost = _counter("series_dropped", "Most series folded into __other__ at one scrape.")
        lost.add_metric([], self._dropped)
        return [*families.values(), lost]


def _refusals(monitors: list[PartitionMonitor]) -> list[Metric]:
    refused = _counter("summaries_refused", "Summaries that were not taken in.", ["reason"])
    loss = _counter("declared_loss", "Gaps in a source's log, cut by its retention.")
    by_reason: dict[str, int] = {}
    for monitor in monitors:
        for reason, count in list(monitor.refused.items()):
            by_reason[reason] = by_reason.get(reason, 0) + count
    for reason, count in sorted(by_reason.items()):
        refused.add_metric([reason], count)
    loss.add_metric([], sum(monitor.sources.declared_loss for monitor in monitors))
    return [refused, loss]


def _subjects(subjects: list[SubjectMonitor]) -> list[Metric]:
    budget = _gauge("budget_false_alarms_per_week", "False alarms a week allowed.", _SUBJECT)
    spent = _gauge("budget_spent_ratio", "Episodes opened this week per one allowed.", _SUBJECT)
    active = _gauge("alert_active", "1 while an episode fires.", [*_SUBJECT, "kind", "severity"])
    frontier = _gauge("frontier_timestamp_seconds", "Event time that is judged.", _SUBJECT)
    for held in subjects:
        model, version = held.subject
        for kind, severity in held.episodes.active.items():
            active.add_metric([model, version, kind, severity], 1)
        if held.frontier_ms > 0:
            frontier.add_metric([model, version], held.frontier_ms / 1000)
        watch = held.watch
        if watch is None:
            continue
        allowed = watch.plan.false_alarms_per_week
        budget.add_metric([model, version], allowed)
        spent.add_metric([model, version], held.opened_this_week / allowed)
    return [budget, spent, active, frontier]


def _labels(family: str, extra: str) -> list[str]:
    labels = [*_SUBJECT, "segment", *([] if family in _OF_WINDOWS else ["signal"])]
    return [*labels, extra] if extra else labels


def _gauge(name: str, words: str, labels: list[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"driftstream_{name}", words, labels=labels)


def _counter(name: str, words: str, labels: list[str] | None = None) -> CounterMetricFamily:
    return CounterMetricFamily(f"driftstream_{name}", words, labels=labels or [])


def serve(address: str, collector: Collector, health: HealthView) -> PageServer:
    """Serve a collector and the process's own figures at host:port until `close`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    ProcessCollector(registry=registry)

    def metrics(accept: str) -> Page:
        encode, content_type = choose_encoder(accept)
        return Page(HTTPStatus.OK, content_type, encode(registry))

    return PageServer(
        address,
        {
            "/metrics": metrics,
            "/healthz": lambda _: _health_page(health.healthy()),
            "/readyz": lambda _: _health_page(health.ready()),
        },
    )


def _health_page(answer: tuple[bool, str]) -> Page:
    good, words = answer
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return Page(status, PLAIN, f"{words}\n".encode())
