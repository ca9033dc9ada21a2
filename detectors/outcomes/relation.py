"""Whether outcomes still follow what the model says: actuals given the score, or the prediction.

A chi2 over about twenty groups of strata (`strata`) of what came against what the reference lets
expect, each stratum by itself, as Mantel and Haenszel (1959) compare tables: scores that move bring
no finding, as long as each still means what it meant.

Against the shares and the spread of the reference alone, windows of 500 events pass a level of .01
up to 1.8 times as often as they may (docs/outcomes.md). Here both samples together say how often a
class comes, the spread is that of the hypergeometric law, and the tail is that of a chi2 with the
first three cumulants of the statistic (Pearson 1959): 1.0 times, at .001 too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.counting.outcome_cells import OutcomeCells
from detectors.figures import figure, figures, percent
from detectors.null_distributions.special import chi2_quantile, chi2_tail, poisson_tail
from detectors.outcomes.residual_effects import DesignEffects
from detectors.outcomes.strata import LEAST_VARIANCE, Pooled, ends_of, pool, sides_of, strata_of

__all__ = ["STEPS", "Relation", "RelationGroup", "RelationResult", "severity_of_gap"]

#: Effects from which a finding is a warning, and critical: outcomes are off by so much, as a share.
#: Where a decision hangs on them, accuracy has changed by no more than that.
STEPS: Final = (0.05, 0.10)
#: An actual that is above a prediction is no wrong decision: of a regression a gap counts half, so
#: that a bias of a quarter and of half a standard deviation of its errors is as much.
_OF_NUMBERS: Final = 0.5

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class RelationGroup(NamedTuple):
    """Strata that are tested as one.

    Attributes
    ----------
    first, last : int
        Of its strata.
    events : int
        Of the window, in strata that the reference has.
    came, expected : float
        How many of them came, and by the reference's shares should have.
    chi2 : float
        What it adds to the statistic; where nearly all have the usual outcome, how many are off.
    """

    first: int
    last: int
    events: int
    came: int
    expected: float
    chi2: float


@dataclass(frozen=True)
class RelationResult:
    """What the test of a window gave.

    Attributes
    ----------
    value, threshold : float
        The statistic, and the value from which it is a finding.
    p_value : float
        How often chance alone gives this value or more.
    effect : float
        Root mean square over events of the share that came less the one expected, without what
        chance brings: 0 to 1. Of a regression half of that.
    found : bool
    events : int
        That the test saw.
    groups : tuple of RelationGroup
    """

    value: float
    threshold: float
    p_value: float
    effect: float
    found: bool
    events: int
    groups: tuple[RelationGroup, ...]


def severity_of_gap(effect: float) -> Literal["info", "warning", "critical"]:
    """Severity of outcomes that are off by so much, whatever found it."""
    warning, critical = STEPS
    return "info" if effect < warning else "warning" if effect < critical else "critical"


class Relation:
    """The test of windows of outcomes against one reference.

    Parameters
    ----------
    cells : OutcomeCells
        What is counted.
    reference : int64[cells.width]
        Cells of the reference.
    phi : float or DesignEffects
        Design effects of the residuals in the reference; one number is taken for all, which is
        safe but blunt.
    edges : float64[score_bins - 3], optional
        Of the score's bins, for words.
    """

    def __init__(
        self,
        cells: OutcomeCells,
        reference: Ints,
        phi: float | DesignEffects = 1.0,
        edges: Floats | None = None,
    ) -> None:
        self.cells, self.edges = cells, edges
        self.phi = phi if isinstance(phi, DesignEffects) else DesignEffects(phi, phi, phi)
        if not min(self.phi) >= 1.0:
            raise ValueError(f"design effects must be >= 1; got {phi}.")
        if edges is not None and edges.size + 3 != cells.score_bins:
            raise ValueError("edges must be those of the score's bins.")
        self.reference = strata_of(cells, reference)

    def test(self, counts: Ints, alpha: float) -> RelationResult | None:
        """Test the cells of a window, int64[cells.width]; None where `why_not` says why.

        It is a finding if chance gives as much no more often than `alpha`.
        """
        pooled = pool(strata_of(self.cells, counts), self.reference)
        if not pooled.variance.any():
            return None
        if pooled.variance.sum() < LEAST_VARIANCE:
            return self._few(pooled, alpha)
        ends = ends_of(pooled.variance)
        deviation = self._sides(pooled) * (pooled.came - pooled.expected)
        deviation, variance, skew, tails = (
            _sums(of, ends)
            for of in (deviation, pooled.variance, self._sides(pooled) * pooled.skew, pooled.tails)
        )
        each = np.square(deviation) / variance
        law = _law(variance, skew, tails, self.phi)
        value = float(each.sum())
        groups = self._groups(pooled, ends, each)
        p_value = law.tail(value)
        return RelationResult(
            value,
            law.quantile(alpha),
            p_value,
            self._effect(pooled, ends),
            p_value <= alpha,
            sum(group.events for group in groups),
            groups,
        )

    def why_not(self, counts: Ints) -> str:
        """Why `test` gives None for these cells."""
        window = strata_of(self.cells, counts)
        if not window.any():
            return "no event of the window has an outcome" + (
                " and a score" if self.cells.score_bins else ""
            )
        if not pool(window, self.reference).known.any():
            return "the reference has no events that are like those of the window"
        return "neither the window nor the reference has more than one outcome"

    def describe(self, counts: Ints) -> str:
        """The group that adds most to the statistic, in words; "" where there is no test."""
        result = self.test(counts, 0.5)
        if result is None:
            return ""
        groups, pooled = result.groups, pool(strata_of(self.cells, counts), self.reference)
        if len(groups) == 1 and self.cells.score_bins:
            groups = self._halves(pooled)
        group = max(groups, key=lambda group: (group.chi2, group.events))
        if not self.cells.score_bins:  # what is merged here has no name in common
            off = np.abs(pooled.came - pooled.expected)[group.first : group.last + 1]
            stratum = group.first + int(off.argmax())
            alone = np.arange(1, pooled.events.size + 1)
            group = self._groups(pooled, alone, pooled.expected)[stratum]
        which, what = self._words(group)
        share, known = group.came / group.events, group.expected / group.events
        return (
            f"{what} in {percent(share)} of {figure(group.events)} events {which} "
            f"(usually {percent(known)})"
        )

    def _few(self, pooled: Pooled, alpha: float) -> RelationResult:
        """Where nearly all events have the outcome that is usual: how many have not.

        A sum of hypergeometric numbers exceeds what is expected less often than one of Poisson's
        law (Hoeffding 1956).
        """
        rare = pooled.share <= 0.5
        known = pooled.known
        against = np.where(rare, pooled.came, pooled.events - pooled.came)[known].sum()
        expected = float(
            np.where(rare, pooled.expected, pooled.events - pooled.expected)[known].sum()
        )
        phi = max(self.phi)

        def tail(value: int) -> float:
            return poisson_tail(math.floor(value / phi), expected / phi)

        threshold = 1
        while tail(threshold) > alpha:
            threshold += 1
        p_value = tail(int(against))
        sides = self._sides(pooled)
        ends = np.append(np.flatnonzero(np.diff(sides)) + 1, sides.size)
        groups = self._groups(pooled, ends, np.abs(_sums(pooled.came - pooled.expected, ends)))
        effect = self._effect(pooled, np.arange(1, pooled.events.size + 1))
        return RelationResult(
            float(against),
            float(threshold),
            p_value,
            effect,
            p_value <= alpha,
            sum(group.events for group in groups),
            groups,
        )

    def _sides(self, pooled: Pooled) -> Floats:
        return sides_of(pooled.total, pooled.share, ordered=self.cells.score_bins > 0)

    def _groups(self, pooled: Pooled, ends: Ints, chi2: Floats) -> tuple[RelationGroup, ...]:
        known = self._known(pooled)
        events = _sums(np.where(pooled.known, pooled.events, 0), ends).tolist()
        came = _sums(np.where(pooled.known, pooled.came, 0), ends).tolist()
        expected = _sums(known * pooled.events, ends).tolist()
        first = [0, *ends.tolist()]
        return tuple(
            RelationGroup(first[i], int(end) - 1, int(events[i]), int(came[i]), expected[i], each)
            for i, (end, each) in enumerate(zip(ends, chi2.tolist(), strict=True))
        )

    def _halves(self, pooled: Pooled) -> tuple[RelationGroup, ...]:
        """Two groups of few events: what is off either way in all of them may cancel."""
        events = np.cumsum(np.where(pooled.known, pooled.events, 0))
        cut = int(np.searchsorted(events, events[-1] / 2.0)) + 1
        if cut >= events.size:
            return self._groups(pooled, np.array([events.size]), np.zeros(1))
        ends = np.array([cut, events.size])
        return self._groups(pooled, ends, np.abs(_sums(pooled.came - pooled.expected, ends)))

    def _known(self, pooled: Pooled) -> Floats:
        """Share that came in each stratum of the reference; 0 where it has no events."""
        total = self.reference.sum(axis=1)
        return np.where(pooled.known, self.reference[:, 1] / np.maximum(total, 1), 0.0)

    def _effect(self, pooled: Pooled, ends: Ints) -> float:
        """Root mean square gap of the groups, less what chance brings."""
        events = _sums(np.where(pooled.known, pooled.events, 0), ends)
        gap = _sums(
            np.where(pooled.known, pooled.came - self._known(pooled) * pooled.events, 0.0), ends
        )
        total = self.reference.sum(axis=1)
        larger = (total + pooled.events) / np.maximum(total, 1)  # of the gap to one, than to both
        chance = self.phi.group * _sums(pooled.variance * np.square(larger), ends)
        there = events > 0
        square = (np.square(gap[there]) - chance[there]) / events[there]
        gap_of_all = math.sqrt(max(0.0, float(square.sum()) / max(1.0, float(events.sum()))))
        return gap_of_all * (_OF_NUMBERS if self.cells.task == "regression" else 1.0)

    def _words(self, group: RelationGroup) -> tuple[str, str]:
        """Which events a group has, and what came."""
        cells = self.cells
        if cells.task == "regression":
            came = f"{cells.actual} was above {cells.predicted}"
            return f"with {cells.predicted} {self._between(group)}", came
        if cells.score:
            came = f"{cells.classes[1]!r} came" if cells.task == "binary" else "their class came"
            return f"with {cells.score} {self._between(group)}", came
        row, step = group.first % cells.sides, group.first // cells.sides
        rows = [*map(repr, cells.classes), "another name"]
        others = [rows[row], *(name for i, name in enumerate(rows) if i != row)]
        which = f"predicted {rows[row]}"
        if step:
            which += " that were not " + " or ".join(others[:step])
        return which, f"{others[step]} came"

    def _between(self, group: RelationGroup) -> str:
        edges = self.edges
        if edges is None:
            return f"bins {group.first} to {group.last}"
        if group.first == 0 and group.last >= edges.size:
            return "of any size"
        if group.first == 0:
            return f"below {figure(edges[group.last])}"
        if group.last >= edges.size:
            return f"from {figure(edges[group.first - 1])} on"
        return " to ".join(figures(edges[group.first - 1], edges[group.last]))


class _Law(NamedTuple):
    """A chi2 moved and stretched until mean, variance and skewness are as given."""

    mean: float
    scale: float
    df: float

    def tail(self, value: float) -> float:
        return chi2_tail((value - self.mean) / self.scale + self.df, self.df)

    def quantile(self, tail: float) -> float:
        return self.mean + self.scale * (chi2_quantile(tail, self.df) - self.df)


def _law(variance: Floats, skew: Floats, tails: Floats, phi: DesignEffects) -> _Law:
    """Law of the sum of squares over variances of independent deviations with these cumulants.

    Dependence that is common to all groups makes two directions longer, those of the two axes; all
    others have what is left of the groups' own design effects.
    """
    groups = variance.size
    rest = max(1.0, (groups * phi.group - phi.residual - phi.order) / max(1, groups - 2))
    weights = np.full(groups, rest)
    largest = sorted((phi.residual, phi.order), reverse=True)
    weights[:2] = np.maximum(largest, rest)[:groups]
    k3, k4 = np.square(skew) / variance**3, tails / np.square(variance)
    # Cumulants of a squared sum of chances: of a squared normal, and what is more.
    second = float(2.0 * weights @ weights + weights @ weights / groups * k4.sum())
    third = float(
        8.0 * np.sum(weights**3)
        + np.mean(weights**3) * (12.0 * k4 + 10.0 * k3 + 1.0 / np.square(variance)).sum()
    )
    df = 8.0 * second**3 / third**2
    return _Law(float(weights.sum()), math.sqrt(second / (2.0 * df)), df)


def _sums(of: npt.NDArray[np.generic], ends: Ints) -> Floats:
    """Sums over groups of strata that end there."""
    starts = np.concatenate([[0], ends[:-1]])
    return np.add.reduceat(of.astype(np.float64), starts)
