"""What becomes of a subject's sealed panes under one plan: study if need be, then watch.

While a plan's reference is learned or calibrated nothing is tested: every threshold for drift
depends on how much the stream varies by itself, which is what is being measured. The outcome is a
function of the sealed panes, and all of it is in the state, so it is the same for any partitioning
and through any restart.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import msgspec

from detectors import Reference
from stream.plans.plan import AnyPlan, LearningPlan, Plan
from stream.stage2.copies import CopyCounter
from stream.stage2.detection import OnWindow, Step, Watch
from stream.stage2.learned_reference import Lesson
from stream.stage2.panes import Sealed, SealedPane
from stream.stage2.untested.planned import untested_by_plan
from stream.stage2.warmup import Study, study_for

__all__ = ["Course"]

log = logging.getLogger(__name__)


class _State(msgspec.Struct, array_like=True):
    """What a snapshot holds of a course."""

    sealed_to_ms: int
    unjudged: int
    watching_since_ms: int
    study: bytes
    reference: bytes  # what was learned or calibrated, as JSON
    lesson: tuple[list[str], bytes] | None
    copies: bytes
    watch: bytes


class Course:
    """One subject under one plan; with `goes_on` the one before had the same reference.

    Attributes
    ----------
    plan : Plan or LearningPlan
        As published.
    study : Study or None
        What is collected before anything is tested.
    watch : Watch or None
        What is tested, when there is no study or it is over.
    watching_since_ms : int
        Event time from which panes are tested, 0 before that or if they always were.
    """

    def __init__(
        self, plan: AnyPlan, name: str = "", on_window: OnWindow | None = None, *,
        goes_on: bool = False,
    ) -> None:  # fmt: skip
        self.plan = plan
        self.study: Study | None = study_for(plan)
        self.watch: Watch | None = None
        self.watching_since_ms = 0
        self._name = name
        self._on_window = on_window
        self._lesson: Lesson | None = None
        usual = plan.reference.copies.share if isinstance(plan, Plan) else 0.0
        self._copies = CopyCounter(plan.pane_ms, usual)
        self._outcome: tuple[bytes, tuple[list[str], bytes] | None] = (b"", None)
        self._sealed_to_ms = 0
        self._unjudged = 0  # events since the pipeline was last judged
        if isinstance(plan, Plan) and self.study is None:
            self.watch = Watch(plan, on_window, goes_on=goes_on)

    @property
    def reference_hash(self) -> str:
        """Of what is compared to; before there is any, of the plan's reference, or ""."""
        plan = self.plan if self.watch is None else self.watch.plan
        return "" if isinstance(plan, LearningPlan) else plan.reference.hash

    @property
    def window_alpha(self) -> float:
        """Level of each windowed test; 0 while there is none."""
        return 0.0 if self.watch is None else self.watch.budget.window_alpha

    @property
    def sealed_to_ms(self) -> int:
        """End of the last pane."""
        return self._sealed_to_ms if self.watch is None else self.watch.sealed_to_ms

    @property
    def unjudged(self) -> int:
        """Events of the window that is filling."""
        if self.watch is None:
            return self._unjudged
        window = self.watch.windows.filling.get("")
        return 0 if window is None else window.events

    def pane(self, sealed: SealedPane[Any]) -> Step:
        """Take the next sealed pane in; windows with an earlier deadline must have expired."""
        if self.watch is not None:
            sealed = self._copies.once(self._read(sealed), self.watch.layout.start)
            return self._judged(self.watch.pane(sealed), self.watch)
        assert self.study is not None
        if isinstance(self.plan, Plan):
            sealed = self._copies.once(sealed, self.plan.layout.start)
        else:  # a sketch cannot be divided
            self._copies.note(sealed.start_ms, sealed.ids.get(""))
        end_ms = self._sealed_to_ms = sealed.start_ms + self.plan.pane_ms
        events = self.study.add(sealed)
        if (plan := self.study.outcome(end_ms)) is not None:
            self._begin_watch(plan, end_ms)
        # The pipeline itself is judged as often as windows would close.
        self._unjudged += events
        judged = self._unjudged >= self.plan.window_events
        step = Step(end_ms, sealed.start_ms, events, [], judged, [], sealed.offsets)
        if judged:
            step = step._replace(events=self._unjudged)
            self._unjudged = 0
        return step

    def _read(self, sealed: SealedPane[Any]) -> Sealed:
        """Counts over the bins of what is watched."""
        lesson = self._lesson
        if lesson is None:
            return sealed
        counts = {segment: lesson.counts(sketch) for segment, sketch in sealed.counts.items()}
        return Sealed(sealed.start_ms, counts, sealed.offsets, ids=sealed.ids)

    def expire(self, time_ms: int) -> list[Step]:
        """Close the windows whose deadline has come, a step for each deadline."""
        watch = self.watch
        return [] if watch is None else [self._judged(s, watch) for s in watch.expire(time_ms)]

    def _judged(self, step: Step, watch: Watch) -> Step:
        """The step with what is to be said of copies, if a window of the whole stream closed."""
        if step.window_closed:
            found = self._copies.judge(step.at_ms, watch.budget.duplicates_alpha)
            if found is not None:
                step.findings.append(found)
        return step

    def look(self, step: Step) -> frozenset[str] | None:
        """Signals still unlike the reference in the window's first half; None if it is not due."""
        return self.watch.unlike() if step.window_halved and self.watch is not None else None

    def _begin_watch(self, plan: Plan, now_ms: int) -> None:
        study, self.study = self.study, None
        assert study is not None
        self._copies.usual = self._copies.share
        copies = replace(plan.reference.copies, share=self._copies.share)
        plan = plan.watching(replace(plan.reference, copies=copies))
        lesson = self._lesson = study.lesson
        self._outcome = plan.reference.to_json(), None if lesson is None else lesson.dump()
        self.watch = Watch(plan, self._on_window)
        self.watching_since_ms = now_ms
        log.info(
            "%s: %s from %d events, %d signals; tested from event time %d ms on; reference %s",
            self._name, "learned" if self._lesson is not None else "calibrated", study.events,
            len(plan.monitored), now_ms, plan.reference.hash[:19],
        )  # fmt: skip
        for words in plan.reference.warnings:
            log.warning("%s: %s", self._name, words)
        for untested in untested_by_plan(plan):
            log.warning("%s: %s", self._name, untested.line)

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse."""
        state = _State(
            self._sealed_to_ms, self._unjudged, self.watching_since_ms,
            b"" if self.study is None else self.study.dump(), *self._outcome,
            self._copies.dump(), b"" if self.watch is None else self.watch.dump(),
        )  # fmt: skip
        return msgspec.msgpack.encode(state)

    def load(self, data: bytes) -> None:
        """Take over a dumped state of a course under the same plan."""
        state = msgspec.msgpack.decode(data, type=_State)
        self._sealed_to_ms, self._unjudged = state.sealed_to_ms, state.unjudged
        self.watching_since_ms = state.watching_since_ms
        self._copies.load(state.copies)
        if state.reference:
            reference = Reference.from_json(state.reference, "snapshot")
            self.study, self._outcome = None, (state.reference, state.lesson)
            self._copies.usual = reference.copies.share
            self.watch = Watch(self.plan.watching(reference), self._on_window)
            if state.lesson is not None:
                self._lesson = Lesson.load(reference, state.lesson)
        if self.study is not None:
            self.study.load(state.study)
        if self.watch is not None:
            self.watch.load(state.watch)
