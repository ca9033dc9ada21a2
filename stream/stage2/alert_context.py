"""What the alerts of a subject say of their surroundings, from its course."""

from __future__ import annotations

from collections.abc import Mapping

from stream.contracts.alert_event import AlertContext
from stream.stage2.phase import Course

__all__ = ["context_of"]


def context_of(course: Course, offsets: Mapping[int, tuple[int, int]]) -> AlertContext:
    """The context of a decision that saw these offsets, by source partition."""
    plan = course.plan
    return AlertContext(
        environment=plan.environment,
        dashboard_url=plan.dashboard_url,
        runbook_url=plan.runbook_url,
        reference=course.reference_hash,
        config=plan.hash,
        false_alarms_per_week=plan.false_alarms_per_week,
        alpha=course.window_alpha,
        private=plan.private,
        chances=None if course.watch is None else course.watch.chances,
        offsets={f"{plan.topic}-{p}": span for p, span in sorted(offsets.items())},
    )
