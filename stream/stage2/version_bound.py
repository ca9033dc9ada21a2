"""How many versions of a model are monitored, and which one ends when others need room."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from stream.contracts.moments import INFINITY, NOT_YET
from stream.stage1.versions import OTHER_VERSION
from stream.stage2.subject import SubjectMonitor

__all__ = ["MAX_VERSIONS", "gives_way"]

#: Versions of one model in one partition of the summaries: each takes the memory of a monitor.
MAX_VERSIONS: Final = 1_000


def gives_way(versions: Collection[SubjectMonitor]) -> SubjectMonitor | None:
    """Which of a model's versions ends for a new one; None if all stay.

    The one that was not heard for longest; but as long as more than half of all were never tested,
    one of those: a flood of versions with an event each does not push out what is monitored.
    """
    mortal = [monitor for monitor in versions if monitor.subject.version not in ("", OTHER_VERSION)]
    untested = [monitor for monitor in mortal if not monitor.lifetime.tested]
    among = untested if 2 * len(untested) > len(mortal) else mortal
    return min(among, key=lambda monitor: (_newest_ms(monitor), monitor.subject), default=None)


def _newest_ms(monitor: SubjectMonitor) -> int:
    """The newest event time that was heard of it, to a pane."""
    return max(monitor.lifetime.heard_to_ms, *monitor.store.due(INFINITY)[-1:], NOT_YET)
