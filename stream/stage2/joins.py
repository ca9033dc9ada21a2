"""The join of a subject's labels, as one more source of its panes.

Where its plan joins labels, truths come from the join and not from the topic of its events, and a
pane is sealed when both have passed it. A join is known by the key of its plan, as its topic's name
(`stream/contracts/pair_message.py`).
"""

from __future__ import annotations

from typing import Final

from stream.contracts.pair_message import JOIN_PREFIX, join_topic
from stream.contracts.summary_message import Source
from stream.plans.plan import AnyPlan, PlanBook, Subject

__all__ = ["JOINED_FROM", "is_join", "number_of", "topic_of"]

#: Numbers of a join's partitions among those of a pane begin here, beyond those of all topics.
JOINED_FROM: Final = 100_000


def is_join(source: Source, plan: AnyPlan) -> bool:
    """Whether a source is the join of this plan's labels."""
    return bool(plan.join_key) and source.topic == join_topic(plan.join_key)


def number_of(source: Source) -> int:
    """The number of a source's partition among those that a pane is made of."""
    joined = source.topic.startswith(JOIN_PREFIX)
    return source.partition + (JOINED_FROM if joined else 0)


def topic_of(subject: Subject, plans: PlanBook) -> str:
    """The source topic of the join that a subject's panes wait for; empty if there is none."""
    if not plans.joins:
        return ""
    timeline = plans.timeline(*subject)
    key = timeline[-1][1].join_key if timeline else b""
    return join_topic(key) if key else ""
