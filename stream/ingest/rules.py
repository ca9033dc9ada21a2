"""The rules of a worker, asked before a message is on the topic."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec
import numpy as np

from stream.contracts.prediction_event import EVENT_CONTENT_TYPE
from stream.decode import NativeDecoder
from stream.ingest.bodies import Incoming
from stream.plans.plan import AnyPlan, PlanBook
from stream.plans.privacy import CategoryHash
from stream.publishing.outbox import Message

__all__ = ["Checked", "Refused", "Rules"]

_BROKER: Final = 1


class _Asked(NamedTuple):
    """A record as the decoder wants it, stamped now."""

    offset: int
    timestamp: int
    value: bytes
    headers: Sequence[tuple[str, bytes]]
    key: bytes | None = None
    timestamp_type: int = _BROKER


class Refused(msgspec.Struct):
    """What is wrong with one event of a request, counted from 0."""

    event: int
    reason: str
    error: str


class _Named(msgspec.Struct):
    prediction_id: str | int | float | None = None


_named: Final = msgspec.json.Decoder(_Named).decode


@dataclass(slots=True)
class Checked:
    """Messages that a worker would take, and what it would refuse."""

    messages: list[Message] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class Rules:
    """Decides by the decoder of workers, with their plans and limits.

    Parameters
    ----------
    plans : iterable of plans
        Of the config; an event of another model is `unknown_model`.
    max_ahead_ms : int
        As `worker.max_ahead`.
    hashing : CategoryHash, optional
    """

    def __init__(
        self, plans: Iterable[AnyPlan], max_ahead_ms: int, hashing: CategoryHash | None = None
    ) -> None:
        book = PlanBook()
        for plan in plans:
            book.add(plan)
        self._decoder = NativeDecoder(book, max_ahead_ms=max_ahead_ms, hashing=hashing)
        self._lock = threading.Lock()

    def check(self, incoming: Sequence[Incoming]) -> Checked:
        """Messages for their topics, or why not, for each that came."""
        now_ms = int(time.time() * 1000)
        # Offset 1 and on: the sample of unknown fields is a worker's business.
        records = [
            _Asked(i + 1, now_ms, one.value, [("content-type", one.content_type.encode())])
            for i, one in enumerate(incoming)
        ]
        with self._lock:
            decoded = self._decoder.decode(records)
        found = Checked()
        reasons = {reject.index: (reject.reason, reject.error) for reject in decoded.rejects}
        rows = np.bincount(decoded.record, minlength=len(records)).tolist()
        topics: dict[int, str] = {}
        for group in decoded.groups:
            for record in set(decoded.record[group.rows].tolist()):
                topics[record] = group.plan.topic
        for i, (one, record) in enumerate(zip(incoming, records, strict=True)):
            if one.problem:
                found.refused.append(Refused(i, "undecodable", one.problem))
            elif i in reasons:
                found.refused.append(Refused(i, *reasons[i]))
            elif i in topics:
                key = _key(one) if one.content_type == EVENT_CONTENT_TYPE else None
                found.messages.append(
                    Message(topics[i], key, one.value, [*record.headers], max(1, rows[i]))
                )
            else:
                found.refused.append(Refused(i, "unknown_model", "No plan is for this model"))
        return found


def _key(one: Incoming) -> bytes | None:
    try:
        identity = _named(one.value).prediction_id
    except (msgspec.DecodeError, UnicodeDecodeError):  # one that the decoder takes value by value
        return None
    return None if identity is None else str(identity).encode()
