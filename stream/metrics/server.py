"""The metrics address of a process."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from stream.http_server import PLAIN, Page, PageServer, Render, Request
from stream.metrics.state import HealthView

__all__ = ["serve"]


def serve(
    address: str,
    collector: Collector,
    health: HealthView,
    more: Mapping[str, Render] | None = None,
    tls: tuple[str, str] | None = None,
) -> PageServer:
    """Serve a collector and the process's own figures at host:port until `close`.

    `more` are further pages, by their path; `tls` the files of a certificate and its key.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    ProcessCollector(registry=registry)

    def metrics(request: Request) -> Page:
        encode, content_type = choose_encoder(request.accept)
        return Page(HTTPStatus.OK, content_type, encode(registry))

    return PageServer(
        address,
        {
            "/metrics": metrics,
            "/healthz": lambda _: _health_page(health.healthy()),
            "/readyz": lambda _: _health_page(health.ready()),
            **(more or {}),
        },
        tls,
    )


def _health_page(answer: tuple[bool, str]) -> Page:
    good, words = answer
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return Page(status, PLAIN, f"{words}\n".encode())
