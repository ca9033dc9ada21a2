"""The metrics page: read from a worker's live objects when Prometheus asks.

Values are true at the scrape and nothing is counted twice: counters live where the work is done,
gauges are computed from the monitors' arrays. A subject that this worker gives up takes its series
with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client.core import HistogramMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from stream.metrics.families import (
    build_info,
    clocks,
    counter,
    gauge,
    of_signals,
    of_subjects,
    refusals,
)
from stream.metrics.gauges import bounded, signal_gauges
from stream.metrics.joins import of_joins
from stream.metrics.status_protocol import WorkerStatusProtocol
from stream.stage1.truth_delays import TruthDelays
from stream.stage2.subject import SubjectMonitor

__all__ = ["MetricsCollector"]

_ATTEMPTS: Final = 5
_AGAIN: Final = "; again what is read again."


class MetricsCollector(Collector):
    """Makes the families of the metrics page from a worker's state.

    Parameters
    ----------
    state : WorkerStatusProtocol
    max_series : int
        Most series of signals; the rest are folded into `signal="__other__"`.
    environment : str
        Of the config: workers of several may be asked by one Prometheus.
    clock : callable
        Seconds since the epoch.
    """

    def __init__(
        self,
        state: WorkerStatusProtocol,
        *,
        max_series: int = 10_000,
        environment: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._state = state
        self._max_series = max_series
        self._environment = environment
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
        monitors, joins = list(self._state.monitors()), list(self._state.joins())
        subjects = [each for monitor in monitors for each in list(monitor.subjects.values())]
        return [
            *self._worker(),
            *self._stage1(),
            *self._partitions(),
            *refusals(monitors, self._state.gaps + sum(join.lost for join in joins)),
            *of_joins(joins, self._state.stage1_stats()),
            *of_subjects(subjects, self._state.telling()),
            *self._signals(subjects),
        ]

    def _worker(self) -> list[Metric]:
        state = self._state
        batches = SummaryMetricFamily(
            "driftstream_batch_duration_seconds",
            "Time spent on a batch of records.",
            count_value=state.batches,
            sum_value=state.batch_seconds,
        )
        labels = ["model", "kind", "severity", "status"]
        alerts = counter("alerts", "Alert events published by this worker.", labels)
        for key, count in list(state.alerts.items()):
            episode, seconds = state.last_episodes.get(key, ("", 0.0))
            last = Exemplar({"episode": episode}, 1.0, seconds) if episode else None
            alerts.add_metric(list(key), count, exemplar=last)
        buckets, total = state.delays.read()
        delays = HistogramMetricFamily(
            "driftstream_detection_delay_seconds",
            "From an alert's event time to its publication.",
            buckets=buckets,
            sum_value=total,
        )
        return [build_info(self._environment), batches, alerts, delays]

    def _stage1(self) -> list[Metric]:
        events = counter("events", f"Events read{_AGAIN}", ["model", "outcome"])
        late = counter(
            "late_events",
            f"Events after their pane was complete{_AGAIN}",
            ["model"],
        )
        ahead = counter("events_ahead", "Events from a clock that leads.", ["model"])
        lead = gauge("event_lead_seconds", "Most that an event leads by, lately.", ["model"])
        rejected = counter(
            "rejected",
            f"Records refused, to the dead-letter topic{_AGAIN}",
            ["reason"],
        )
        invalid = counter("invalid_values", "Values of a wrong type.")
        unknown = counter("unknown_fields", "Fields nobody reads, in one event of a thousand.")
        actuals = counter(
            "actuals",
            "Events with an actual alone: joined where a model has outcome.labels, else left out.",
        )
        folded = counter("segments_folded", "Values of segments beyond a limit, counted together.")
        versions = counter(
            "versions_folded", "Events of versions beyond a limit, counted together.", ["model"]
        )
        delays = HistogramMetricFamily(
            "driftstream_actual_delay_seconds",
            f"From a prediction to its actual, of events that repeat the prediction{_AGAIN}",
            labels=["model"],
        )
        delays_of: dict[str, TruthDelays] = {}
        by_model: dict[str, int] = {}
        folded_by_model: dict[str, int] = {}
        late_by_model: dict[str, int] = {}
        by_reason: dict[str, int] = {}
        ahead_by_model: dict[str, int] = {}
        leads: dict[str, int] = {}
        sums = [0, 0, 0, 0]
        for stats in self._state.stage1_stats():
            for total, part in (
                (by_model, stats.events),
                (late_by_model, stats.late),
                (by_reason, stats.rejected),
                (folded_by_model, stats.versions_folded),
                (ahead_by_model, stats.ahead),
            ):
                for key, count in list(part.items()):
                    total[key] = total.get(key, 0) + count
            for model, of_model in list(stats.truth_delays.items()):
                delays_of.setdefault(model, TruthDelays()).add_all(of_model)
            for model, lead_ms in list(stats.lead_ms.items()):
                leads[model] = max(leads.get(model, 0), lead_ms)
            others = (stats.values_invalid, stats.unknown_fields, stats.actuals)
            for i, count in enumerate((*others, stats.segments_folded)):
                sums[i] += count
        for model, count in sorted(by_model.items()):
            late_ones = late_by_model.get(model, 0)
            events.add_metric([model, "counted"], count - late_ones)
            events.add_metric([model, "late"], late_ones)
            late.add_metric([model], late_ones)
        for model, count in sorted(ahead_by_model.items()):
            ahead.add_metric([model], count)
        for model, lead_ms in sorted(leads.items()):
            lead.add_metric([model], lead_ms / 1000)
        for reason, count in sorted(by_reason.items()):
            rejected.add_metric([reason], count)
        for model, count in sorted(folded_by_model.items()):
            versions.add_metric([model], count)
        for model, of_model in sorted(delays_of.items()):
            delays.add_metric([model], buckets=of_model.buckets, sum_value=of_model.seconds)
        plain = (invalid, unknown, actuals, folded)
        for family, count in zip(plain, sums, strict=True):
            family.add_metric([], count)
        return [events, late, ahead, lead, rejected, *plain, versions, delays]

    def _partitions(self) -> list[Metric]:
        state = self._state
        labels = ["topic", "partition"]
        lag = gauge("consumer_lag_records", "Records in the log and not handled yet.", labels)
        for (topic, partition), records in sorted(state.lag().items()):
            lag.add_metric([topic, str(partition)], records)
        watermark = gauge("watermark_timestamp_seconds", "Event time that is reached.", labels)
        newest: dict[str, float] = {}
        for (topic, partition), time_ms in sorted(state.watermarks_ms().items()):
            watermark.add_metric([topic, str(partition)], time_ms / 1000)
            newest[topic] = max(newest.get(topic, 0.0), time_ms / 1000)
        age = gauge("event_age_seconds", "Age of what a topic's events have reached.", ["topic"])
        for topic, seconds in sorted(newest.items()):
            age.add_metric([topic], self._clock() - seconds)
        snapshot = gauge("snapshot_timestamp_seconds", "When state was last written.", labels)
        for (topic, partition), seconds in sorted(state.snapshots_s().items()):
            snapshot.add_metric([topic, str(partition)], seconds)
        stopped = gauge(
            "partition_stopped_offset",
            "Where a partition that is not read any more stopped.",
            [*labels, "reason"],
        )
        for (topic, partition), (reason, offset) in sorted(state.stopped().items()):
            stopped.add_metric([topic, str(partition), reason], offset)
        absent = gauge(
            "topic_absent", "1: a plan reads a topic that is not there.", ["topic", "model"]
        )
        for topic, models in sorted(state.absent.items()):
            for model in models:
                absent.add_metric([topic, model], 1)
        return [lag, watermark, age, *clocks(state.clocks()), snapshot, stopped, absent]

    def _signals(self, subjects: list[SubjectMonitor]) -> list[Metric]:
        gauges, dropped = bounded(signal_gauges(subjects), self._max_series)
        self._dropped = max(self._dropped, dropped)
        lost = counter("series_dropped", "Most series folded into __other__ at one scrape.")
        lost.add_metric([], self._dropped)
        return [*of_signals(gauges), lost]
