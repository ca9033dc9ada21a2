"""One HTTP request, and what its answer means for trying again."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

__all__ = ["Answer", "post", "request"]

#: The request itself is wrong: the same again would be refused again.
_REFUSED: Final = frozenset({400, 413, 415, 422})
_MOST_BYTES: Final = 4_000_000


class Answer(NamedTuple):
    """How a request went.

    `delivered`: taken. `final`: refused, and no use to repeat. Otherwise try again, not before
    `wait_s` if the other side said so.
    """

    delivered: bool
    final: bool
    words: str
    wait_s: float = 0.0


def post(url: str, body: bytes, headers: Mapping[str, str], timeout_s: float) -> Answer:
    """Send `body` to `url`. Failures are answers too; nothing is raised for them."""
    return request("POST", url, body, headers, timeout_s)[0]


def request(
    method: str, url: str, body: bytes, headers: Mapping[str, str], timeout_s: float
) -> tuple[Answer, bytes]:
    """As `post`, with the body of the answer, up to a few megabytes."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host, port = parts.hostname or "", parts.port
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request(method, path, body or None, {"User-Agent": "driftstream", **headers})
        response = connection.getresponse()
        content = response.read(_MOST_BYTES)
        retry_after = response.getheader("Retry-After", "")
    except (OSError, http.client.HTTPException) as error:
        # Only the host is named: the path may be a secret, as Slack's is.
        words = f"{host}: {getattr(error, 'strerror', None) or error!r}"
        return Answer(False, False, words), b""
    finally:
        connection.close()
    if 200 <= response.status < 300:
        return Answer(True, False, "delivered"), content
    text = content[:500].decode(errors="replace")
    words = f"{host} answered {response.status} {response.reason}: {' '.join(text.split())}"
    wait_s = float(retry_after) if retry_after.isdecimal() else 0.0
    return Answer(False, response.status in _REFUSED, words, wait_s), content
