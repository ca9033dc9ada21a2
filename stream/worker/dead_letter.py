"""What goes to the dead-letter topic of a record that was refused."""

from __future__ import annotations

from typing import Final

from faust.types import TP

from stream.contracts.unread import Unread
from stream.decode.columns import Reject
from stream.decode.record import Record
from stream.worker.sender import MAX_VALUE_BYTES, Outgoing

__all__ = ["dead_letter"]

#: A dead letter that would not fit into a message carries this much of its original.
_HEAD_BYTES: Final = 65_536
#: An error names members as the producer wrote them, however long.
_WORDS: Final = 1_000


def dead_letter(
    topic: str, tp: TP, record: Record, reject: Reject, *, values: bool = True
) -> Outgoing:
    """A refused record, unchanged, with the reason and where it was in headers.

    Without `values` only the latter. Whatever a producer sent, it can be delivered: a letter that
    cannot would end this worker, and every worker after it at the same record.
    """
    key, value, headers = record.key, record.value, tuple(record.headers)
    about: dict[str, str | int] = {
        "reason": reject.reason,
        "error": reject.error,
        "topic": tp.topic,
        "partition": tp.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
    }
    if isinstance(record, Unread):
        about["last-offset"] = record.last
    if not values:
        key, value, headers = None, None, ()
    if value is not None and len(value) > MAX_VALUE_BYTES - 3 * _HEAD_BYTES:
        about["original-bytes"] = len(value)
        value = value[:_HEAD_BYTES]
    if key is not None and len(key) > _HEAD_BYTES:
        about["original-key-bytes"] = len(key)
        key = None
    if (size := sum(len(name.encode()) + len(text or b"") for name, text in headers)) > _HEAD_BYTES:
        about["original-headers-bytes"] = size
        headers = ()
    if key is None and value is None:
        value = b""  # aiokafka refuses to send nothing at all
    words = [
        (f"driftstream.dlq.{name}", str(text)[:_WORDS].encode()) for name, text in about.items()
    ]
    return Outgoing(topic, key, value, None, (*headers, *words))
