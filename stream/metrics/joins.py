"""Families of labels that are joined by id: what waits, and what became of what came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict

from prometheus_client.core import Metric

from stream.join.partition import PartitionJoin
from stream.metrics.families import counter, gauge
from stream.stage1.stats import Stage1Stats

__all__ = ["of_joins"]


def of_joins(partitions: Iterable[PartitionJoin], stats: Iterable[Stage1Stats]) -> list[Metric]:
    """Of all joins of a worker, by model, and of what its stage 1 could not give to them."""
    pending = gauge("join_pending", "Predictions that a label may still come for.", ["model"])
    size = gauge("join_bytes", "Memory of what is joined.", ["model"])
    rows = counter(
        "joined",
        "Predictions and labels that are joined by id, by what became of them: predictions, "
        "copies, labelled, corrected, repeated, unmatched, erased; known or unknown when the wait "
        "is over; late; replaced with their plan; again, if read again.",
        ["model", "outcome"],
    )
    left_out = counter(
        "unjoinable",
        "Predictions and labels without an id, and labels without a truth: no join has them.",
        ["model", "reason"],
    )
    refused = counter("pairs_refused", "Messages of pairs that were not taken in.", ["reason"])
    waiting, nbytes = Counter[str](), Counter[str]()
    outcomes: Counter[tuple[str, str]] = Counter()
    reasons = Counter[str]()
    for partition in partitions:
        reasons.update(dict(partition.refused))
        for join in list(partition.joins.values()):
            model, counts = join.plan.model, asdict(join.joiner.counts)
            waiting[model] += join.joiner.pending
            nbytes[model] += join.joiner.nbytes
            counts["late"] += join.late
            counts["again"] += join.again
            counts["replaced"] = join.replaced
            for outcome, count in counts.items():
                outcomes[model, outcome] += count
    for model in sorted(waiting):
        pending.add_metric([model], waiting[model])
        size.add_metric([model], nbytes[model])
    for (model, outcome), count in sorted(outcomes.items()):
        rows.add_metric([model, outcome], count)
    unjoinable: Counter[tuple[str, str]] = Counter()
    for each in stats:
        unjoinable.update(dict(each.unjoinable))
    for (model, reason), count in sorted(unjoinable.items()):
        left_out.add_metric([model, reason], count)
    for reason, count in sorted(reasons.items()):
        refused.add_metric([reason], count)
    return [pending, size, rows, left_out, refused]
