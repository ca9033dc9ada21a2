"""The metrics address of a process."""

from __future__ import annotations

from http import HTTPStatus

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from stream.http_server import PLAIN, Page, PageServer
from stream.metrics.state import HealthView

__all__ = ["serve"]


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
