"""One HTTP request, and what its answer means for trying again."""

from __future__ import annotations

import http.client
import logging
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError, ProxySchemeUnknown

from stream.notify.answer import Answer
from stream.notify.cancellable_request import CancellableRequest
from stream.text.printable import printable

__all__ = ["Client"]

#: The request itself is wrong: the same again would be refused again.
_REFUSED: Final = frozenset({400, 413, 415, 422})
_MAX_BYTES: Final = 4_000_000
_MAX_WORDS: Final = 500


class Client:
    """Requests to one receiver, one at a time, each over within `timeout_s` as a whole.

    Proxies are those of the environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY). `ca_file` names the
    only authorities to be trusted; "" for those of the system.
    """

    def __init__(self, timeout_s: float, ca_file: str = "") -> None:
        # Its words hold addresses, which may be secrets; ours say what failed, without.
        logging.getLogger("urllib3").setLevel(logging.CRITICAL)
        self._timeout_s, self._ca_file = timeout_s, ca_file
        self._lock = threading.Lock()
        self._current: CancellableRequest | None = None
        self._cancelled = False

    @property
    def waiting_s(self) -> float:
        """For how long the receiver has been waited for by now; 0 if it is not."""
        current = self._current
        return time.monotonic() - current.begun if current is not None else 0.0

    def cancel(self) -> None:
        """End the request that is under way; later ones fail at once."""
        with self._lock:
            self._cancelled = True
            if self._current is not None:
                self._current.end()

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send `body` to `url`. Failures are answers too; nothing is raised for them."""
        return self._ask("POST", url, body, headers, _Reading(urlsplit(url).hostname or "", 0))[0]

    def request(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[Answer, bytes]:
        """As `post`, with the body of the answer, up to a few megabytes."""
        reading = _Reading(urlsplit(url).hostname or "", _MAX_BYTES)
        return self._ask(method, url, body, headers, reading)

    def _ask(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], reading: _Reading
    ) -> tuple[Answer, bytes]:
        # Only the host is named in words: the path may be a secret, as Slack's is.
        request = CancellableRequest(reading.take)
        with self._lock:
            if self._cancelled:
                return Answer(False, False, f"{reading.host}: not asked any more"), b""
            self._current = request
        try:
            over = request.run(
                method,
                url,
                body,
                {"User-Agent": "driftstream", **headers},
                self._timeout_s,
                self._ca_file,
            )
        finally:
            self._current = None
        if reading.answer is not None:
            return reading.answer, reading.content
        if not over:
            words = "hung up on" if self._cancelled else f"no whole answer in {self._timeout_s:g} s"
            return Answer(False, False, f"{reading.host}: {words}"), b""
        error = request.error
        if not isinstance(error, OSError | HTTPError | http.client.HTTPException):
            raise error or RuntimeError("an exchange without an end")
        return Answer(False, False, f"{reading.host}: {_reason(error)}"), b""


class _Reading:
    """What an answer says, as far as it has come: its status alone decides already."""

    def __init__(self, host: str, max_bytes: int) -> None:
        self.host = host
        self._max_bytes = max_bytes
        self.answer: Answer | None = None
        self.content = b""

    def take(self, response: BaseHTTPResponse) -> None:
        """Judge a response, in the exchange's thread."""
        status = response.status
        words = f"{self.host} answered {status} {_one_line(response.reason or '')}".rstrip()
        if 200 <= status < 300:
            if self._max_bytes:
                content = response.read(self._max_bytes + 1)
                if len(content) > self._max_bytes:
                    words = f"{words} and more than {self._max_bytes:,} bytes"
                    self.answer = Answer(False, False, words)
                    return
                self.content = content
            self.answer = Answer(True, False, "delivered")
            return
        if 300 <= status < 400:
            where = urlsplit(response.headers.get("Location", "")).hostname or "elsewhere"
            words = f"{words}: it redirects to {_one_line(where)}, which is not followed"
        wait_s = _retry_after(
            response.headers.get("Retry-After", ""), response.headers.get("Date", "")
        )
        final = status in _REFUSED
        self.answer = Answer(False, final, words, wait_s)
        text = response.read(_MAX_WORDS).decode(errors="replace")
        if text.strip():
            self.answer = Answer(False, final, f"{words}: {_one_line(text)}", wait_s)


def _one_line(text: str) -> str:
    """Somebody else's words on one line of a log."""
    return printable(" ".join(text.split()))[:_MAX_WORDS]


def _retry_after(value: str, date: str) -> float:
    """Seconds until then, by the receiver's own clock where it tells it; 0 for what is neither."""
    if value.strip().isdecimal():
        return float(value[:20])
    try:
        then = parsedate_to_datetime(value)
        now_s = parsedate_to_datetime(date).timestamp() if date else time.time()
        return max(0.0, then.timestamp() - now_s)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what caused it, the first cause last."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = getattr(error, "original_error", None) or getattr(error, "reason", None)
        error = inner if isinstance(inner, BaseException) else error.__cause__ or error.__context__


def _reason(error: BaseException) -> str:
    """Why a request failed, without its address, which urllib3's own words hold."""
    causes = list(_chain(error))
    for cause in reversed(causes):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not accepted: {_one_line(cause.verify_message)}"
        if isinstance(cause, ProxySchemeUnknown):
            return "the proxy of the environment is neither http:// nor https://"
        if isinstance(cause, TimeoutError):
            return "timed out"
        if isinstance(cause, OSError):
            return _one_line(cause.strerror or str(cause)) or type(cause).__name__
    if any(isinstance(cause, http.client.HTTPException) for cause in causes):
        return f"what it answers is no HTTP ({type(causes[-1]).__name__})"
    return type(causes[-1]).__name__
