"""What was last judged of protected columns, value by value, for those who show it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from detectors.outcomes.fairness import DISPARITIES, Disparity
from detectors.outcomes.metrics import Metric
from stream.stage2.detection import Detection
from stream.stage2.fairness_tests import RateTest

__all__ = ["ShownDisparity", "ShownRate", "shown_disparities", "shown_rates"]


class ShownRate(NamedTuple):
    """A rate of one value, `sex=F`, in the stretch that was last judged."""

    test: RateTest
    value: str
    now: Metric
    reference: Metric | None


class ShownDisparity(NamedTuple):
    """A disparity of that stretch; `low` and `high` are the rates of its two values."""

    test: RateTest
    name: str
    now: Disparity
    low: Metric
    high: Metric


def _judged(detection: Detection) -> Iterator[RateTest]:
    """Rates that were judged; of a private plan none, as values have names."""
    if detection.fairness is None or detection.plan.private:
        return
    yield from (test for test in detection.fairness.rates if test.result is not None)


def shown_rates(detection: Detection) -> Iterator[ShownRate]:
    """Rates of each value, column by column; those of too few events, too."""
    for test in _judged(detection):
        assert test.result is not None
        for value, rates in test.result.rates.items():
            if (now := rates.get(test.rate)) is not None:
                usual = test.of.reference.rates.get(value, {}).get(test.rate)
                yield ShownRate(test, value, now, usual)


def shown_disparities(detection: Detection) -> Iterator[ShownDisparity]:
    """How far two values are apart, disparity by disparity."""
    for test in _judged(detection):
        assert test.result is not None
        for name, now in test.result.disparities.items():
            low, high = (
                test.result.rates[value][DISPARITIES[name]] for value in (now.lowest, now.highest)
            )
            yield ShownDisparity(test, name, now, low, high)
