"""Whether a model treats the values of a protected segment alike.

Rates of each value come from its own cells; disparities are those of its two extreme values, named
as fairlearn and AIF360 name them. A model may have differed from its first day on: a finding is
what is beyond the limit *and* more than in the reference.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from statistics import NormalDist
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.counting.outcome_cells import OutcomeCells
from detectors.outcomes.intervals import Interval, ratio_interval, square_and_add, wilson
from detectors.outcomes.metrics import Metric, outcome_metrics

__all__ = [
    "DISPARITIES",
    "FEWEST_EVENTS",
    "RATES",
    "Disparity",
    "Fairness",
    "Limits",
    "compared",
    "fairness",
    "rates_of",
]

Ints = npt.NDArray[np.int64]

#: Rates of a value of the segment; several classes have only an error rate.
RATES: Final = ("selection_rate", "error_rate", "true_positive_rate", "false_positive_rate")
#: A rate of fewer events than this is shown and not judged.
FEWEST_EVENTS: Final = 100
#: The rate that each disparity compares; a ratio is lowest by highest, else highest less lowest.
DISPARITIES: Final = {
    "demographic_parity_difference": "selection_rate",
    "demographic_parity_ratio": "selection_rate",
    "equal_opportunity_difference": "true_positive_rate",
    "false_positive_rate_difference": "false_positive_rate",
    "error_rate_difference": "error_rate",
}
#: Rates of which more is worse for those that have them.
_HARMS: Final = ("error_rate", "false_positive_rate")


class Limits(NamedTuple):
    """From where a disparity is too large: above `difference`, below `ratio` ("four fifths")."""

    difference: float = 0.1
    ratio: float = 0.8


class Disparity(NamedTuple):
    """How far two values are apart.

    Attributes
    ----------
    value : float
        Difference or ratio of their rates.
    low, high : float
        Interval of 95 % that holds for all pairs of values at once.
    lowest, highest : str
        The values of the segment; of a finding those that tell it most clearly.
    worst : str
        Which of both is worse off: less selected, more errors.
    reference : float or None
        The same of these two in the reference; None if it has too few events of one.
    found : bool
    """

    value: float
    low: float
    high: float
    lowest: str
    highest: str
    worst: str
    reference: float | None
    found: bool


@dataclass(frozen=True)
class Fairness:
    """What the outcomes of a window tell of a segment.

    Attributes
    ----------
    rates : mapping of str to mapping of str to Metric
        `RATES` by value, each with its own interval of 95 %; what is not defined is left out.
    disparities : mapping of str to Disparity
        Those of `DISPARITIES` for which two values have events enough.
    not_judged : mapping of str to tuple of str
        Rates with too few events, by value: a value with fewer than `FEWEST_EVENTS` has all here.
    """

    rates: dict[str, dict[str, Metric]]
    disparities: dict[str, Disparity]
    not_judged: dict[str, tuple[str, ...]]

    def judged(self, rate: str) -> int:
        """How many values have events enough of a rate."""
        return sum(_is_enough(of.get(rate)) for of in self.rates.values())


def fairness(
    cells: OutcomeCells,
    window: Mapping[str, Ints],
    reference: Mapping[str, Ints],
    *,
    alpha: float,
    phi: Mapping[str, float] = MappingProxyType({}),
    limits: Limits | None = None,
) -> Fairness:
    """Rates by value of a segment, and whether they are further apart than they may be.

    A finding takes two things of the same two values: that the interval of their difference is
    beyond the limit (Newcombe 1998, of a ratio Donner and Zou 2012), and that it has grown since
    the reference, by an interval that holds the reference's error too. Both are one-sided at
    `alpha` over all pairs (Bonferroni), so a disparity gives a false finding in at most about
    `alpha` of windows. Of two values without a reference nothing is found.

    Parameters
    ----------
    cells : OutcomeCells
        Where outcomes are counted; of a classification.
    window : mapping of str to int64[cells.width]
        Outcomes of each value.
    reference : mapping of str to int64[cells.width]
        The same of the reference.
    alpha : float
        Of one disparity in one window.
    phi : mapping of str to float
        Design effects of `RATES`, 1 where it has none.
    limits : Limits, optional
        From where a disparity is too large.

    Raises
    ------
    ValueError
        alpha that is not between 0 and 1, a regression, counts of another length.
    """
    known = {value: rates_of(cells, counts, phi) for value, counts in reference.items()}
    return compared(cells, window, known, alpha=alpha, phi=phi, limits=limits)


def compared(
    cells: OutcomeCells,
    window: Mapping[str, Ints],
    known: Mapping[str, Mapping[str, Metric]],
    *,
    alpha: float,
    phi: Mapping[str, float] = MappingProxyType({}),
    limits: Limits | None = None,
    wanted: Collection[str] = RATES,
) -> Fairness:
    """As `fairness`, by rates that are `known` of the reference, of those that are `wanted`.

    Raises
    ------
    ValueError
        As of `fairness`.
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must be between 0 and 1; got {alpha}.")
    if cells.task == "regression":
        raise ValueError("fairness is that of classes; a regression has none.")
    rates = {value: rates_of(cells, counts, phi, wanted) for value, counts in window.items()}
    defined = RATES if cells.task == "binary" else ("error_rate",)
    tested = [rate for rate in defined if rate in wanted]
    few = {
        value: tuple(rate for rate in tested if not _is_enough(of_value.get(rate)))
        for value, of_value in rates.items()
    }
    found = {}
    for name, rate in DISPARITIES.items():
        judged = {value: of[rate] for value, of in rates.items() if _is_enough(of.get(rate))}
        before = {value: of[rate] for value, of in known.items() if _is_enough(of.get(rate))}
        if len(judged) > 1:
            effect = phi.get(rate, 1.0)
            comparison = _Comparison(name, judged, before, alpha, effect, limits or Limits())
            disparity = comparison.disparity()
            if disparity is not None:
                found[name] = disparity
    return Fairness(rates, found, {value: names for value, names in few.items() if names})


def rates_of(
    cells: OutcomeCells, counts: Ints, phi: Mapping[str, float], wanted: Collection[str] = RATES
) -> dict[str, Metric]:
    """Those of `RATES` that are wanted and defined for these outcomes."""
    metrics = outcome_metrics(cells, counts)
    if "specificity" in metrics:
        metrics["false_positive_rate"] = metrics["specificity"]
    if "recall" in metrics:
        metrics["true_positive_rate"] = metrics["recall"]
    found: dict[str, Metric] = {}
    for rate in RATES:
        if rate in metrics and rate in wanted:
            value, events = metrics[rate].value, metrics[rate].events
            value = 1.0 - value if rate == "false_positive_rate" else value
            found[rate] = Metric(value, *wilson(value, events / phi.get(rate, 1.0)), events)
    return found


def _is_enough(rate: Metric | None) -> bool:
    return rate is not None and rate.events >= FEWEST_EVENTS


@dataclass(frozen=True)
class _Comparison:
    """One disparity of all pairs of values: `judged` in the window, `before` in the reference."""

    name: str
    judged: Mapping[str, Metric]
    before: Mapping[str, Metric]
    alpha: float
    phi: float
    limits: Limits

    @property
    def is_ratio(self) -> bool:
        return self.name.endswith("ratio")

    def disparity(self) -> Disparity | None:
        """Of the extreme values, or of the clearest finding; None where no ratio is defined."""
        values = {value: metric.value for value, metric in self.judged.items()}
        ordered = sorted(values, key=values.__getitem__)
        pair = ordered[0], ordered[-1]
        if self.is_ratio and values[pair[1]] == 0.0:
            return None
        clearest = max(self._findings(), default=None)
        if clearest is not None:
            pair = clearest[1:]
        lowest, highest = pair
        value, (low, high) = self._between(self.judged, pair, self._z(0.05))
        is_comparable = self._is_comparable(pair)
        is_harm = DISPARITIES[self.name] in _HARMS
        return Disparity(
            value=value,
            low=low,
            high=high,
            lowest=lowest,
            highest=highest,
            worst=highest if is_harm else lowest,
            reference=self._between(self.before, pair, 1.0)[0] if is_comparable else None,
            found=clearest is not None,
        )

    def _findings(self) -> Iterator[tuple[float, str, str]]:
        """How far beyond the limit, for certain, and the two values."""
        z = self._z(self.alpha)
        for pair in permutations(self.judged, 2):
            if not self._is_beyond(pair) or not self._is_comparable(pair):
                continue  # most pairs: no interval takes in less than its value
            value, interval = self._between(self.judged, pair, z)
            if self.is_ratio:
                beyond = self.limits.ratio - interval[1]
            else:
                beyond = interval[0] - self.limits.difference
            if beyond <= 0.0:
                continue
            before, of_before = self._between(self.before, pair, z)
            low, high = square_and_add((1.0, -1.0), (value, before), (interval, of_before))
            if high < 0.0 if self.is_ratio else low > 0.0:
                yield beyond, *pair

    def _is_beyond(self, pair: tuple[str, str]) -> bool:
        """Whether the disparity itself is beyond the limit, whatever its interval."""
        a, b = (self.judged[value].value for value in pair)
        return a < b * self.limits.ratio if self.is_ratio else b - a > self.limits.difference

    def _is_comparable(self, pair: tuple[str, str]) -> bool:
        """Whether both have a rate in the reference, and no ratio is by 0."""
        if not all(value in self.before for value in pair):
            return False
        by = self.judged[pair[1]].value, self.before[pair[1]].value
        return not self.is_ratio or min(by) > 0.0

    def _between(
        self, rates: Mapping[str, Metric], pair: tuple[str, str], z: float
    ) -> tuple[float, Interval]:
        """Disparity of the first from the second, and its interval."""
        (a, of_a), (b, of_b) = (
            (rates[value].value, wilson(rates[value].value, rates[value].events / self.phi, z))
            for value in pair
        )
        if self.is_ratio:
            return a / b, ratio_interval(a, of_a, b, of_b)
        return b - a, square_and_add((1.0, -1.0), (b, a), (of_b, of_a))

    def _z(self, tail: float) -> float:
        """Standard deviations that chance goes beyond this often in any ordered pair."""
        pairs = len(self.judged) * (len(self.judged) - 1)
        return -NormalDist().inv_cdf(min(0.5, tail / pairs))
