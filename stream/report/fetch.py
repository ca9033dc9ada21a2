"""The events behind an episode, as commands that read them from their topic."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

from stream.contracts.alert_event import AlertEvent

__all__ = ["UNKNOWN_BROKER", "fetch_commands"]

#: For who makes a report from a file of alerts.
UNKNOWN_BROKER: Final = "BROKER:9092"


def fetch_commands(events: Sequence[AlertEvent], brokers: str = UNKNOWN_BROKER) -> tuple[str, ...]:
    """A kcat command for each source partition, over all offsets that the decisions saw.

    While it fires: what came after its last finding, on the way to its end, is not part of it.
    """
    seen: dict[tuple[str, int], tuple[int, int]] = {}
    fired = [event for event in events if event.data.status == "firing"] or events
    for event in fired:
        for part, (first, last) in event.data.offsets.items():
            topic, _, number = part.rpartition("-")
            if not topic or not number.isdecimal() or not 0 <= first <= last:
                continue  # nothing that kcat could read
            key = topic, int(number)
            before = seen.get(key, (first, last))
            seen[key] = min(first, before[0]), max(last, before[1])
    return tuple(
        shlex.join(
            [
                "kcat",
                "-C",
                "-e",
                "-b",
                brokers,
                "-t",
                topic,
                "-p",
                str(partition),
                "-o",
                str(first),
                "-c",
                str(last - first + 1),
            ]
        )
        for (topic, partition), (first, last) in sorted(seen.items())
    )
