"""What became of the events of a monitor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["DROPPED", "MonitorStats"]

#: Why an event is not sent.
DROPPED = ("invalid", "too_large", "queue_full", "closed", "unsent_at_close")


@dataclass(frozen=True)
class MonitorStats:
    """Counts of this process since the monitor was made, or since the fork.

    `logged` is always `sent` + `queued` + the sum of `dropped`.

    Attributes
    ----------
    logged : int
        Events that were given to the monitor.
    sent : int
        Events that the broker has confirmed.
    queued : int
        Events that wait, or are on their way.
    dropped : dict of reason to count
        Reasons are `invalid`, `too_large`, `queue_full`, `closed` and `unsent_at_close`.
    unserialisable : dict of type name to count
        Values that JSON cannot hold. Their events are sent, and a worker counts the values as of a
        wrong type.
    last_error : str
        What went wrong last, in words; empty if nothing did.
    """

    logged: int
    sent: int
    queued: int
    dropped: Mapping[str, int]
    unserialisable: Mapping[str, int]
    last_error: str
