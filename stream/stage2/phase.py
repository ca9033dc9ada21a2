"""What becomes of a subject's sealed panes under one plan: warmup if need be, then detection.

While a plan's reference is learned or calibrated nothing is tested: every threshold for drift
depends on how much the stream varies by itself, which is what is being measured. The outcome is a
function of the sealed panes, and all of it is in the state, so it is the same for any partitioning
and through any restart.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from detectors import Reference
from stream.contracts.alert_event import AlertContext
from stream.plans.plan import AnyPlan, LearningPlan, Plan
from stream.stage2.copies import CopyCounter
from stream.stage2.detection import Detection, OnWindow, Step
from stream.stage2.joins import JOINED_FROM
from stream.stage2.learned_reference import LearnedReference
from stream.stage2.panes import Sealed, SealedPane
from stream.stage2.untested.planned import untested_by_plan
from stream.stage2.warmup import Warmup, warmup_for

__all__ = ["PlanPhase"]

log = logging.getLogger(__name__)


class _State(msgspec.Struct, array_like=True):
    """What a snapshot holds of a phase."""

    sealed_to_ms: int
    unjudged: int
    tested_since_ms: int
    warmup: bytes
    reference: bytes  # what was learned or calibrated, as JSON
    learned_reference: tuple[list[str], bytes] | None
    copies: bytes
    detection: bytes


class PlanPhase:
    """One subject under one plan; with `goes_on` the phase before had the same reference.

    Attributes
    ----------
    plan : Plan or LearningPlan
        As published.
    warmup : Warmup or None
        What is collected before anything is tested.
    detection : Detection or None
        What is tested, when there is no warmup or it is over.
    tested_since_ms : int
        Event time from which panes are tested, 0 before that or if they always were.
    """

    def __init__(
        self,
        plan: AnyPlan,
        name: str = "",
        on_window: OnWindow | None = None,
        *,
        goes_on: bool = False,
    ) -> None:
        self.plan = plan
        self.warmup: Warmup | None = warmup_for(plan)
        self.detection: Detection | None = None
        self.tested_since_ms = 0
        self._name = name
        self._on_window = on_window
        self._learned_reference: LearnedReference | None = None
        usual = plan.reference.copies.share if isinstance(plan, Plan) else 0.0
        self._copies = CopyCounter(plan.pane_ms, usual)
        self._outcome: tuple[bytes, tuple[list[str], bytes] | None] = (b"", None)
        self._sealed_to_ms = 0
        self._unjudged = 0  # events since the pipeline was last judged
        if isinstance(plan, Plan) and self.warmup is None:
            self.detection = Detection(plan, on_window, goes_on=goes_on)

    @property
    def reference_hash(self) -> str:
        """Of what is compared to; before there is any, of the plan's reference, or ""."""
        plan = self.plan if self.detection is None else self.detection.plan
        return "" if isinstance(plan, LearningPlan) else plan.reference.hash

    @property
    def window_alpha(self) -> float:
        """Level of each windowed test; 0 while there is none."""
        return 0.0 if self.detection is None else self.detection.budget.window_alpha

    @property
    def sealed_to_ms(self) -> int:
        """End of the last pane."""
        return self._sealed_to_ms if self.detection is None else self.detection.sealed_to_ms

    @property
    def unjudged(self) -> int:
        """Events of the window that is filling."""
        if self.detection is None:
            return self._unjudged
        window = self.detection.windows.filling.get("")
        return 0 if window is None else window.events

    def alert_context(self, offsets: Mapping[int, tuple[int, int]]) -> AlertContext:
        """What alerts say of their surroundings, for a decision that saw these offsets.

        `offsets` are first and last, by source partition; those of a join are not told.
        """
        plan = self.plan
        return AlertContext(
            environment=plan.environment,
            dashboard_url=plan.dashboard_url,
            runbook_url=plan.runbook_url,
            reference=self.reference_hash,
            config=plan.hash,
            false_alarms_per_week=plan.false_alarms_per_week,
            alpha=self.window_alpha,
            private=plan.private,
            budget_summary=None if self.detection is None else self.detection.budget_summary,
            offsets={
                f"{plan.topic}-{p}": span for p, span in sorted(offsets.items()) if p < JOINED_FROM
            },
        )

    def pane(self, sealed: SealedPane[Any]) -> Step:
        """Take the next sealed pane in; windows with an earlier deadline must have expired."""
        if self.detection is not None:
            sealed = self._copies.once(self._read(sealed), self.detection.layout.parts)
            return self._judged(self.detection.pane(sealed), self.detection)
        assert self.warmup is not None
        if isinstance(self.plan, Plan):
            sealed = self._copies.once(sealed, self.plan.layout.parts)
        else:  # a sketch cannot be divided
            self._copies.note(sealed.start_ms, sealed.ids.get(""))
        end_ms = self._sealed_to_ms = sealed.start_ms + self.plan.pane_ms
        events = self.warmup.add(sealed)
        if (plan := self.warmup.outcome(end_ms)) is not None:
            self._begin_detection(plan, end_ms)
        # The pipeline itself is judged as often as windows would close.
        self._unjudged += events
        judged = self._unjudged >= self.plan.window_events
        step = Step(end_ms, sealed.start_ms, events, [], judged, [], sealed.offsets)
        if judged:
            step = step._replace(events=self._unjudged)
            self._unjudged = 0
        return step

    def _read(self, sealed: SealedPane[Any]) -> Sealed:
        """Counts over the bins of the monitored signals."""
        learned_reference = self._learned_reference
        if learned_reference is None:
            return sealed
        counts = {
            segment: learned_reference.counts(sketch) for segment, sketch in sealed.counts.items()
        }
        return Sealed(sealed.start_ms, counts, sealed.offsets, ids=sealed.ids)

    def expire(self, time_ms: int) -> list[Step]:
        """Close the windows whose deadline has come, a step for each deadline."""
        detection = self.detection
        if detection is None:
            return []
        return [self._judged(step, detection) for step in detection.expire(time_ms)]

    def _judged(self, step: Step, detection: Detection) -> Step:
        """The step with the finding about copies, if a window of the whole stream closed."""
        if step.window_closed:
            found = self._copies.judge(step.at_ms, detection.budget.duplicates_alpha)
            if found is not None:
                step.findings.append(found)
        return step

    def look(self, step: Step) -> frozenset[str] | None:
        """Signals still unlike the reference in the window's first half; None if it is not due."""
        detection = self.detection
        return detection.unlike() if step.window_halved and detection is not None else None

    def _begin_detection(self, plan: Plan, now_ms: int) -> None:
        warmup, self.warmup = self.warmup, None
        assert warmup is not None
        self._copies.usual = self._copies.share
        copies = replace(plan.reference.copies, share=self._copies.share)
        plan = plan.with_reference(replace(plan.reference, copies=copies))
        learned = self._learned_reference = warmup.learned_reference
        self._outcome = plan.reference.to_json(), None if learned is None else learned.dump()
        self.detection = Detection(plan, self._on_window)
        self.tested_since_ms = now_ms
        log.info(
            "%s: %s from %d events, %d signals; tested from event time %d ms on; reference %s",
            self._name,
            "calibrated" if learned is None else "learned",
            warmup.events,
            len(plan.monitored),
            now_ms,
            plan.reference.hash[:19],
        )
        for words in plan.reference.warnings:
            log.warning("%s: %s", self._name, words)
        for untested in untested_by_plan(plan):
            if untested.is_gap:
                log.warning("%s: %s", self._name, untested.line)

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse."""
        state = _State(
            self._sealed_to_ms,
            self._unjudged,
            self.tested_since_ms,
            b"" if self.warmup is None else self.warmup.dump(),
            *self._outcome,
            self._copies.dump(),
            b"" if self.detection is None else self.detection.dump(),
        )
        return msgspec.msgpack.encode(state)

    def load(self, data: bytes) -> None:
        """Take over a dumped state of a phase under the same plan."""
        state = msgspec.msgpack.decode(data, type=_State)
        self._sealed_to_ms, self._unjudged = state.sealed_to_ms, state.unjudged
        self.tested_since_ms = state.tested_since_ms
        self._copies.load(state.copies)
        if state.reference:
            reference = Reference.from_json(state.reference, "snapshot")
            self.warmup, self._outcome = None, (state.reference, state.learned_reference)
            self._copies.usual = reference.copies.share
            self.detection = Detection(self.plan.with_reference(reference), self._on_window)
            if state.learned_reference is not None:
                self._learned_reference = LearnedReference.load(reference, state.learned_reference)
        if self.warmup is not None:
            self.warmup.load(state.warmup)
        if self.detection is not None:
            self.detection.load(state.detection)
