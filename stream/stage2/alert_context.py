"""The context of a subject's alerts: plan, reference, budget and offsets of its phase."""

from __future__ import annotations

from collections.abc import Mapping

from stream.contracts.alert_event import AlertContext
from stream.stage2.phase import PlanPhase

__all__ = ["context_of"]


def context_of(phase: PlanPhase, offsets: Mapping[int, tuple[int, int]]) -> AlertContext:
    """The context of a decision that saw these offsets, by source partition."""
    plan = phase.plan
    return AlertContext(
        environment=plan.environment,
        dashboard_url=plan.dashboard_url,
        runbook_url=plan.runbook_url,
        reference=phase.reference_hash,
        config=plan.hash,
        false_alarms_per_week=plan.false_alarms_per_week,
        alpha=phase.window_alpha,
        private=plan.private,
        budget_summary=None if phase.detection is None else phase.detection.budget_summary,
        offsets={f"{plan.topic}-{p}": span for p, span in sorted(offsets.items())},
    )
