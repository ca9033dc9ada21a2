"""Metrics of `driftstream notify`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from stream.metrics.families import build_info, counter, gauge
from stream.notify.delivery_stats import TargetStats

__all__ = ["NotifyCollector", "NotifyStatusProtocol"]


class NotifyStatusProtocol(Protocol):
    """The protocol by which the metrics page reads the notifier."""

    @property
    def open_episodes(self) -> int:
        """How many episodes fire."""

    def targets(self) -> Sequence[TargetStats]:
        """All targets."""


class NotifyCollector(Collector):
    """Makes the families of the notifier's metrics page."""

    def __init__(self, status: NotifyStatusProtocol, *, environment: str = "") -> None:
        self._status = status
        self._environment = environment

    def describe(self) -> Iterable[Metric]:
        """No families before the first scrape."""
        return []

    def collect(self) -> Iterable[Metric]:
        """All families as of now."""
        firing = gauge("notify_open_episodes", "Episodes that fire, by the alerts topic.", [])
        firing.add_metric([], self._status.open_episodes)
        label = ["target"]
        delivered = counter("notify_delivered", "Requests that a target took.", label)
        failed = counter("notify_failed", "Requests not taken; tried again.", label)
        given_up = counter("notify_given_up", "Events that will never be delivered.", label)
        lag = gauge("notify_lag_records", "Alert events that a target has not had.", label)
        last = gauge("notify_last_delivery_timestamp_seconds", "When it last took one.", label)
        for name, stats, behind, *_ in self._status.targets():
            delivered.add_metric([name], stats.delivered)
            failed.add_metric([name], stats.failed)
            given_up.add_metric([name], stats.given_up)
            lag.add_metric([name], behind)
            if stats.last_s:
                last.add_metric([name], stats.last_s)
        return [build_info(self._environment), firing, delivered, failed, given_up, lag, last]
