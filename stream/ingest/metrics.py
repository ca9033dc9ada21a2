"""Metrics of `driftstream ingest`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from stream.metrics.families import build_info, counter, gauge

__all__ = ["IngestCollector", "IngestStatusProtocol"]


class IngestStatusProtocol(Protocol):
    """What is read of the service."""

    def counts(self) -> tuple[Mapping[str, int], Mapping[str, int], int, int]:
        """Answers by status, refused events by reason, events sent, events queued."""

    def ready(self) -> tuple[bool, str]:
        """Whether events are taken now."""


class IngestCollector(Collector):
    """Makes the families of the endpoint's metrics page."""

    def __init__(self, state: IngestStatusProtocol, *, environment: str = "") -> None:
        self._state = state
        self._environment = environment

    def describe(self) -> Iterable[Metric]:
        """No families before the first scrape."""
        return []

    def collect(self) -> Iterable[Metric]:
        """All families as of now."""
        answers, reasons, sent, queued = self._state.counts()
        requests = counter("ingest_requests", "Requests with events, by their answer.", ["status"])
        for status, count in sorted(answers.items()):
            requests.add_metric([status], count)
        refused = counter("ingest_refused", "Events that a worker would refuse.", ["reason"])
        for reason, count in sorted(reasons.items()):
            refused.add_metric([reason], count)
        events = counter("ingest_events", "Events that the broker has confirmed.", [])
        events.add_metric([], sent)
        waiting = gauge("ingest_queued_events", "Events that wait for the broker.", [])
        waiting.add_metric([], queued)
        ready = gauge("ingest_ready", "1 while events are taken.", [])
        ready.add_metric([], int(self._state.ready()[0]))
        return [build_info(self._environment), requests, refused, events, waiting, ready]
