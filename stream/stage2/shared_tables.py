"""What a plan's tests read and never change: one for all subjects under equal plans.

A model with many versions has a subject for each; thresholds, coarse bins and tables of growth are
then those of the plan and take most of the memory, so they are shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt

from detectors import (
    Budget,
    DayTests,
    EDetectorBank,
    EvidenceBank,
    GrowthTable,
    ScoreTable,
    ShareGrowth,
    ShareTable,
    SlotEDetectorBank,
    SlotGrowth,
    SlotRanks,
    SlotScores,
    SlotWindowBank,
    WindowBank,
)
from detectors.windowed.power import Powerless
from stream.plans.plan import Plan
from stream.plans.slots import DAY
from stream.stage2.part_tables import PartTables
from stream.stage2.powerless import powerless_tests
from stream.text.durations import HOUR_MS

__all__ = ["SharedTables"]


#: Why a test finds nothing, where larger windows alone would not help.
_OF_THE_REFERENCE: Final = ("dependence", "no_room", "small_reference")
#: By the plan's hash, as long as somebody uses it.
_MADE: WeakValueDictionary[str, SharedTables] = WeakValueDictionary()


class SharedTables:
    """Budget and tables of one plan; `of` gives the one that equal plans share.

    Attributes
    ----------
    adwin_on, edetector_on, day_on : bool[S]
        The signals that have this test.
    adwin_delta, adwin_phi : float64[slots]
        Of ADWIN's slots: x and y of each numeric signal, then the shares that it follows. Those of
        one signal share its part of the budget.
    powerless : tuple of Powerless
        The windowed tests that find nothing. A rate of new names among them that the reference
        does not tell is followed by no test of single panes either.
    ranks : SlotRanks, optional
        Where the reference has slots: scores by slot, for change points.
    days : DayTests, optional
        Where it has slots, those of whole days.
    """

    def __init__(self, plan: Plan) -> None:
        self.budget = Budget.of(
            plan.reference,
            plan.monitored,
            false_alarms_per_week=plan.false_alarms_per_week,
            pane_ms=plan.pane_ms,
            cycle_ms=plan.cycle_ms,
            window_events=plan.window_events,
            window_max_age_ms=plan.window_max_age_ms,
            segments=len(plan.segments),
            edetector=True,
            limits=len(plan.limits),
            disparities=sum(len(each.disparities) for each in plan.fairness),
        )
        signals, layout, calendar = plan.monitored, plan.layout, plan.reference.calendar
        self.scores: ScoreTable | SlotScores
        self._growth: GrowthTable | SlotGrowth
        self.ranks: SlotRanks | None = None
        self.days: DayTests | None = None
        if calendar is None:
            self.bank = WindowBank(signals, layout, plan.windowed_tests)
            self.scores = ScoreTable(signals, layout)
            self._growth = GrowthTable(signals, layout, self.budget.edetector_z)
        else:
            self.bank = SlotWindowBank(signals, layout, plan.windowed_tests, calendar)
            self.scores = scores = SlotScores(signals, layout, calendar)
            self._growth = SlotGrowth(
                signals, layout, scores, self.budget.edetector_z, by_table=plan.pane_ms < HOUR_MS
            )
            self.ranks = SlotRanks(signals, layout, calendar)
            self.days = DayTests([signals[int(i)] for i in layout.numeric], scores)
        z = self.budget.edetector_z
        self.powerless = powerless_tests(plan, self.bank, self.budget)
        self.shares = ShareTable(signals, layout, _followed(self.bank, self.powerless), calendar)
        self._share_growth = ShareGrowth(self.shares, z, signals, layout, calendar)
        self.adwin_phi = np.concatenate([self.scores.phi.ravel(), self.shares.adwin_phi])
        self.adwin_delta = self.shares.adwin_deltas(self.budget.adwin_delta, layout.numeric)
        self.adwin_on, self.edetector_on = _on(plan, "adwin"), _on(plan, "edetector")
        self.day_on = _on(plan, DAY)
        self._plan = plan
        self._parts: dict[str, PartTables] = {}

    def of_part(self, scope: str) -> PartTables | None:
        """Tables of a part, made when it is first asked for; None without counts of its own."""
        known = self._parts.get(scope)
        if known is None and (plan := self._plan.of_part(scope)) is not None:
            known = self._parts[scope] = PartTables(plan)
        return known

    def edetector(self) -> EvidenceBank:
        """Fresh e-detectors of one subject."""
        threshold = self.budget.edetector_threshold
        ranks: EDetectorBank
        if isinstance(self._growth, SlotGrowth):
            ranks = SlotEDetectorBank(self._growth, threshold=threshold)
        else:
            ranks = EDetectorBank((), threshold=threshold, table=self._growth)
        return EvidenceBank(ranks, self._share_growth)

    @classmethod
    def of(cls, plan: Plan) -> SharedTables:
        """The tables of a plan, made if no subject has them yet."""
        tables = _MADE.get(plan.hash)
        if tables is None:
            tables = _MADE[plan.hash] = cls(plan)
        return tables


def _followed(bank: WindowBank, powerless: Sequence[Powerless]) -> dict[str, list[str]]:
    """Names of each signal's tests, without a rate of new names that the reference does not tell.

    Where names stay so long that it holds few of such stays, or it is of names that come and go
    itself, its batches do not say how many new ones to expect. Windows are too small to find
    anything then, and a test of single panes would take chance for more.
    """
    untold = {
        (each.signal, each.test)
        for each in powerless
        if each.test == "unseen_rate" and each.why in _OF_THE_REFERENCE
    }
    followed: dict[str, list[str]] = {signal.name: [] for signal in bank.signals}
    for index, test in bank.chosen:
        if (index, test) not in untold:
            followed[bank.signals[index].name].append(test)
    return followed


def _on(plan: Plan, test: str) -> npt.NDArray[np.bool_]:
    chosen = [plan.options(signal.name).tests for signal in plan.monitored]
    return np.array([not tests or test in tests for tests in chosen], np.bool_)
