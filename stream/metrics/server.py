"""The metrics address of a process."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from stream.http.server import PLAIN, Page, PageServer, Render, Request
from stream.metrics.status_protocol import HealthStatus

__all__ = ["serve"]

_KNOWN_TYPE: Final = re.compile(
    r"[a-z/-]+; version=(0\.0\.4|1\.0\.0); charset=utf-8(; escaping=[a-z-]+)?"
)


def serve(
    address: str,
    collector: Collector,
    health: HealthStatus,
    more: Mapping[str, Render] | None = None,
    tls: tuple[str, str] | None = None,
    setting: str = "worker.metrics_address",
    **options: Any,
) -> PageServer:
    """Serve a collector and the process's own figures at host:port until `close`.

    `more` are further pages, by their path; `tls` the files of a certificate and its key;
    `setting` is what errors call the address; further options are those of `PageServer`.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    ProcessCollector(registry=registry)

    def metrics(request: Request) -> Page:
        encode, content_type = _encoder(request.accept)
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
        setting=setting,
        **options,
    )


def _encoder(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    """What the client asked for; plain text for a header that is none, which HTTP allows."""
    with contextlib.suppress(ValueError, TypeError):
        encode, content_type = choose_encoder(accept)
        # The library repeats the header's version as it came, also one that it does not write.
        if _KNOWN_TYPE.fullmatch(content_type):
            return encode, content_type
    return choose_encoder("")


def _health_page(answer: tuple[bool, str]) -> Page:
    good, words = answer
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return Page(status, PLAIN, f"{words}\n".encode())
