"""What a snapshot holds of a subject."""

from __future__ import annotations

from typing import Any

import msgspec

from stream.plans.plan import AnyPlan, PlanBook, Subject
from stream.stage2.alarms import Alarms
from stream.stage2.health import Health
from stream.stage2.lifetime import Lifetime
from stream.stage2.panes import Late

__all__ = ["SubjectState"]


class SubjectState(msgspec.Struct):
    """What a snapshot holds of a subject."""

    model: str
    version: str
    topic_id: str
    frontier_ms: int
    panes_sealed: int
    store: bytes
    late: dict[int, Late]
    health: Health
    plan: bytes
    phase: bytes = msgspec.field(name="course")
    episodes: list[Any]
    alarms: Alarms
    lifetime: Lifetime = msgspec.field(default_factory=Lifetime)

    def plan_in(self, plans: PlanBook) -> AnyPlan:
        """The plan that the state was made under.

        Raises
        ------
        ValueError
            If it is not in the plan book.
        """
        for _, plan in plans.timeline(self.model, self.version):
            if plan.short_hash == self.plan:
                return plan
        raise ValueError(
            f"{Subject(self.model, self.version)} was tested under plan {self.plan.hex()}, which "
            "is not on the plans topic; publish it again or let the state be rebuilt"
        )
