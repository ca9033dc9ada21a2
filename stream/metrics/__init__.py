"""Metrics for Prometheus, and the address that serves them."""

from stream.metrics.collector import MetricsCollector
from stream.metrics.server import serve
from stream.metrics.state import HealthView, WorkerState

__all__ = [
    "HealthView",
    "MetricsCollector",
    "WorkerState",
    "serve",
]
