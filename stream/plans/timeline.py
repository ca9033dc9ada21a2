"""Which of several plans holds when, and how far a source has completed their panes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from stream.contracts.moments import INFINITY, MINUS_INFINITY

__all__ = ["join_timeline", "sealed_to_ms"]


class _Timed(Protocol):
    @property
    def pane_ms(self) -> int: ...
    @property
    def lateness_ms(self) -> int: ...


P = TypeVar("P", bound=_Timed)


def join_timeline(entries: Iterable[tuple[int, P]]) -> list[tuple[int, P]]:
    """Plans with the time they were published for, to plans with the time they really hold from.

    A plan takes over where a pane of the one before it ends and one of its own begins: otherwise
    panes of two plans would overlap, and their order depend on how far the frontier goes at once.
    Of two plans for the same time the later one in `entries` holds.
    """
    timeline: list[tuple[int, P]] = []
    published: int | None = None
    for since, plan in entries:
        if since == published:
            timeline.pop()
        published = since
        at = since
        while timeline:
            before_since, before = timeline[-1]
            at = max(since, before_since)
            at += -at % math.lcm(before.pane_ms, plan.pane_ms)
            if at > before_since:
                break
            timeline.pop()  # it would hold for no pane
        timeline.append((at, plan))
    return timeline


def sealed_to_ms(timeline: Sequence[tuple[int, P]], source_frontier_ms: int) -> int:
    """Event time up to which panes are complete when their source has been read that far.

    Each plan's lateness holds for its own panes: one with a shorter lateness seals nothing before
    the last pane of the plan before it is complete. The result grows with the frontier.
    """
    sealed = MINUS_INFINITY
    for i, (_, plan) in enumerate(timeline):
        until = timeline[i + 1][0] if i + 1 < len(timeline) else INFINITY
        sealed = max(sealed, source_frontier_ms - plan.lateness_ms)
        if sealed < until:
            return sealed
        sealed = until
    return sealed
