"""What is noteworthy of a plan before its first event: said by check, worker and replay."""

from __future__ import annotations

from typing import Final

from stream.monitoring.windows import MOST_CYCLES
from stream.plans.plan import ANY_VERSION, AnyPlan, LearningPlan, Plan

__all__ = ["plan_mismatches", "plan_notes", "plan_summary"]

_DAY_MS: Final = 86_400_000
_WEEK_MS: Final = 604_800_000
#: Apart are rows of a file without times.
_ROW_MS: Final = 1_000
#: A window that takes longer to fill is worth a word.
_LONG_MS: Final = 60 * _DAY_MS


def plan_summary(plan: AnyPlan) -> str:
    """What a plan compares to, in a few words."""
    if not isinstance(plan, LearningPlan):
        return (
            f"{len(plan.monitored)} signals of {plan.reference.events:,} rows; panes of "
            f"{_duration(plan.pane_ms)}, windows of {plan.window_events:,} events or "
            f"{_duration(plan.window_max_age_ms)}"
        )
    declared = plan.learn.signals
    which = f"{len(declared)} declared signals" if declared else "all signals that come"
    return f"{which}; the reference is learned from {plan.learn.warm_up:,} events"


def plan_mismatches(plan: AnyPlan) -> list[str]:
    """Sentences about a reference that says itself it is of another model or version."""
    if isinstance(plan, LearningPlan):
        return []
    reference, found = plan.reference, []
    if reference.model != plan.model:
        found.append(
            f"its reference says that it is of model {reference.model!r}, not {plan.model!r}. Name "
            f"the right file, or fit it again with --model {plan.model}"
        )
    claims = reference.version not in ("", ANY_VERSION, plan.version)
    if claims and plan.version != ANY_VERSION:
        found.append(
            f"its reference says that it is of version {reference.version!r}, not "
            f"{plan.version!r}. Name the right file, or fit it again with --version {plan.version}"
        )
    return found


def plan_notes(plan: AnyPlan) -> list[str]:
    """Sentences about what will not be tested as one expects.

    Those about windows go by the rate of the plan's reference; without a rate nothing can be said.
    """
    if isinstance(plan, LearningPlan):
        span = _duration(max(plan.calibrate_ms, 5 * plan.cycle_ms, 50 * plan.pane_ms))
        return [
            "nothing is tested while the reference is learned: for "
            f"{plan.learn.warm_up:,} events and at least {span} of event time"
        ]
    notes = list(plan.reference.warnings)
    if plan.calibrate_ms:
        notes.append(
            f"nothing is tested for {_duration(plan.calibrate_ms)} of event time, while dependence "
            "is measured (calibrate)"
        )
    return notes + _of_rate(plan) + _of_windows(plan)


def _of_rate(plan: Plan) -> list[str]:
    """Rows without times are one second apart: in a file as good as any, in production a guess."""
    reference = plan.reference
    if reference.columns.timestamp or reference.events_per_week != _WEEK_MS // _ROW_MS:
        return []
    return [
        "the rows of the reference had no times and count as one a second, which pane "
        f"({_duration(plan.pane_ms)}), window and budget follow. If your events come at another "
        "rate, fit with --timestamp, or set pane and window.max_age"
    ]


def _of_windows(plan: Plan) -> list[str]:
    weekly = plan.reference.events_per_week
    if not weekly:
        return []
    least = min(plan.window_min_events, plan.window_events)
    span_ms = plan.cycle_ms or plan.window_max_age_ms
    events = weekly * span_ms / _WEEK_MS
    if events >= least:
        fills_ms = plan.window_events * _WEEK_MS / weekly
        if plan.cycle_ms or fills_ms < _LONG_MS:
            return []
        return [
            f"a window of {plan.window_events:,} events fills in about {fills_ms / _DAY_MS:,.0f} "
            "days at the reference's rate: what only windows find, such as changes of categories, "
            "is found that late. Lower window.events to find it sooner, and larger changes only"
        ]
    got = f"holds about {events:,.0f} events at the reference's rate, and tests need {least:,}"
    if not plan.cycle_ms:
        return [
            f"a window of {_duration(span_ms)} (window.max_age) {got} (window.min_events): nothing "
            f"will be tested. Set max_age to {_duration(_rounded(span_ms * least / events))} or "
            "more."
        ]
    cycles = -(-least // max(1, int(events)))
    if cycles <= MOST_CYCLES:
        return [
            f"a cycle of {_duration(span_ms)} {got} (window.min_events): windows will be about "
            f"{cycles} cycles long, and drift is found that much later."
        ]
    return [
        f"a cycle of {_duration(span_ms)} {got} (window.min_events), more than {MOST_CYCLES} "
        "cycles hold: nothing will be tested. Lower window.min_events, or watch without a cycle."
    ]


def _rounded(ms: float) -> int:
    """Up to whole days, or to whole hours below one."""
    unit = 86_400_000 if ms > 86_400_000 else 3_600_000
    return int(-(-ms // unit)) * unit


def _duration(ms: int) -> str:
    for unit, name in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m")):
        if ms % unit == 0 and ms > unit:
            return f"{ms // unit}{name}"
    return f"{ms / 1000:g}s"
