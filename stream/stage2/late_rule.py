"""Whether a summary is taken into its pane, is a duplicate, or came too late."""

from __future__ import annotations

from collections.abc import Callable

from stream.contracts.summary_message import SummaryBatch, SummaryEntry
from stream.plans.plan import AnyPlan
from stream.stage2 import joins
from stream.stage2.frontier import PartitionProgress
from stream.stage2.panes import ACCEPTED, DUPLICATE, LATE, Late, PaneStore

__all__ = ["offer_all"]


def offer_all(
    store: PaneStore,
    batch: SummaryBatch,
    plan_at: Callable[[int], AnyPlan | None],
    progress: PartitionProgress,
    frontier_ms: int,
    late: Late | None,
) -> dict[str, int]:
    """Offer the summaries of a batch to a subject's open panes; how many met which refusal.

    What came too late is counted in `late`, unless it is not given: then all was said before.
    """
    if late is not None:
        _forget_passed(late, progress, plan_at)
    refused: dict[str, int] = {}
    for entry in batch.entries:
        plan = plan_at(entry.pane_ms)
        if plan is None or plan.short_hash != batch.plan:
            outcome = "plan"
        elif entry.pane_ms % plan.pane_ms:
            outcome = "undecodable"
        else:
            outcome = _offer(store, batch, entry, plan, progress, frontier_ms, late)
        if outcome not in (ACCEPTED, DUPLICATE):
            refused[outcome] = refused.get(outcome, 0) + 1
    return refused


def _offer(
    store: PaneStore,
    batch: SummaryBatch,
    entry: SummaryEntry,
    plan: AnyPlan,
    progress: PartitionProgress,
    frontier_ms: int,
    late: Late | None,
) -> str:
    """Offer one summary, or count it late.

    Late is what came after its own partition had passed the pane when the chunk began: a function
    of that partition's log, so every reader finds the same. A pane can also be sealed without its
    partition only after that one was declared idle.
    """
    if batch.chunk < progress.chunk:
        return DUPLICATE
    pane_end = entry.pane_ms + plan.pane_ms
    came_late = pane_end <= progress.base_of(batch.chunk) - plan.lateness_ms
    sealed = pane_end <= frontier_ms
    try:
        if not came_late and not sealed:
            return store.offer(
                joins.number_of(batch.source),
                batch.chunk,
                batch.through,
                entry.segment,
                entry.pane_ms,
                entry.counts,
                plan.merge_rule,
                entry.ids,
            )
        read_before = (
            batch.chunk == progress.chunk and pane_end <= progress.chunk_max_ms - plan.lateness_ms
        )
        if late is None or (not came_late and read_before):
            return DUPLICATE
        if entry.segment:
            return LATE if entry.pane_ms in late.refused else DUPLICATE
        plan.merge_rule.check(entry.counts)
        if not late.refuse(entry.pane_ms, plan.merge_rule.events_in(entry.counts)):
            return DUPLICATE
    except ValueError:
        return "undecodable"
    return LATE


def _forget_passed(
    late: Late, progress: PartitionProgress, plan_at: Callable[[int], AnyPlan | None]
) -> None:
    """Hold no more of panes that the partition itself has passed: they are known by its time."""
    for pane_ms in list(late.sealed):
        plan = plan_at(pane_ms)
        if plan and pane_ms + plan.pane_ms <= progress.chunk_max_ms - plan.lateness_ms:
            del late.sealed[pane_ms]
