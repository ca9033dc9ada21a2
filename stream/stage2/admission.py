"""Whose summaries a partition's monitor takes, and what of a subject a snapshot has to follow."""

from __future__ import annotations

from stream.contracts.summary_message import SummaryBatch
from stream.plans.plan import AnyPlan, PlanBook
from stream.stage2.frontier import Sources
from stream.stage2.subject import SubjectMonitor

__all__ = ["is_source", "marks"]


def is_source(
    batch: SummaryBatch,
    plan: AnyPlan,
    monitor: SubjectMonitor | None,
    plans: PlanBook,
    sources: Sources,
) -> bool:
    """Whether a subject's events may come from this topic.

    It has to be the plan's, so that a stray event elsewhere does not take the subject along; and
    after a plan that changed the topic, what is left in the former one comes no more.
    """
    if plan.topic != batch.source.topic:
        return False
    if monitor is None or monitor.topic_id in ("", batch.source.topic_id):
        return True
    line = [known for _, known in plans.timeline(batch.model, batch.version)]
    later = line[line.index(plan) + 1 :]
    followed = sources.topics.get(monitor.topic_id)
    return followed is None or followed.topic not in {known.topic for known in later}


def marks(monitor: SubjectMonitor) -> tuple[int, int, bool, tuple[int, int], int, bool]:
    """What changes when a subject's state does, other than the frontier alone."""
    closed = -1 if monitor.detection is None else monitor.detection.windows.n_closed
    life = monitor.lifetime
    return (
        monitor.panes_sealed,
        closed,
        monitor.silent,
        monitor.clocks_judged,
        life.heard_to_ms,
        life.is_folding,
    )
