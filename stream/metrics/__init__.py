"""Metrics for Prometheus, and the address that serves them."""

from stream.metrics.collector import MetricsCollector
from stream.metrics.ingest import IngestCollector
from stream.metrics.notify import NotifyCollector
from stream.metrics.server import serve
from stream.metrics.state import HealthView, WorkerState

__all__ = [
    "HealthView",
    "IngestCollector",
    "MetricsCollector",
    "NotifyCollector",
    "WorkerState",
    "serve",
]
