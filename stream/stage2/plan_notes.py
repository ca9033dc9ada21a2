"""What is noteworthy of a plan before its first event: printed by check, worker and replay."""

from __future__ import annotations

from typing import Final

from detectors.figures import round_figure
from stream.alerts.evidence import in_time
from stream.alerts.sentences import KIND_TEXT
from stream.contracts.declared import settings_of
from stream.contracts.plan_settings import PlanSettings
from stream.plans.plan import ANY_VERSION, AnyPlan, LearningPlan, Plan
from stream.stage2.shared_tables import SharedTables
from stream.stage2.untested import untested_by_plan
from stream.stage2.windows import MAX_CYCLES
from stream.text.durations import WEEK_MS, short_duration
from stream.text.printable import printable

__all__ = [
    "fairness_lines",
    "label_lines",
    "labels_left_out",
    "limit_lines",
    "other_notes",
    "plan_mismatches",
    "plan_notes",
    "plan_summary",
]

#: Apart are rows of a file without times.
_ROW_MS: Final = 1_000


def plan_summary(plan: AnyPlan) -> str:
    """What a plan compares to, in a few words."""
    if not isinstance(plan, LearningPlan):
        return (
            f"{len(plan.monitored)} signals of {plan.reference.events:,} rows; panes of "
            f"{short_duration(plan.pane_ms)}, windows of {plan.window_events:,} events or "
            f"{short_duration(plan.window_max_age_ms)}"
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
    """Sentences about what is noteworthy, and about what will not be tested or is found late.

    Those about windows go by the rate of the reference; without a rate nothing can be said.
    """
    untested = (each.line for each in untested_by_plan(plan))
    return [*other_notes(plan), *labels_left_out(plan), *untested]


def other_notes(plan: AnyPlan) -> list[str]:
    """Those that are not about what is not tested."""
    if isinstance(plan, LearningPlan):
        return []
    return [*plan.reference.warnings, *_of_rate(plan), *_of_cycle(plan), *_of_limits(plan)]


def labels_left_out(plan: AnyPlan) -> list[str]:
    """Settings of a join that workers do not make, and how to have them make it."""
    if plan.outcome_labels:
        return []
    given = [
        s.field.removeprefix("outcome_").removesuffix("_ms")
        for s in settings_of(PlanSettings)
        if s.extra.get("table") == "outcome" and getattr(plan, s.field) != s.default
    ]
    if not given:
        return []
    return [
        f"outcome.{given[0]} is of labels that are joined by id, as `replay --labels` does. "
        "Workers leave labels without their prediction out: name the topic of labels, outcome."
        "labels, and they join them too"
    ]


def label_lines(plan: AnyPlan) -> list[str]:
    """How labels come to their predictions, where workers join them."""
    if isinstance(plan, LearningPlan) or not plan.outcome_labels:
        return []
    absent = plan.outcome_absent_means
    otherwise = f"{absent!r} if none comes" if absent else "no label means nothing"
    wait = short_duration(plan.outcome_wait_ms)
    return [f"labels of {plan.outcome_labels}, joined by id within {wait}; {otherwise}"]


def limit_lines(plan: AnyPlan) -> list[str]:
    """The limits of a plan, each with what opens if it is passed, and how often chance does it."""
    if isinstance(plan, LearningPlan) or not plan.limits:
        return []
    budget = SharedTables.of(plan).budget
    often = in_time(budget.limit_threshold / budget.panes_per_week, bare=True)
    return [
        f"{rule.name}: {KIND_TEXT[rule.kind]}, {rule.limit.severity}; by luck at most once in "
        f"{often}"
        for rule in plan.limit_rules
    ]


def fairness_lines(plan: AnyPlan) -> list[str]:
    """The protected columns of a plan, with from where two values are too far apart."""
    if isinstance(plan, LearningPlan):
        return []
    budget = SharedTables.of(plan).budget
    return [
        f"fairness by {printable(of.column)}, {len(of.scopes) - 1} values: "
        f"{len(of.disparities)} disparities, beyond {100 * of.limits.difference:g} points or a "
        f"ratio of {of.limits.ratio:g}, and more than in the reference; by luck each in one of "
        f"{round_figure(1.0 / budget.fairness_alpha)} stretches"
        for of in plan.fairness
    ]


def _of_limits(plan: Plan) -> list[str]:
    """Limits that the reference is beyond, or that are counted elsewhere than they are."""
    if not plan.limits:
        return []
    counts = plan.reference_counts
    return [note for rule in plan.limit_rules for note in rule.notes(counts)]


def _of_rate(plan: Plan) -> list[str]:
    """Rows without times are one second apart: in a file as good as any, in production a guess."""
    reference = plan.reference
    if reference.columns.timestamp or reference.events_per_week != WEEK_MS // _ROW_MS:
        return []
    return [
        "the rows of the reference had no times and count as one a second, which pane "
        f"({short_duration(plan.pane_ms)}), window and budget follow. If your events come at "
        "another rate, fit with --timestamp, or set pane and window.max_age"
    ]


def _of_cycle(plan: Plan) -> list[str]:
    """Cycles that are joined until they hold enough."""
    events = plan.reference.events_per_week * plan.cycle_ms / WEEK_MS
    min_events = min(plan.window_min_events, plan.window_events)
    cycles = -(-min_events // max(1, int(events)))
    if not 0 < events < min_events or cycles > MAX_CYCLES:
        return []
    return [
        f"a cycle of {short_duration(plan.cycle_ms)} holds about {events:,.0f} events at the "
        f"reference's rate, and tests need {min_events:,} (window.min_events): windows will be "
        f"about {cycles} cycles long, and drift is found that much later."
    ]
