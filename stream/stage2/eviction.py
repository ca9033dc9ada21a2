"""Where a subject's course is: at work, or put away as bytes while nothing happens to it.

A course put away is its dumped state, a tenth of the memory, and is loaded again when a pane is to
be sealed or a window's deadline comes. Dumps are exact, so nothing shows when that was. One that is
still to be looked at, because its alert fires, rests where it is.
"""

from __future__ import annotations

from typing import Final

from stream.plans.plan import AnyPlan
from stream.stage2.detection import OnWindow
from stream.stage2.phase import Course

__all__ = ["Shelf"]

_NEVER: Final = 2**62


class Shelf:
    """The course of one subject.

    Attributes
    ----------
    course : Course or None
        The one at work; None before the first pane and while it is put away.
    """

    def __init__(self, name: str, on_window: OnWindow | None = None) -> None:
        self.course: Course | None = None
        self._name = name
        self._on_window = on_window
        self._away: tuple[AnyPlan, bytes, int] | None = None
        self._used = True
        self._rests = False

    @property
    def is_idle(self) -> bool:
        """Whether there is a course, and nothing has used it for a while."""
        return self._rests or self._away is not None

    @property
    def plan(self) -> AnyPlan | None:
        """The plan of the course, at work or not; None before the first pane."""
        if self._away is not None:
            return self._away[0]
        return None if self.course is None else self.course.plan

    def clear(self) -> None:
        """Forget the course."""
        self.course, self._away = None, None

    def take(self) -> Course | None:
        """The course, at work from now on; None before the first pane."""
        self._used, self._rests = True, False
        if self._away is not None:
            plan, state, _ = self._away
            self.load(plan, state)
        return self.course

    def take_due(self, time_ms: int) -> Course | None:
        """The course if it is at work, or has a window whose deadline is at or before this time."""
        if self._away is not None and self._away[2] <= time_ms:
            return self.take()
        return self.course

    def begin(self, plan: AnyPlan) -> Course:
        """A new course under this plan, in place of the one before."""
        before = self.plan
        goes_on = before is not None and before.baseline_id == plan.baseline_id
        self._used, self._rests, self._away = True, False, None
        self.course = Course(plan, self._name, self._on_window, goes_on=goes_on)
        return self.course

    def release(self, *, keep: bool) -> bool:
        """Put the course away if nothing has used it since the last call; whether it did.

        With `keep` it is idle, and stays where it can be looked at.
        """
        course, used, self._used = self.course, self._used, False
        if used or course is None:
            return False
        self._rests = keep
        if keep:
            return False
        due_ms = _NEVER if course.watch is None else course.watch.windows.next_deadline_ms
        self._away = (course.plan, course.dump(), _NEVER if due_ms is None else due_ms)
        self.course = None
        return True

    def dump(self) -> tuple[bytes, bytes]:
        """The plan's short hash and the state; both empty before the first pane."""
        if self._away is not None:
            return self._away[0].short_hash, self._away[1]
        if self.course is None:
            return b"", b""
        return self.course.plan.short_hash, self.course.dump()

    def load(self, plan: AnyPlan, state: bytes) -> None:
        """Take over the dumped state of a course under this plan."""
        self.begin(plan).load(state)
