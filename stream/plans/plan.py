"""Plans: what is watched, how, and from when.

Both stages look up the plan in force for an event's time in a `PlanBook`, so a summary and the pane
it belongs to always speak of the same bins.
"""

from __future__ import annotations

from collections.abc import Iterator

from stream.contracts.moments import MINUS_INFINITY
from stream.plans.kinds import (
    ANY_VERSION,
    AnyPlan,
    DeclaredSignal,
    Learn,
    LearningPlan,
    Plan,
    PlanError,
    SignalOptions,
    Subject,
    decode_plan,
    readable,
)
from stream.plans.timeline import join_timeline, sealed_to_ms

__all__ = [
    "ANY_VERSION",
    "AnyPlan",
    "DeclaredSignal",
    "Learn",
    "LearningPlan",
    "Plan",
    "PlanBook",
    "PlanError",
    "SignalOptions",
    "Subject",
    "decode_plan",
    "readable",
]


class PlanBook:
    """The plans in force, by model, version and time. Both stages share one.

    `generation` grows with each plan added: whoever caches by plan then looks again. `joins` says
    whether any plan has labels joined.
    """

    def __init__(self) -> None:
        self._plans: dict[Subject, list[tuple[int, AnyPlan]]] = {}
        self._lines: dict[tuple[str, str], Subject] = {}
        self._timelines: dict[Subject, list[tuple[int, AnyPlan]]] = {}
        self.generation = 0
        self.joins = False

    def add(self, plan: AnyPlan, effective_from_ms: int = MINUS_INFINITY) -> bool:
        """Take a plan in; the first of a model holds from minus infinity. False if known."""
        line = Subject(plan.model, plan.version)
        timeline = self._plans.setdefault(self._lines.setdefault(line, line), [])
        if any(known.hash == plan.hash and since == effective_from_ms for since, known in timeline):
            return False
        timeline.append((effective_from_ms, plan))
        timeline.sort(key=lambda entry: entry[0])
        self._timelines.clear()
        self.generation += 1
        self.joins = self.joins or bool(plan.join_key)
        return True

    def plan_at(self, model: str, version: str, time_ms: int) -> AnyPlan | None:
        """The plan that holds for this time: the exact version's first, else that of `*`."""
        timeline = self.timeline(model, version)
        for since, plan in reversed(timeline):
            if since <= time_ms:
                return plan
        return timeline[0][1] if timeline else None

    def timeline(self, model: str, version: str) -> list[tuple[int, AnyPlan]]:
        """(holds from, plan) of a subject, oldest first; empty if unknown.

        Plans of `*` hold until the first plan of the exact version does.
        """
        line = self.line(model, version)
        if line is None:
            return []
        known = self._timelines.get(line)
        if known is None:
            known = self._timelines[line] = self._make_timeline(line)
        return known

    def line(self, model: str, version: str) -> Subject | None:
        """Whose plans a subject has: its own version's, else those of `*`; None if unknown.

        All versions without plans of their own share one line, however many they are.
        """
        return self._lines.get((model, version)) or self._lines.get((model, ANY_VERSION))

    def own_versions(self, model: str) -> frozenset[str]:
        """Versions of a model that have plans of their own."""
        return frozenset(line.version for line in self._plans if line.model == model) - {
            ANY_VERSION
        }

    def _make_timeline(self, subject: Subject) -> list[tuple[int, AnyPlan]]:
        exact = self._plans.get(subject, [])
        every: list[tuple[int, AnyPlan]] = []
        if subject.version != ANY_VERSION:
            every = self._plans.get(Subject(subject.model, ANY_VERSION), [])
        return join_timeline([e for e in every if not exact or e[0] < exact[0][0]] + exact)

    def sealed_to_ms(self, model: str, version: str, source_frontier_ms: int) -> int:
        """Event time up to which a subject's panes are complete, lateness taken off."""
        if source_frontier_ms <= MINUS_INFINITY:
            return MINUS_INFINITY
        return sealed_to_ms(self.timeline(model, version), source_frontier_ms)

    def __iter__(self) -> Iterator[tuple[int, AnyPlan]]:
        for timeline in self._plans.values():
            yield from timeline
