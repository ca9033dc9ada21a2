"""A real HTTP server that takes notifications, and alert events to notify of."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from stream.alerts.sentences import alert_name
from stream.contracts.alert_event import (
    NOT_ENDED,
    AlertEvent,
    AlertLabels,
    Kind,
    RelatedEpisode,
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
    model: str = "fraud",
    opened: int = 0,
    revision: int = 1,
    *,
    status: str = "firing",
    severity: str = "warning",
    kind: Kind = "data_drift",
    beside: Iterable[AlertEvent] = (),
) -> AlertEvent:
    """Revision of a model's episode that opened so many hours after the first.

    `beside` are others that are open.
    """
    start_ms = parse_time(EXAMPLE.data.starts_at) + opened * 3_600_000
    identity = fingerprint(model, "3", kind)
    episode = episode_id(identity, start_ms)
    data = msgspec.structs.replace(
        EXAMPLE.data,
        status=status,
        severity=severity,
        revision=revision,
        fingerprint=identity,
        episode=episode,
        labels=AlertLabels(alert_name(kind), model, "3", kind),
        related=[RelatedEpisode(o.data.episode, o.data.labels.kind) for o in beside],
        starts_at=format_time(start_ms),
        ends_at=NOT_ENDED if status == "firing" else format_time(start_ms + revision * 60_000),
    )
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
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))  # soon over
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

        def log_message(self, *args: Any, **kwargs: Any) -> None:
            pass

    here = Hook("")
    with serving(Handler, port) as url:
        here.url = f"{url}/hook"
        yield here


@dataclass
class Slack:
    """A workspace with one channel, as chat.postMessage shows it to a bot with a token."""

    url: str
    posted: list[dict[str, Any]] = field(default_factory=list)  # with the `ts` that each was given
    tokens: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)  # answered in turn, before it takes messages
    answers: list[tuple[int, bytes]] = field(default_factory=list)  # whole answers, before those
    closed: set[str] = field(default_factory=set)  # threads that take no replies any more

    def threads(self) -> list[list[dict[str, Any]]]:
        """The messages by thread; the first of each stands in the channel."""
        found: dict[str, list[dict[str, Any]]] = {}
        for message in self.posted:
            found.setdefault(message.get("thread_ts", message["ts"]), []).append(message)
        return list(found.values())


@contextmanager
def slack() -> Iterator[Slack]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/api/chat.postMessage"
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            here.tokens.add(self.headers["Authorization"])
            status, answer = here.answers.pop(0) if here.answers else (200, b"")
            if not answer:
                answer = json.dumps(self.say(body)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def say(self, body: dict[str, Any]) -> dict[str, Any]:
            if here.errors:
                return {"ok": False, "error": here.errors.pop(0)}
            if body["channel"] != "#models":
                return {"ok": False, "error": "channel_not_found"}
            thread = body.get("thread_ts")
            if thread is not None and not any(
                thread == m["ts"] and "thread_ts" not in m for m in here.posted
            ):
                return {"ok": False, "error": "thread_not_found"}
            if thread in here.closed:
                return {"ok": False, "error": "restricted_action_thread_locked"}
            ts = f"{1_700_000_000 + len(here.posted)}.{len(here.posted):06d}"
            here.posted.append({**body, "ts": ts})
            return {"ok": True, "channel": "C012AB3CD", "ts": ts, "message": {"text": "..."}}

        def log_message(self, *args: Any, **kwargs: Any) -> None:
            pass

    here = Slack("")
    with serving(Handler) as url:
        here.url = f"{url}/api"
        yield here
