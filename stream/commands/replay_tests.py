"""What a report says of the tests that a recorder of windows does not see."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream.report import TestRow
    from stream.stage2.detection import Detection

__all__ = ["each_pane"]


def each_pane(detection: Detection, panes: int) -> list[TestRow]:
    """The tests of panes, limits, outcomes and fairness: how many, how often one may be wrong."""
    from stream.alerts.sizes import FAIRNESS, LIMIT, RELATION
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
    if detection.limits is not None:
        checks = panes * len(detection.limits.rules)
        alpha = 1.0 / detection.budget.limit_threshold
        rows.append(TestRow(LIMIT, "every pane", checks, alpha, None))
    if detection.relation is not None:
        rows.append(TestRow(RELATION, "whole stream", 0, detection.budget.window_alpha, None))
    if detection.fairness is not None:
        alpha = detection.budget.fairness_alpha
        rows.append(TestRow(FAIRNESS, "protected columns", 0, alpha, None))
    return rows
