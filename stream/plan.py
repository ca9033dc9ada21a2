"""Plans: what is watched, how, and from when. Immutable and hashed.

A plan is the settings that decide anything (segments, pane, lateness, windows, budget) and a
baseline: a reference, or how to learn one. Both stages look up the plan in force for an event's
time in a `PlanBook`, so a summary and the pane it belongs to always speak of the same bins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

import msgspec

from detectors import (
    WINDOWED_TESTS,
    Layout,
    Reference,
    ReferenceError,
    SignalReference,
    choose_tests,
)
from stream.alerts import Kind
from stream.counting import Vectors
from stream.plan_base import ANY_VERSION, MINUS_INFINITY, BasePlan, PlanError
from stream.plan_document import PLAN_FORMAT, PlanDocument, PlanSettings, SignalOptions
from stream.timeline import join_timeline, sealed_to_ms

__all__ = [
    "ANY_VERSION",
    "KIND_OF_ROLE",
    "MINUS_INFINITY",
    "Plan",
    "PlanBook",
    "PlanError",
    "SignalOptions",
    "Subject",
]

#: Which kind of alert a drifting signal of this role is.
KIND_OF_ROLE: Final[Mapping[str, Kind]] = {
    "feature": "data_drift",
    "score": "prediction_drift",
    "label": "prediction_drift",
    "actual": "concept_drift",
    "latency": "system",
}


class Subject(NamedTuple):
    """(model, version): owned by one monitor, one key of the summaries topic, one budget."""

    model: str
    version: str

    @property
    def key(self) -> bytes:
        """The Kafka key of everything about this subject."""
        return f"{self.model}/{self.version}".encode()

    def __str__(self) -> str:
        return f"{self.model}/{self.version}" if self.version else self.model


@dataclass(frozen=True)
class Plan(BasePlan):
    """Everything a worker needs to watch one model against a reference.

    Raises
    ------
    PlanError
        If a value is out of its range or a named signal is not in the reference.
    """

    reference: Reference

    def __post_init__(self) -> None:
        super().__post_init__()
        known = {s.name for s in self.reference.signals}
        if unknown := sorted(set(self.signals) - known):
            raise PlanError(
                f"plan {self.model}: signals.{unknown[0]} is not in the reference, which has "
                f"{', '.join(sorted(known)[:20])}. Correct the name or fit the reference again."
            )
        if not self.monitored:
            raise PlanError(f"plan {self.model}: every signal has monitor = false; nothing to do.")
        kinds = {s.name: s.kind for s in self.monitored}
        for name, tests in self.windowed_tests.items():
            try:
                choose_tests(name, kinds[name], tests)
            except ValueError as error:
                raise PlanError(f"plan {self.model}: {error}") from None

    @property
    def baseline(self) -> tuple[str, Any]:
        """The reference's own JSON."""
        return "reference", msgspec.Raw(self.reference.to_json())

    @property
    def baseline_id(self) -> object:
        """The reference's hash."""
        return self.reference.hash

    @cached_property
    def monitored(self) -> tuple[SignalReference, ...]:
        """The signals that are counted and tested, in the reference's order."""
        return tuple(s for s in self.reference.signals if self.options(s.name).monitor)

    @property
    def windowed_tests(self) -> dict[str, tuple[str, ...]]:
        """The windowed tests of the monitored signals that do not have the default ones."""
        return {
            s.name: tuple(t for t in tests if t in WINDOWED_TESTS)
            for s in self.monitored
            if (tests := self.options(s.name).tests)
        }

    @cached_property
    def layout(self) -> Layout:
        """Where each monitored signal's bins are in the flat vector of counts."""
        return Layout({s.name: s.binning for s in self.monitored})

    @cached_property
    def counting(self) -> Vectors:
        """How counts of panes are merged."""
        return Vectors(self.layout.width)

    def importance(self, name: str) -> float:
        """Share of a signal in the ranking: what the user said, else equal shares."""
        said = self.options(name).importance
        return 1.0 / len(self.monitored) if said is None else said

    @classmethod
    def decode(cls, value: bytes, source: str = "plan") -> tuple[Plan, int]:
        """Inverse of `encode`: the plan and its `effective_from_ms`.

        Raises
        ------
        PlanError
            If the bytes are not a plan of this version, naming `source`.
        """
        try:
            document = msgspec.json.decode(value, type=PlanDocument)
            if document.format != PLAN_FORMAT:
                raise PlanError(f"format must be {PLAN_FORMAT}; got {document.format!r}")
            if isinstance(document.reference, msgspec.UnsetType):
                raise PlanError("it has no reference")
            reference = Reference.from_json(bytes(document.reference), source)
            settings = {f: getattr(document.settings, f) for f in PlanSettings.__struct_fields__}
            return cls(reference=reference, **settings), document.effective_from_ms
        except (msgspec.MsgspecError, ReferenceError, PlanError, UnicodeDecodeError) as error:
            raise PlanError(f"{source} is not a plan this version can read: {error}") from error


#: Timelines kept ready; beyond it all are forgotten, since anybody can invent versions.
_MAX_TIMELINES: Final = 4_096


class PlanBook:
    """The plans in force, by model, version and time. Both stages share one.

    `generation` grows with each plan added: whoever caches by plan then looks again.
    """

    def __init__(self) -> None:
        self._plans: dict[Subject, list[tuple[int, Plan]]] = {}
        self._timelines: dict[Subject, list[tuple[int, Plan]]] = {}
        self.generation = 0

    def add(self, plan: Plan, effective_from_ms: int = MINUS_INFINITY) -> bool:
        """Take a plan in; the first of a model holds from minus infinity. False if known."""
        timeline = self._plans.setdefault(Subject(plan.model, plan.version), [])
        if any(held.hash == plan.hash and since == effective_from_ms for since, held in timeline):
            return False
        timeline.append((effective_from_ms, plan))
        timeline.sort(key=lambda entry: entry[0])
        self._timelines.clear()
        self.generation += 1
        return True

    def plan_at(self, model: str, version: str, time_ms: int) -> Plan | None:
        """The plan that holds for this time: the exact version's first, else that of `*`."""
        timeline = self.timeline(model, version)
        for since, plan in reversed(timeline):
            if since <= time_ms:
                return plan
        return timeline[0][1] if timeline else None

    def timeline(self, model: str, version: str) -> list[tuple[int, Plan]]:
        """(holds from, plan) of a subject, oldest first; empty if unknown.

        Plans of `*` hold until the first plan of the exact version does.
        """
        subject = Subject(model, version)
        known = self._timelines.get(subject)
        if known is None:
            known = self._make_timeline(subject)
            if len(self._timelines) >= _MAX_TIMELINES:
                self._timelines.clear()
            self._timelines[subject] = known
        return known

    def _make_timeline(self, subject: Subject) -> list[tuple[int, Plan]]:
        exact = self._plans.get(subject, [])
        every: list[tuple[int, Plan]] = []
        if subject.version != ANY_VERSION:
            every = self._plans.get(Subject(subject.model, ANY_VERSION), [])
        return join_timeline([e for e in every if not exact or e[0] < exact[0][0]] + exact)

    def sealed_to_ms(self, model: str, version: str, source_frontier_ms: int) -> int:
        """Event time up to which a subject's panes are complete, lateness taken off."""
        if source_frontier_ms <= MINUS_INFINITY:
            return MINUS_INFINITY
        return sealed_to_ms(self.timeline(model, version), source_frontier_ms)

    def __iter__(self) -> Iterator[tuple[int, Plan]]:
        for timeline in self._plans.values():
            yield from timeline
