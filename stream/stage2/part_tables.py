"""What windows of one part of a stream are compared with, where the reference knows it."""

from __future__ import annotations

from detectors import WindowBank
from stream.plans.plan import Plan
from stream.stage2.relation_tests import UsualRelation

__all__ = ["PartTables"]


class PartTables:
    """Tables of one part: read by its tests, never changed.

    Attributes
    ----------
    plan : Plan
        The whole's, with the part's own reference.
    bank : WindowBank
        Over the whole's layout.
    relation : UsualRelation or None
        Where outcomes are counted.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.bank = WindowBank(plan.monitored, plan.layout, plan.windowed_tests)
        self.relation = None if plan.outcome is None else UsualRelation.of(plan)
