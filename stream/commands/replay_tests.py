"""What a report says of the tests that are no windows'."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream.report import TestRow
    from stream.stage2.detection import Watch

__all__ = ["each_pane"]


def each_pane(watch: Watch, panes: int) -> list[TestRow]:
    """The tests that follow panes: how many there were, and how often one may be wrong."""
    from stream.report import TestRow

    if watch.plan.cycle_ms:
        return []
    checks, threshold = panes * len(watch.plan.monitored), watch.budget.edetector_threshold
    rows = [
        TestRow("adwin", "every pane", checks, float(watch.sequential.adwin.delta.max()), None),
        TestRow("edetector", "every pane", checks, 1 / threshold, None),
    ]
    if watch.days is not None:
        rows.append(TestRow("day", "every day", watch.days.made, watch.budget.day_alpha, None))
    return rows
