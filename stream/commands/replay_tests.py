"""What a report says of the tests that are no windows'."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream.report import TestRow
    from stream.stage2.detection import Detection

__all__ = ["each_pane"]


def each_pane(detection: Detection, panes: int) -> list[TestRow]:
    """The tests that follow panes: how many there were, and how often one may be wrong."""
    from stream.report import TestRow

    if detection.plan.cycle_ms:
        return []
    checks, threshold = panes * len(detection.plan.monitored), detection.budget.edetector_threshold
    rows = [
        TestRow("adwin", "every pane", checks, float(detection.sequential.adwin.delta.max()), None),
        TestRow("edetector", "every pane", checks, 1 / threshold, None),
    ]
    if detection.days is not None:
        rows.append(
            TestRow("day", "every day", detection.days.made, detection.budget.day_alpha, None)
        )
    return rows
