"""What becomes of a batch that cannot be read: passed over, tried again, or its partition stops.

A batch of events that is too large, or that names a header by what is no text, is passed over: a
broker takes it, so a sender could otherwise stop what it likes, and the batch's bytes alone decide.
Damage stops the partition, because it may be mended, and what is behind it may matter: a person
decides, by `driftstream skip`. Summaries are our own, none is that large, and one that is missing
is a loss, so there nothing is passed over unasked.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Final

from faust.types import TP

from stream.contracts.unread import Unread
from stream.kafka.skips import SkipBook

__all__ = [
    "PartitionStop",
    "as_skipped",
    "log_deleted_offsets",
    "log_holes",
    "stop_at_shorter_log",
    "stop_at_unreadable",
]

log = logging.getLogger(__name__)
#: What a broker takes from a sender and is not read: passed over in topics of events.
_SENT: Final = frozenset({"batch_too_large", "batch_undecodable"})


@dataclass(frozen=True, slots=True)
class PartitionStop:
    """Why a partition is not read any more, and from which offset on.

    `unread` is the batch that cannot be read, if that is why.
    """

    reason: str
    offset: int
    words: str
    unread: Unread | None = None


def as_skipped(tp: TP, unread: Unread, skips: SkipBook, *, events: bool) -> Unread | None:
    """The batch with the reason why it is skipped; None if it may not be skipped."""
    skip = skips.find(tp.topic, tp.partition, unread)
    if skip is not None:
        words = f"skipped by {skip.by} at {skip.time}: {unread.error}"
        # Where it ends and when it was is taken from the skip alone: a damaged batch may look
        # another way from another place, and chunks are functions of the log.
        return replace(unread, last=skip.last, timestamp=-1, reason="batch_skipped", error=words)
    return unread if events and unread.reason in _SENT else None


def log_deleted_offsets(tp: TP, first: int, last: int) -> None:
    """Log which offsets are gone from a log's beginning.

    An open chunk is read again from its start, so some of them may have been counted already.
    """
    log.error(
        "%s[%d]: offsets %d to %d were deleted before their chunk was read to its end: what of "
        "them was not counted before is a loss",
        *tp,
        first,
        last,
    )


def log_holes(tp: TP, records: object) -> int:
    """Log the holes in a partition's offsets; how many there are."""
    holes = getattr(records, "holes", ())
    for first, last in holes:
        log.error(
            "%s[%d]: the log has no offsets %d to %d: they were compacted away, or the broker's "
            "disk is damaged there: that is a loss",
            *tp,
            first,
            last,
        )
    return len(holes)


def stop_at_unreadable(tp: TP, unread: Unread) -> PartitionStop:
    """The stop of a partition at a batch."""
    what = {
        "batch_too_large": "is larger than a batch may be",
        "batch_undecodable": "cannot be decoded",
        "unknown_codec": "is compressed by a codec that is not known",
        "corrupt": "is damaged",
    }[unread.reason]
    words = (
        f"{tp.topic}[{tp.partition}]: the batch at offset {unread.offset} {what}: {unread.error}. "
        f"It holds {unread}. This partition is not read from there on, the others are. To pass "
        f"over it: driftstream skip {tp.topic} {tp.partition} {unread.offset} -c CONFIG."
    )
    return PartitionStop(unread.reason, unread.offset, words, unread)


def stop_at_shorter_log(tp: TP, position: int, end: int) -> PartitionStop:
    """The stop of a partition whose log ends before what was read of it."""
    words = (
        f"{tp.topic}[{tp.partition}]: the log ends at {end}, before offset {position} which "
        "was read already. The topic was made again or lost records. Check it; then reset the "
        "group's offsets of this topic and start the worker again."
    )
    return PartitionStop("log_is_shorter", position, words)
