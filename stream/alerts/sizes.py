"""Sizes of changes: one scale for all tests, so that severity and rank agree."""

from __future__ import annotations

import math
from typing import Final

from detectors import WINDOWED_TESTS
from detectors.outcomes.relation import STEPS

__all__ = ["FAIRNESS", "LIMIT", "RELATION", "doubling", "on_one_scale", "over_threshold"]

#: The windowed test of the truth given what the model says.
RELATION: Final = "relation"
#: The test of a limit that a user has set.
LIMIT: Final = "limit"

#: The test of how far apart the values of a protected column are.
FAIRNESS: Final = "fairness"

#: A gap between two rates that has grown by so much, as shares.
_GAP_STEPS: Final = (0.1, 0.2)
#: A smaller ratio of two rates counts as this.
_MIN_RATIO: Final = 1e-3
#: Steps of a shift of the mean rank, which sequential detectors find.
_SHIFT_STEPS: Final = WINDOWED_TESTS["wasserstein"].steps
_WARNING, _CRITICAL = 0.10, 0.25


def on_one_scale(test: str, effect: float) -> float:
    """Size of a change as the PSI of a normal whose mean moved as clearly.

    Each test has two sizes at which a finding becomes a warning and critical: a PSI of .10 and .25
    there, and a power law through both between and beyond. So severity and rank agree.
    """
    warning, _ = _steps(test)
    return float(_WARNING * (max(0.0, effect) / warning) ** _power(test))


def doubling(test: str) -> float:
    """How many times as large a change has to be on that scale to have doubled.

    Twice, or what is twice in the test's own unit: a rate that goes from 13 % to 26 %.
    """
    return float(2.0 ** min(1.0, _power(test)))


def over_threshold(test: str, value: float, threshold: float) -> float:
    """How many times its threshold a finding is; 1 just so.

    A ratio of two rates is found below its threshold: as logarithms, as its severity goes.
    """
    if threshold <= 0.0:
        return 0.0
    if test == FAIRNESS and value < threshold < 1.0:
        return math.log(max(value, _MIN_RATIO)) / math.log(threshold)
    return value / threshold


def _steps(test: str) -> tuple[float, float]:
    if test == RELATION:
        return STEPS
    if test == FAIRNESS:
        return _GAP_STEPS
    known = WINDOWED_TESTS.get(test)
    return known.steps if known is not None else _SHIFT_STEPS


def _power(test: str) -> float:
    warning, critical = _steps(test)
    return math.log(_CRITICAL / _WARNING) / math.log(critical / warning)
