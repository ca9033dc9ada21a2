"""The state topic from outside the worker: what rounds are there, and taking them away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from stream.client.records import publish, read_topic, tell_unread
from stream.stage2.snapshot import Stored, stored_rounds

__all__ = ["StoredPartition", "read_state", "reset_state", "subject_of"]


@dataclass
class StoredPartition:
    """One partition of the state topic: its newest values, and when they came.

    `log_id` is that of the summaries topic; rounds of another one are at fault.
    """

    partition: int
    log_id: str = ""
    values: dict[bytes, bytes] = field(default_factory=dict)
    times_ms: dict[bytes, int] = field(default_factory=dict)

    @property
    def rounds(self) -> list[Stored]:
        """Its manifests, highest fence first."""
        return stored_rounds(self.partition, self.values.items(), self.log_id)

    @property
    def bytes_held(self) -> int:
        """Keys and values together."""
        return sum(len(key) + len(value) for key, value in self.values.items())


def read_state(
    kafka: Mapping[str, object], topic: str, n_partitions: int, log_id: str = ""
) -> list[StoredPartition]:
    """Read every partition to its end as of now; `log_id` is that of the summaries topic.

    Raises
    ------
    NotFoundError
        If there is no such topic.
    """
    found = [StoredPartition(p, log_id) for p in range(n_partitions)]
    for record in read_topic(kafka, topic, on_unread=tell_unread):
        stored = found[record.partition]
        if record.key is None:
            continue
        if record.value is None:
            stored.values.pop(record.key, None)
        else:
            stored.values[record.key] = record.value
            stored.times_ms[record.key] = record.timestamp
    return found


def reset_state(
    kafka: Mapping[str, object], topic: str, partitions: Iterable[StoredPartition]
) -> int:
    """Write a tombstone for every key; how many. Manifests go first.

    A worker that reads in between then finds no snapshot instead of half of one; either is safe.
    """
    count = 0
    for stored in partitions:
        keys = sorted(stored.values, key=lambda key: not key.startswith(b"manifest|"))
        if keys:
            count += publish(
                kafka, topic, ((key, None, ()) for key in keys), partition=stored.partition
            )
    return count


def subject_of(block: str) -> str | None:
    """MODEL/VERSION of a block's name; None for what is of no subject."""
    name, _, part = block.rpartition("#")
    length, _, subject = name.partition(":")
    return subject if part == "0" and length.isdigit() else None
