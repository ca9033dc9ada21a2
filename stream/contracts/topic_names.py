"""driftstream's own topics, by default and as a config names them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TopicNames"]


@dataclass(frozen=True)
class TopicNames:
    """The names of driftstream's own topics."""

    summaries: str = "driftstream.summaries"
    plans: str = "driftstream.plans"
    alerts: str = "driftstream.alerts"
    dead_letter: str = "driftstream.dead-letter"
    state: str = "driftstream.state"
    pairs: str = "driftstream.pairs"
    pairs_state: str = "driftstream.pairs-state"
