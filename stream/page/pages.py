"""The page's addresses: its files, and the state it asks for every few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Final

import msgspec

from stream.http.server import PLAIN, Page, Render, Request
from stream.page.assets import asset
from stream.page.page_model import PageSource, page_model_of
from stream.page.runbooks import runbook_html, runbook_paths
from stream.page.signal import signal_state
from stream.text.printable import printable_json

__all__ = ["live_pages"]

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
}
_FILES: Final = (
    "style.css",
    "page.css",
    "page.js",
    "parts.js",
    "signal.js",
    "versions.js",
    "outcomes.js",
    "draw.js",
    "histograms.js",
)
_SIGNAL: Final = ("model", "version", "signal")
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    ("Content-Security-Policy", _POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
)
#: However many look, the state is read at most once a second for each model.
_FRESH_S: Final = 1.0
_MAX_KEPT: Final = 16
_LONGEST_NAME: Final = 500
_ATTEMPTS: Final = 5


def live_pages(status: PageSource, clock: Callable[[], float] = time.time) -> Mapping[str, Render]:
    """Path -> page, for a worker's metrics address."""
    return {
        "/": lambda _: _file("index.html"),
        "/signal": lambda _: _file("signal.html"),
        **{f"/static/{name}": partial(_static, name) for name in _FILES},
        "/api/v1/state": _StatePage(("model", "version"), partial(page_model_of, status), clock),
        "/api/v1/signal": _StatePage(_SIGNAL, partial(signal_state, status), clock),
        "/runbooks": lambda _: _moved("runbooks/"),
        **{path: partial(_runbook, name) for path, name in runbook_paths().items()},
    }


def _file(name: str) -> Page:
    return Page(HTTPStatus.OK, _TYPES[name.rpartition(".")[2]], asset(name), _HEADERS)


def _static(name: str, _: Request) -> Page:
    return _file(name)


def _runbook(name: str, _: Request) -> Page:
    return Page(HTTPStatus.OK, _TYPES["html"], runbook_html(name), _HEADERS)


def _moved(where: str) -> Page:
    """Lead to another path, as links within it are relative."""
    headers = (("Location", where), *_HEADERS)
    return Page(HTTPStatus.PERMANENT_REDIRECT, PLAIN, f"see {where}\n".encode(), headers)


class _StatePage:
    """The state as JSON, one reading at a time: a crowd of readers costs what one does.

    `read` is called with the values of the query's `names`, and the time in milliseconds.
    """

    def __init__(
        self, names: tuple[str, ...], read: Callable[..., object], clock: Callable[[], float]
    ) -> None:
        self._names = names
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, ...], tuple[float, bytes]] = {}

    def __call__(self, request: Request) -> Page:
        """Answer `?model=fraud&version=3`."""
        key = tuple(request.query.get(name, "") for name in self._names)
        if max(map(len, key)) > _LONGEST_NAME:
            words = f"{', '.join(self._names)} must be shorter.\n".encode()
            return Page(HTTPStatus.BAD_REQUEST, PLAIN, words, _HEADERS)
        with self._lock:
            now = self._clock()
            made, body = self._kept.get(key, (0.0, b""))
            if not 0 <= now - made < _FRESH_S:
                body = self._encoded(key, round(now * 1000))
                self._kept.pop(key, None)
                self._kept[key] = (now, body)
                if len(self._kept) > _MAX_KEPT:
                    del self._kept[next(iter(self._kept))]
        return Page(HTTPStatus.OK, "application/json", body, _HEADERS)

    def _encoded(self, key: tuple[str, ...], now_ms: int) -> bytes:
        attempts = _ATTEMPTS
        while True:
            try:
                state = msgspec.json.encode(self._read(*key, now_ms))
                return printable_json(state).encode()
            except RuntimeError:  # a dict grew while it was read: the worker goes on beside us
                attempts -= 1
                if not attempts:
                    raise
