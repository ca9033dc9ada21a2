"""Limits of a plan, checked against its reference: what is counted for each, and its name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from detectors import Layout, OutcomeReference, SignalReference
from detectors.change_points.estimates import bin_quantiles
from detectors.counting.name_bins import CategoricalBinning
from detectors.figures import figure, figures
from detectors.outcomes.limits import LimitEvidence
from detectors.outcomes.measures import (
    OF_SIGNALS,
    QUANTILES,
    Measure,
    outcome_measure,
    quantile_measure,
    signal_measure,
)
from stream.contracts.plan_settings import Limit
from stream.contracts.roles import ROLES
from stream.text.printable import printable

if TYPE_CHECKING:
    from stream.contracts.alert_event import Kind

__all__ = ["LimitRule", "limit_rules"]

#: Metrics that are no shares.
_NUMBERS = frozenset(("mean", "mae", "brier", "cost_per_event", *QUANTILES))
#: The side on which a metric gets worse; of others it may be either.
_WORSE: Final[dict[str, str]] = dict.fromkeys(
    ("accuracy", "precision", "recall", "f1", "specificity"), "at_least"
) | dict.fromkeys(("error_rate", "brier", "cost_per_event", "mae"), "at_most")
_NAME_CHARS = 40

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LimitRule:
    """One limit of a plan.

    Attributes
    ----------
    limit : Limit
        As the plan has it.
    subject, name : str
        What it is on, "recall of 'dog'", and with the limit, "recall of 'dog' at least 0.9".
    kind, role : str
        Of its findings.
    measure : Measure
        Over the flat vector of counts.
    mean, side : float, str
        The limit of the measure's mean, as `LimitEvidence` takes it.
    phi : float
        Design effect of the values.
    counted_at : float
        Where the limit of a quantile is counted: at an edge of the bins. Of others the limit.
    signal : SignalReference, optional
        Whose quantile it is, and where its bins are.
    """

    limit: Limit
    subject: str
    kind: Kind
    role: str
    measure: Measure
    mean: float
    side: str
    phi: float
    counted_at: float
    signal: tuple[SignalReference, slice] | None = None

    @property
    def name(self) -> str:
        """What findings are of."""
        return f"{self.subject} {self.limit.side.replace('_', ' ')} {self.limit.at:g}"

    def evidence(self, threshold: float) -> LimitEvidence:
        """A fresh e-detector of it."""
        bound = self.measure.bound
        return LimitEvidence(self.mean, self.side, threshold=threshold, phi=self.phi, bound=bound)

    def value(self, counts: Ints) -> float:
        """The metric of flat counts; NaN where they have no such event."""
        if self.signal is None:
            return self.measure.metric(counts)
        signal, part = self.signal
        found = bin_quantiles(signal, counts[part], (QUANTILES[self.limit.metric],))
        return found[0].value if found else math.nan

    def is_beyond(self, counts: Ints) -> bool:
        """Whether flat counts are on the wrong side of the limit; not without such events."""
        events = float(self.measure.events @ counts)
        if not events:
            return False
        mean = float(self.measure.amount @ counts) / events
        return mean > self.mean if self.side == "at_most" else mean < self.mean

    def words(self, counts: Ints) -> str:
        """`accuracy 88 % (limit 90 %)`."""
        value = self.value(counts)
        if self.limit.metric in _NUMBERS:
            now, limit = figures(value, self.limit.at)
            return f"{self.subject} {now} (limit {limit})"
        now, limit = figures(100.0 * value, 100.0 * self.limit.at)
        return f"{self.subject} {now} % (limit {limit} %)"

    def notes(self, counts: Ints) -> list[str]:
        """What is to be known of it beforehand; `counts` are flat ones of the reference."""
        found = []
        if self.is_beyond(counts):
            found.append(
                f"the reference itself is beyond a limit: {self.words(counts)}. An alert will "
                "come as soon as there is evidence enough"
            )
        if not self.limit.signal and _WORSE.get(self.limit.metric, self.side) != self.limit.side:
            found.append(f"{self.name} is broken by a model that gets better: is that meant?")
        if not math.isclose(self.counted_at, self.limit.at, rel_tol=1e-6):
            found.append(
                f"{self.name} is counted at {figures(self.counted_at, self.limit.at)[0]}, the "
                "next edge of the reference's bins"
            )
        return found


def limit_rules(
    limits: Sequence[Limit],
    monitored: Sequence[SignalReference],
    layout: Layout,
    outcome: OutcomeReference | None,
    *,
    private: bool,
) -> tuple[LimitRule, ...]:
    """The limits of a plan, of the monitored signals and the outcomes that it counts.

    Raises
    ------
    ValueError
        On the first that cannot be, `limits[0]: metric ...`.
    """
    rules: list[LimitRule] = []
    signals = {signal.name: signal for signal in monitored}
    for at, limit in enumerate(limits):
        try:
            if (limit.at_least is None) == (limit.at_most is None):
                raise ValueError("needs either at_least or at_most")
            if limit.signal:
                rule = _of_signal(limit, signals, layout, private=private)
            else:
                rule = _of_outcomes(limit, signals, layout, outcome)
            if any(rule.name == other.name for other in rules):
                raise ValueError(f"repeats {rule.name}. Remove one")
            rule.evidence(2.0)
        except ValueError as error:
            raise ValueError(f"limits[{at}]: {error}".rstrip(".") + ".") from None
        rules.append(rule)
    return tuple(rules)


def _of_outcomes(
    limit: Limit,
    signals: dict[str, SignalReference],
    layout: Layout,
    outcome: OutcomeReference | None,
) -> LimitRule:
    if limit.metric in OF_SIGNALS:
        raise ValueError(f"{limit.metric} is of a signal. Name it with the key signal")
    if outcome is None:
        raise ValueError(
            f"{limit.metric} is of outcomes, and the reference has none: it needs rows with both "
            "prediction and actual, whose signals are all monitored"
        )
    cells = outcome.cells
    costs = (limit.false_positive_cost, limit.false_negative_cost)
    if max(costs) > 0.0 and limit.metric != "cost_per_event":
        raise ValueError(
            f'costs are for metric = "cost_per_event". Remove them from {limit.metric}'
        )
    measure = outcome_measure(cells, limit.metric, limit.value, costs)
    if measure.bound is None and limit.side == "at_least":
        raise ValueError(f"{limit.metric} is better the lower it is. Give at_most")
    if measure.bound == 1.0 and not 0.0 < limit.at < 1.0:
        raise ValueError(f"limit must be above 0 and below 1, as 0.9 for 90 %; got {limit.at:g}")
    of = {
        "selection_rate": cells.predicted or cells.score,
        "positive_rate": cells.actual,
    }.get(limit.metric, outcome.error)
    subject = limit.metric.replace("_", " ")
    if limit.value:
        subject += f" of '{printable(limit.value, _NAME_CHARS)}'"
    return LimitRule(
        limit,
        subject,
        "performance",
        "error",
        _over_all(measure, layout.cells, layout.width),
        measure.mean_of(limit.at),
        limit.side,
        signals[of].effect,
        limit.at,
    )


def _of_signal(
    limit: Limit, signals: dict[str, SignalReference], layout: Layout, *, private: bool
) -> LimitRule:
    if limit.metric not in OF_SIGNALS:
        known = ", ".join(OF_SIGNALS)
        raise ValueError(f"metric of a signal must be one of {known}; got {limit.metric!r}")
    signal = signals.get(limit.signal)
    if signal is None:
        known = ", ".join(sorted(signals)[:20])
        raise ValueError(f"signal must be a monitored one, of {known}; got {limit.signal!r}")
    part = layout.slice(list(signals).index(signal.name))
    mean, side, counted_at = limit.at, limit.side, limit.at
    q = QUANTILES.get(limit.metric)
    if q is None:
        measure = signal_measure(signal, limit.metric, limit.value)
        mean = measure.mean_of(mean)
        if not 0.0 < mean < (measure.bound or math.inf):
            top = measure.low + (measure.bound or math.inf)
            raise ValueError(
                f"must be within {figure(measure.low)} to {figure(top)}, what is told apart of "
                f"{signal.name!r}; got {figure(limit.at)}"
            )
    else:
        if limit.value:
            raise ValueError('value is for metric = "share". Remove it')
        upper = side == "at_most"
        measure, counted_at = quantile_measure(signal, limit.at, upper=upper)
        mean, side = (1.0 - q if upper else q), "at_most"
    role = ROLES[signal.role]
    name = f"'{printable(signal.name, _NAME_CHARS)}'"
    subject = f"{limit.metric.replace('_', ' ')} of {name}"
    if limit.metric == "share":
        subject = f"share of {_category(signal, limit.value, private=private)} in {name}"
    return LimitRule(
        limit,
        subject,
        "data_quality" if limit.metric == "missing_rate" else role.kind,
        role.name,
        _over_all(measure, part, layout.width),
        mean,
        side,
        signal.effect,
        counted_at,
        None if q is None else (signal, part),
    )


def _category(signal: SignalReference, name: str, *, private: bool) -> str:
    """A category by name, or by number where names are not told."""
    assert isinstance(signal.binning, CategoricalBinning)
    if private:
        return f"category {signal.binning.categories.index(name) + 1}"
    return f"'{printable(name, _NAME_CHARS)}'"


def _over_all(measure: Measure, part: slice, width: int) -> Measure:
    """The measure over the flat vector of counts, in which it is of one part."""

    def spread(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        whole = np.zeros(width)
        whole[part] = weights
        return whole

    return replace(
        measure,
        events=spread(measure.events),
        amount=spread(measure.amount),
        squares=None if measure.squares is None else spread(measure.squares),
    )
