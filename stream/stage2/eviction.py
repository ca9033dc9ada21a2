"""The phase of an idle subject is evicted: kept as bytes until something happens to it.

An evicted phase is its dumped state, a tenth of the memory, and is loaded again when a pane is to
be sealed or a window's deadline comes. Dumps are exact, so nothing shows when that was. A phase
whose alert fires stays in memory, because people look at what it was found in.
"""

from __future__ import annotations

from stream.contracts.moments import INFINITY
from stream.plans.plan import AnyPlan
from stream.stage2.detection import OnWindow
from stream.stage2.phase import PlanPhase

__all__ = ["EvictablePhase"]


class EvictablePhase:
    """The phase of one subject, in memory or evicted.

    Attributes
    ----------
    phase : PlanPhase or None
        The one in memory; None before the first pane and while it is evicted.
    """

    def __init__(self, name: str, on_window: OnWindow | None = None) -> None:
        self.phase: PlanPhase | None = None
        self._name = name
        self._on_window = on_window
        self._evicted: tuple[AnyPlan, bytes, int] | None = None
        self._used = True
        self._rests = False

    @property
    def is_idle(self) -> bool:
        """Whether there is a phase, and nothing has used it for a while."""
        return self._rests or self._evicted is not None

    @property
    def plan(self) -> AnyPlan | None:
        """The plan of the phase, evicted or not; None before the first pane."""
        if self._evicted is not None:
            return self._evicted[0]
        return None if self.phase is None else self.phase.plan

    def clear(self) -> None:
        """Forget the phase."""
        self.phase, self._evicted = None, None

    def take(self) -> PlanPhase | None:
        """The phase, in memory from now on; None before the first pane."""
        self._used, self._rests = True, False
        if self._evicted is not None:
            plan, state, _ = self._evicted
            self.load(plan, state)
        return self.phase

    def take_due(self, time_ms: int) -> PlanPhase | None:
        """The phase if it is in memory, or has a window whose deadline this time reaches."""
        if self._evicted is not None and self._evicted[2] <= time_ms:
            return self.take()
        return self.phase

    def begin(self, plan: AnyPlan) -> PlanPhase:
        """A new phase under this plan, in place of the one before."""
        before = self.plan
        goes_on = before is not None and before.baseline_id == plan.baseline_id
        self._used, self._rests, self._evicted = True, False, None
        self.phase = PlanPhase(plan, self._name, self._on_window, goes_on=goes_on)
        return self.phase

    def release(self, *, keep: bool) -> bool:
        """Evict the phase if nothing has used it since the last call; whether it did.

        With `keep` it is idle, and stays in memory where it can be looked at.
        """
        phase, used, self._used = self.phase, self._used, False
        if used or phase is None:
            return False
        self._rests = keep
        if keep:
            return False
        due_ms = INFINITY if phase.detection is None else phase.detection.windows.next_deadline_ms
        self._evicted = (phase.plan, phase.dump(), INFINITY if due_ms is None else due_ms)
        self.phase = None
        return True

    def dump(self) -> tuple[bytes, bytes]:
        """The plan's short hash and the state; both empty before the first pane."""
        if self._evicted is not None:
            return self._evicted[0].short_hash, self._evicted[1]
        if self.phase is None:
            return b"", b""
        return self.phase.plan.short_hash, self.phase.dump()

    def load(self, plan: AnyPlan, state: bytes) -> None:
        """Take over the dumped state of a phase under this plan."""
        self.begin(plan).load(state)
