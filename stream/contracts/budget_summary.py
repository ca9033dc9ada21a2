"""What the false-alarm budget of a subject allows its tests: for alerts that say so in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from detectors import Budget

__all__ = ["BudgetSummary"]


class BudgetSummary(msgspec.Struct, frozen=True):
    """What the budget of a subject allows.

    Attributes
    ----------
    tests : int
        Families of tests over all signals, limits and disparities: they share the budget.
    windows_per_week, panes_per_week : float
        Checks that the budget was divided among.
    window_alpha, segment_alpha : float
        Chance of a false alarm of a signal in a window of the whole stream, and of a segment.
    share_per_week : float
        False alarms a week that each family may make.
    fairness_alpha : float
        Chance of a false alarm of a disparity in a stretch of windows.
    """

    tests: int
    false_alarms_per_week: float
    windows_per_week: float
    panes_per_week: float
    window_alpha: float
    segment_alpha: float
    share_per_week: float
    cycle: bool = False
    fairness_alpha: float = 0.0

    @classmethod
    def of(
        cls,
        budget: Budget,
        signals: int,
        cycle: bool,
        *,
        limits: bool = False,
        relation: bool = False,
        disparities: int = 0,
    ) -> BudgetSummary:
        """The summary of a budget that `signals` signals share.

        The relation of truth and score is one signal more, all limits are one family, and each
        disparity is one. With `cycle` panes are cycles.
        """
        return cls(
            tests=3 * (signals + relation) + limits + disparities,
            false_alarms_per_week=budget.false_alarms_per_week,
            windows_per_week=budget.windows_per_week,
            panes_per_week=budget.panes_per_week,
            window_alpha=budget.window_alpha,
            segment_alpha=budget.segment_alpha,
            share_per_week=budget.window_alpha * budget.windows_per_week,
            cycle=cycle,
            fairness_alpha=budget.fairness_alpha,
        )
