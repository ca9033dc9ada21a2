"""Metrics for Prometheus, and the address that serves them."""

from stream.metrics.collector import MetricsCollector
from stream.metrics.server import serve
from stream.metrics.status_protocol import HealthStatus, WorkerStatusProtocol

__all__ = [
    "HealthStatus",
    "MetricsCollector",
    "WorkerStatusProtocol",
    "serve",
]
