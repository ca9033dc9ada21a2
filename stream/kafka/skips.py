"""Skips: which batches, that cannot be read, are passed over because somebody said so.

A skip is a record on the plans topic, which every worker reads to its end before it reads events
and follows. So it is a fact of a log: all workers, and all restarts, pass over the same batch at
the same place. It names the topic's id: on a topic made again the offset is another record's.

The key is `skip:TOPIC[PARTITION]@FIRST`; no plan's key looks so (`stream.plans.parts`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import msgspec

from stream.contracts.unread import Unread

__all__ = ["Skip", "SkipBook", "skip_record", "unread_plans"]

log = logging.getLogger(__name__)
_PREFIX: Final = b"skip:"


class Skip(msgspec.Struct, frozen=True):
    """One batch that is passed over, why it could not be read, who said so and when."""

    topic: str
    topic_id: str
    partition: int
    first: int
    last: int
    reason: str
    error: str
    by: str
    time: str


def skip_record(skip: Skip) -> tuple[bytes, bytes]:
    """The key and value of a skip on the plans topic."""
    key = f"skip:{skip.topic}[{skip.partition}]@{skip.first}".encode()
    return key, msgspec.json.encode(skip)


class SkipBook:
    """All skips of a plans topic.

    Parameters
    ----------
    topic_id : callable
        The id of a topic now; empty if it is not known, and then any is taken for it.
    """

    def __init__(self, topic_id: Callable[[str], str] = lambda _: "") -> None:
        self._topic_id = topic_id
        self._skips: dict[bytes, Skip] = {}

    def add(self, key: bytes | None, value: bytes | None) -> bool:
        """Take a record of the plans topic in; False if it is none of a skip."""
        if key is None or not key.startswith(_PREFIX):
            return False
        if value is None:
            self._skips.pop(key, None)
            return True
        try:
            self._skips[key] = msgspec.json.decode(value, type=Skip)
        except msgspec.DecodeError as error:
            log.error("plans topic: the skip %r cannot be read, so it is ignored: %s", key, error)
        return True

    @property
    def all(self) -> list[Skip]:
        """Every skip, by its place."""
        skips = self._skips.values()
        return sorted(skips, key=lambda skip: (skip.topic, skip.partition, skip.first))

    def find(self, topic: str, partition: int, unread: Unread) -> Skip | None:
        """The skip of a batch, if there is one.

        Offsets of batches do not overlap: a range that shares one is of the same batch.
        """
        topic_id = self._topic_id(topic)
        for skip in list(self._skips.values()):
            if (
                (skip.topic, skip.partition) == (topic, partition)
                and skip.first <= unread.last
                and unread.offset <= skip.last
                and topic_id in ("", skip.topic_id)
            ):
                return skip
        return None


def unread_plans(topic: str, partition: int, unread: Unread) -> str:
    """Say what to do about a batch of the plans topic itself."""
    return (
        f"the plans topic {topic}[{partition}] cannot be read at {unread} ({unread.reason}: "
        f"{unread.error}): which plans are there is not known. Pass over it: driftstream skip "
        f"{topic} {partition} {unread.offset} -c CONFIG; then publish the plans again: driftstream "
        "plan publish -c CONFIG."
    )
