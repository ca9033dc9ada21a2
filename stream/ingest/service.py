"""A request with events: who, what, whether it is right, and until the broker has it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from stream.http.server import Page, PostRequest
from stream.ingest.bodies import BodyError, messages_of
from stream.ingest.rules import Rules
from stream.ingest.tokens import Tokens
from stream.publishing.delivery import Delivery
from stream.publishing.notices import Notices
from stream.publishing.outbox import Message, Outbox

__all__ = ["IngestService"]

_JSON: Final = "application/json"
#: A request waits so long for the broker to confirm; more than a broker that is well ever takes.
CONFIRM_S: Final = 10.0
_RETRY_AFTER_S: Final = 5
#: A broker that has confirmed nothing for so long, of what is on its way, gets nothing more.
_FLOWING_S: Final = 3.0
_MAX_EVENTS: Final = 100_000
_MAX_SHOWN: Final = 100


class IngestService:
    """Takes events for Kafka, all of a request or none.

    Parameters
    ----------
    kafka : mapping
        Connection settings as in `[kafka]` of a config.
    topics : tuple of str
        All topics of the models.
    rules : Rules
    tokens : Tokens, optional
        Without them everybody may send.
    max_queued_bytes : int
        Of all requests that wait for the broker, together.
    """

    def __init__(
        self,
        kafka: Mapping[str, object],
        topics: tuple[str, ...],
        rules: Rules,
        tokens: Tokens | None = None,
        max_queued_bytes: int = 64 * 1024 * 1024,
        confirm_s: float = CONFIRM_S,
    ) -> None:
        self._rules, self._tokens, self._confirm_s = rules, tokens, confirm_s
        self._notices = Notices("ingest")
        self._outbox = Outbox(_MAX_EVENTS, max_queued_bytes, "drop_newest")
        self._delivery = Delivery(kafka, topics, self._outbox, self._notices, {"linger_ms": 5})
        self._delivery.start(eager=True)
        self._lock = threading.Lock()
        self._answers: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._closing = False

    # ---- a request

    def admit(self, headers: Mapping[str, str]) -> Page | None:
        """Before a body is read: an answer for who may not send, or cannot now."""
        if self._tokens is not None and not self._tokens.allow(headers.get("authorization", "")):
            words = "send a token of ingest.tokens_file: Authorization: Bearer TOKEN"
            extra = (("WWW-Authenticate", "Bearer"),)
            return self._answer(HTTPStatus.UNAUTHORIZED, {"error": words}, extra)
        if not self._flows():
            return self._later("the broker is slow or away; nothing was taken")
        return None

    def __call__(self, request: PostRequest) -> Page:
        """Take the events of a request."""
        try:
            incoming = messages_of(request.headers, request.body)
        except BodyError as error:
            return self._answer(HTTPStatus(error.status), {"accepted": 0, "error": str(error)})
        checked = self._rules.check(incoming)
        if checked.refused:
            with self._lock:
                self._refused.update(one.reason for one in checked.refused)
            others = len(incoming) - len(checked.refused)
            return self._answer(
                HTTPStatus.BAD_REQUEST,
                {
                    "accepted": 0,
                    "refused": checked.refused[:_MAX_SHOWN],
                    "refused_total": len(checked.refused),
                    "others": f"{others} that are right were not sent either: mend or leave out "
                    "those above, and send the request again"
                    if others
                    else "",
                },
            )
        return self._sent(checked.messages)

    def _sent(self, messages: list[Message]) -> Page:
        waits = _Waits(len(messages))
        watched = [message._replace(on_end=waits.note_end) for message in messages]
        for i, message in enumerate(watched):
            if self._outbox.put(message):
                taken = self._outbox.withdraw(watched[:i])
                on_way = i - taken
                also = f"; {on_way} of its messages were on their way already" if on_way else ""
                return self._later(f"too much waits for the broker; not taken{also}")
        if not waits.done.wait(self._confirm_s):
            left = self._outbox.withdraw(watched)
            return self._later(
                f"the broker did not confirm within {self._confirm_s:g} s: {left} of "
                f"{len(watched)} messages were taken back, the others may still arrive. Send all "
                "again: events with a prediction_id are counted once"
            )
        if waits.dropped:
            reason = waits.dropped[0]
            status = (
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                if reason == "too_large"
                else HTTPStatus.SERVICE_UNAVAILABLE
            )
            words = f"{len(waits.dropped)} of {len(watched)} messages were not taken: {reason}"
            return self._answer(status, {"error": words})
        return self._answer(HTTPStatus.ACCEPTED, {"accepted": sum(m.events for m in watched)})

    def _later(self, words: str) -> Page:
        extra = (("Retry-After", str(_RETRY_AFTER_S)),)
        return self._answer(HTTPStatus.TOO_MANY_REQUESTS, {"accepted": 0, "error": words}, extra)

    def _answer(
        self,
        status: HTTPStatus,
        document: dict[str, Any],
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Page:
        with self._lock:
            self._answers[str(int(status))] += 1
        return Page(status, _JSON, msgspec.json.encode(document) + b"\n", headers)

    # ---- state

    def _flows(self) -> bool:
        return self._delivery.flows(_FLOWING_S) and not self._outbox.is_crowded

    def healthy(self) -> tuple[bool, str]:
        """Alive as long as it answers."""
        return True, "alive"

    def ready(self) -> tuple[bool, str]:
        """Whether events are taken now."""
        if self._closing:
            return False, "it ends"
        if not self._flows():
            return False, self._notices.last_error or "waiting for the broker"
        return True, "ready"

    def counts(self) -> tuple[dict[str, int], dict[str, int], int, int]:
        """Answers by status, refused events by reason, events sent, events queued."""
        _, sent, queued, _ = self._outbox.counts()
        with self._lock:
            return dict(self._answers), dict(self._refused), sent, queued

    def closing(self) -> None:
        """Say not ready from now on."""
        self._closing = True

    def close(self, timeout_s: float = 10.0) -> int:
        """Send what is queued, and stop; how many events were not sent."""
        return self._delivery.close(timeout_s)


class _Waits:
    """Counts the ends of a request's messages."""

    def __init__(self, messages: int) -> None:
        self._left, self._lock = messages, threading.Lock()
        self.done = threading.Event()
        self.dropped: list[str] = []

    def note_end(self, dropped_as: str) -> None:
        with self._lock:
            if dropped_as:
                self.dropped.append(dropped_as)
            self._left -= 1
            if not self._left:
                self.done.set()
