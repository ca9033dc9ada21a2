"""What is collected before anything is tested: to calibrate a reference, or to learn one.

A warmup is a function of the sealed panes and their order, and so is its outcome.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, Protocol

import msgspec
import numpy as np

from detectors.figures import figure
from detectors.outcomes.residual_effects import with_effects
from detectors.references.calibration import GOOD_BATCHES, LEAST_BATCHES
from detectors.references.recalibrate import PaneBatches, calibrated
from stream.contracts.moments import NOT_YET
from stream.plans.plan import AnyPlan, LearningPlan, Plan
from stream.sketches.sketch import Sketch
from stream.stage2.learned_reference import LearnedReference, begin_reference, finish_reference
from stream.stage2.panes import Sealed, SealedPane
from stream.text.durations import HOUR_MS

__all__ = ["CalibrationWarmup", "LearningWarmup", "Warmup", "warmup_for"]

#: So many cycles show how one differs from the next.
_GOOD_CYCLES: Final = 4

_Batches = tuple[int, int, list[tuple[int, bytes]]]


class Warmup(Protocol):
    """Panes in; out comes a plan whose reference can be tested against."""

    learned_reference: LearnedReference | None

    @property
    def events(self) -> int:
        """Collected so far."""

    def add(self, sealed: SealedPane[Any]) -> int:
        """Take the next pane in; how many events it has."""

    def outcome(self, now_ms: int) -> Plan | None:
        """The plan to test under from now on; None if there are not enough events yet."""

    def missing(self) -> str:
        """What is missing until there is an outcome, in words."""

    def dump(self) -> bytes:
        """The state as bytes."""

    def load(self, data: bytes) -> None:
        """Take over a dumped state."""


def warmup_for(plan: AnyPlan) -> Warmup | None:
    """The warmup that a plan needs before anything is tested; None if it needs none."""
    if isinstance(plan, LearningPlan):
        return LearningWarmup(plan)
    return CalibrationWarmup(plan) if plan.calibrate_ms else None


class CalibrationWarmup:
    """Counts of a period, to measure the dependence that a reference does not tell."""

    def __init__(self, plan: Plan) -> None:
        self.learned_reference: LearnedReference | None = None
        self.events = 0
        self._plan = plan
        self._began_ms = NOT_YET
        self._batches = PaneBatches(plan.layout.width, plan.cycle_ms)

    def add(self, sealed: Sealed) -> int:
        """Take the next pane in; how many events it has."""
        if self._began_ms == NOT_YET:
            self._began_ms = sealed.start_ms
        whole = sealed.counts.get("")
        if whole is None:
            whole = np.zeros(self._plan.layout.width, np.int64)
        self._batches.add(sealed.start_ms, whole)
        self.events += int(whole[0])
        return int(whole[0])

    def outcome(self, now_ms: int) -> Plan | None:
        """The plan with a calibrated reference, when the period is over."""
        plan = self._plan
        if now_ms - self._began_ms < plan.calibrate_ms or len(self._batches) < LEAST_BATCHES:
            return None
        reference = calibrated(
            plan.reference,
            plan.monitored,
            self._batches.table,
            first_ms=self._began_ms,
            last_ms=now_ms,
        )
        if (outcome := plan.outcome) is not None:
            cells = self._batches.table[:, plan.layout.cells]
            reference = replace(reference, outcome=with_effects(outcome, cells))
        return plan.with_reference(reference)

    def missing(self) -> str:
        """What is missing until there is an outcome, in words."""
        return (
            f"calibrates for {figure(self._plan.calibrate_ms / HOUR_MS)} h of event time; "
            f"{self.events:,} events in {len(self._batches)} batches so far"
        )

    def dump(self) -> bytes:
        """The state as bytes."""
        return msgspec.msgpack.encode((self._began_ms, self.events, self._batches.dump()))

    def load(self, data: bytes) -> None:
        """Take over a dumped state."""
        kind = tuple[int, int, _Batches]
        self._began_ms, self.events, batches = msgspec.msgpack.decode(data, type=kind)
        self._batches.load(batches)


class _Learned(msgspec.Struct, array_like=True):
    began_ms: int
    second_ms: int
    first: bytes
    whole: bytes
    batches: _Batches | None


class LearningWarmup:
    """Sketches, until signals and bins are clear; then counts over the bins as well."""

    def __init__(self, plan: LearningPlan) -> None:
        self.learned_reference: LearnedReference | None = None
        self._plan = plan
        self._began_ms = self._second_ms = NOT_YET
        self._first = b""  # the sketch that the bins are from
        self._whole = Sketch()
        self._batches: PaneBatches | None = None

    @property
    def events(self) -> int:
        """Collected so far."""
        return self._whole.events

    def add(self, sealed: SealedPane[Sketch]) -> int:
        """Take the next pane in; how many events it has."""
        if self._began_ms == NOT_YET:
            self._began_ms = sealed.start_ms
        pane = sealed.counts.get("") or Sketch()
        self._whole.merge(pane)
        if self.learned_reference is not None and self._batches is not None:
            self._batches.add(sealed.start_ms, self.learned_reference.counts(pane))
        else:
            self._end_first_half(sealed.start_ms + self._plan.pane_ms)
        return pane.events

    def _end_first_half(self, now_ms: int) -> None:
        """Fix the bins, if half of the events are there and a whole cycle has passed."""
        plan = self._plan
        enough = 2 * self._whole.events >= plan.learn.warm_up
        if not enough or now_ms - self._began_ms < plan.cycle_ms:
            return
        first = self._whole.encode()
        learned_reference = begin_reference(plan, Sketch.decode(first))
        if learned_reference.signals:  # events without any value give no signal
            self._second_ms, self._first = now_ms, first
            self._begin_second_half(learned_reference)

    def _begin_second_half(self, learned_reference: LearnedReference) -> None:
        self.learned_reference = learned_reference
        self._batches = PaneBatches(learned_reference.layout.width, self._plan.cycle_ms)

    def outcome(self, now_ms: int) -> Plan | None:
        """The plan with what was learned, when there are events and batches enough."""
        plan, learned, batches = self._plan, self.learned_reference, self._batches
        if learned is None or batches is None:
            return None
        least_ms = max(plan.calibrate_ms, _GOOD_CYCLES * plan.cycle_ms)
        if (
            self._whole.events < plan.learn.warm_up
            or now_ms - self._second_ms < least_ms
            or len(batches) < (LEAST_BATCHES if plan.cycle_ms else GOOD_BATCHES)
        ):
            return None
        self.learned_reference, reference = finish_reference(
            plan, learned, self._whole, batches.table, first_ms=self._began_ms, last_ms=now_ms
        )
        return plan.with_reference(reference)

    def missing(self) -> str:
        """What is missing until there is an outcome, in words."""
        half = "first" if self._batches is None else "second"
        batches = 0 if self._batches is None else len(self._batches)
        return (
            f"learned from {self.events:,} of {self._plan.learn.warm_up:,} events so far, in the "
            f"{half} half, {batches} batches of it"
        )

    def dump(self) -> bytes:
        """The state as bytes."""
        batches = None if self._batches is None else self._batches.dump()
        whole = self._whole.encode()
        state = _Learned(self._began_ms, self._second_ms, self._first, whole, batches)
        return msgspec.msgpack.encode(state)

    def load(self, data: bytes) -> None:
        """Take over a dumped state."""
        state = msgspec.msgpack.decode(data, type=_Learned)
        self._began_ms, self._second_ms = state.began_ms, state.second_ms
        self._first, self._whole = state.first, Sketch.decode(state.whole)
        if state.batches is not None:
            self._begin_second_half(begin_reference(self._plan, Sketch.decode(state.first)))
            assert self._batches is not None
            self._batches.load(state.batches)
