"""A real HTTP server that takes notifications, and alert events to notify of."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from stream.alerts.event import (
    NOT_ENDED,
    AlertEvent,
    AlertLabels,
    decode_alert,
    episode_id,
    event_id,
    fingerprint,
    format_time,
    parse_time,
)

EXAMPLE = decode_alert(
    re.search(  # type: ignore[union-attr]
        r"```json\n(.*?)```", (Path(__file__).parents[2] / "docs" / "alerts.md").read_text(), re.S
    )[1].encode()
)


def alert(
    model: str = "fraud", opened: int = 0, revision: int = 1, *, status: str = "firing",
    severity: str = "warning",
) -> AlertEvent:  # fmt: skip
    """Revision of the episode of a model's data drift that opened so many hours after the first."""
    start_ms = parse_time(EXAMPLE.data.starts_at) + opened * 3_600_000
    identity = fingerprint(model, "3", "data_drift")
    episode = episode_id(identity, start_ms)
    data = msgspec.structs.replace(
        EXAMPLE.data,
        status=status, severity=severity, revision=revision, fingerprint=identity, episode=episode,
        labels=AlertLabels("DataDrift", model, "3", "data_drift"),
        starts_at=format_time(start_ms),
        ends_at=NOT_ENDED if status == "firing" else format_time(start_ms + revision * 60_000),
    )  # fmt: skip
    return msgspec.structs.replace(EXAMPLE, id=event_id(episode, revision), data=data)


@dataclass
class Hook:
    """What came, and what is answered: statuses in turn, then 200."""

    url: str
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    @property
    def taken(self) -> list[str]:
        """Ids of the CloudEvents that were answered with 200, in order."""
        return [msgspec.json.decode(body)["id"] for path, _, body in self.requests if path == "/ok"]


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], port: int = 0) -> Iterator[str]:
    """A real HTTP server on loopback; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def hook(port: int = 0) -> Iterator[Hook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers = here.answers.pop(0) if here.answers else (200, {})
            path = "/ok" if status == 200 else "/refused"
            here.requests.append((path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    here = Hook("")
    with serving(Handler, port) as url:
        here.url = f"{url}/hook"
        yield here
