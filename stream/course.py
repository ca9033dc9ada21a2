"""What becomes of a subject's sealed panes under one plan: calibrate if asked to, then watch.

While a plan calibrates, counts are collected and nothing is tested: every threshold for drift
depends on how much the stream varies by itself, which is what is being measured. The outcome is a
function of the sealed panes, and all of it is in the state, so it is the same for any partitioning
and through any restart.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final

import msgspec
import numpy as np

from detectors import Reference
from detectors.calibration import LEAST_BATCHES
from detectors.production import PaneBatches, calibrated
from stream.panes import Sealed
from stream.plan import Plan
from stream.watch import OnWindow, Step, Watch

__all__ = ["Course"]

log = logging.getLogger(__name__)

_NEVER_BEGAN: Final = -1


class _State(msgspec.Struct, array_like=True):
    """What a snapshot holds of a course."""

    began_ms: int
    sealed_to_ms: int
    unjudged: int
    watching_since_ms: int
    reference: bytes  # what was calibrated, as JSON
    batches: tuple[int, int, list[tuple[int, bytes]]]
    watch: bytes


class Course:
    """One subject under one plan.

    Attributes
    ----------
    plan : Plan
        As published.
    watch : Watch or None
        From the moment on that something is tested.
    events : int
        Collected so far for that.
    watching_since_ms : int
        Event time from which panes are tested, 0 before that or if they always were.
    """

    def __init__(self, plan: Plan, name: str = "", on_window: OnWindow | None = None) -> None:
        self.plan = plan
        self.events = 0
        self.watching_since_ms = 0
        self.watch = None if plan.calibrate_ms else Watch(plan, on_window)
        self._name = name
        self._on_window = on_window
        self._began_ms = _NEVER_BEGAN
        self._sealed_to_ms = 0
        self._unjudged = 0  # events since the pipeline was last judged
        self._batches = self._no_batches()

    @property
    def reference_hash(self) -> str:
        """Of what is compared to; of the plan's reference before there is another."""
        return (self.plan if self.watch is None else self.watch.plan).reference.hash

    @property
    def window_alpha(self) -> float:
        """Level of each windowed test; 0 while there is none."""
        return 0.0 if self.watch is None else self.watch.budget.window_alpha

    @property
    def sealed_to_ms(self) -> int:
        """End of the last pane."""
        return self._sealed_to_ms if self.watch is None else self.watch.sealed_to_ms

    def pane(self, sealed: Sealed) -> Step:
        """Take the next sealed pane in; windows with an earlier deadline must have expired."""
        if self.watch is not None:
            return self.watch.pane(sealed)
        if self._began_ms == _NEVER_BEGAN:
            self._began_ms = sealed.start_ms
        end_ms = self._sealed_to_ms = sealed.start_ms + self.plan.pane_ms
        whole = sealed.counts.get("")
        if whole is None:
            whole = np.zeros(self.plan.layout.width, np.int64)
        events = int(whole[0])
        self.events += events
        self._batches.add(sealed.start_ms, whole)
        if (
            end_ms - self._began_ms >= self.plan.calibrate_ms
            and len(self._batches) >= LEAST_BATCHES
        ):
            self._begin_watch(end_ms)
        # The pipeline itself is judged as often as windows would close.
        self._unjudged += events
        judged = self._unjudged >= self.plan.window_events
        step = Step(end_ms, sealed.start_ms, events, [], judged, [], sealed.offsets)
        if judged:
            step = step._replace(events=self._unjudged)
            self._unjudged = 0
        return step

    def expire(self, time_ms: int) -> list[Step]:
        """Close the windows whose deadline has come, a step for each deadline."""
        return [] if self.watch is None else self.watch.expire(time_ms)

    def _begin_watch(self, now_ms: int) -> None:
        plan, batches = self.plan, self._batches
        reference = calibrated(
            plan.reference, plan.monitored, batches.table, first_ms=self._began_ms, last_ms=now_ms
        )
        self.watch = self._watch_with(reference)
        self.watching_since_ms = now_ms
        log.info(
            "%s: calibrated from %d events in %d batches; tested from now on (event time %d ms), "
            "reference %s", self._name, self.events, len(batches), now_ms, reference.hash[:19],
        )  # fmt: skip
        self._batches = self._no_batches()

    def _watch_with(self, reference: Reference) -> Watch:
        return Watch(replace(self.plan, reference=reference, calibrate_ms=0), self._on_window)

    def _no_batches(self) -> PaneBatches:
        return PaneBatches(self.plan.layout.width, self.plan.cycle_ms)

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse."""
        ours = self.watch is not None and self.watch.plan is not self.plan
        state = _State(
            self._began_ms, self._sealed_to_ms, self._unjudged, self.watching_since_ms,
            self.watch.plan.reference.to_json() if self.watch is not None and ours else b"",
            self._batches.dump(), b"" if self.watch is None else self.watch.dump(),
        )  # fmt: skip
        return msgspec.msgpack.encode(state)

    def load(self, data: bytes) -> None:
        """Take over a dumped state of a course under the same plan."""
        state = msgspec.msgpack.decode(data, type=_State)
        self._began_ms, self._sealed_to_ms = state.began_ms, state.sealed_to_ms
        self._unjudged, self.watching_since_ms = state.unjudged, state.watching_since_ms
        self._batches.load(state.batches)
        self.events = int(self._batches.table[:, 0].sum())
        if state.reference:
            self.watch = self._watch_with(Reference.from_json(state.reference, "snapshot"))
        if self.watch is not None:
            self.watch.load(state.watch)
