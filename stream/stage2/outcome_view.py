"""How right a model was in its last full windows, for those who show it.

Nothing here is tested, and nothing is kept but what follows from a window's counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.counting.outcome_cells import OutcomeCells
from detectors.outcomes.metrics import COSTS, Metric
from detectors.outcomes.of_model import ModelMetrics
from stream.plans.plan import Plan
from stream.stage2.windows import Closed

__all__ = ["OutcomeView", "OutcomeViews"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_NO_BINS = np.zeros((0, 2), np.int64)


@dataclass(frozen=True, eq=False)
class OutcomeView:
    """Outcomes of one window beside those of the reference.

    Attributes
    ----------
    cells : OutcomeCells
        What is counted.
    start_ms, end_ms, events : int
        Of the window.
    known : int
        Its truths whose predictions are known.
    now, reference, estimated : dict of str to Metric
        By name; `estimated` is what the scores alone let expect of all its events, if the truth
        follows them as in the reference. Metrics of single classes are left out where the plan
        hides values.
    calibration, usual : int64[score_bins, 2]
        Events of the window and of the reference by bin of the score, and whether its class came;
        without rows where there is no score.
    edges : float64[score_bins - 3] or None
        Of those bins.
    phi : float
        Design effect of errors.
    private : bool
        Whether values are hidden.
    """

    cells: OutcomeCells
    start_ms: int
    end_ms: int
    events: int
    known: int
    now: dict[str, Metric]
    reference: dict[str, Metric]
    estimated: dict[str, Metric]
    calibration: Ints
    usual: Ints
    edges: Floats | None
    phi: float
    private: bool


class OutcomeViews:
    """Makes a view of each window once, whoever asks; threads may ask at a time.

    Parameters
    ----------
    plan : Plan
        With outcomes.
    plan_of : callable
        Gives the plan of a part of the stream that its reference knows, None of others.
    """

    def __init__(self, plan: Plan, plan_of: Callable[[str], Plan | None]) -> None:
        self._plan, self._plan_of = plan, plan_of
        self._whole = _metrics_of(plan)
        self._of_parts: dict[str, ModelMetrics] = {}
        names = [signal.name for signal in plan.monitored]
        score = self._whole.outcome.cells.score
        self._score = plan.layout.slice(names.index(score)) if score else slice(0, 0)
        self._made: dict[str, OutcomeView] = {}

    @classmethod
    def of_plan(
        cls, plan: Plan, plan_of: Callable[[str], Plan | None] = lambda _: None
    ) -> OutcomeViews | None:
        """Those of a plan; None where it has no outcomes."""
        return None if plan.outcome is None else cls(plan, plan_of)

    def of(self, window: Closed) -> OutcomeView:
        """The view of a window that is its scope's newest."""
        known = self._made.get(window.segment)
        if known is None or (known.start_ms, known.end_ms) != (window.start_ms, window.end_ms):
            known = self._made[window.segment] = self._view(window)
        return known

    def forget(self, segment: str) -> None:
        """Let the view of a segment go that was silent for long."""
        self._made.pop(segment, None)
        self._of_parts.pop(segment, None)

    def _metrics(self, segment: str) -> ModelMetrics:
        """Those of a part, of the whole where the reference does not know it."""
        known = self._of_parts.get(segment)
        if known is None and (plan := self._plan_of(segment)) is not None:
            known = self._of_parts[segment] = _metrics_of(plan)
        return known or self._whole

    def _view(self, window: Closed) -> OutcomeView:
        metrics = self._metrics(window.segment)
        cells, usual = metrics.outcome.cells, metrics.outcome.counts
        counts = window.counts[self._plan.layout.cells].astype(np.int64)
        score = window.counts[self._score].astype(np.int64)
        return OutcomeView(
            cells,
            window.start_ms,
            window.end_ms,
            window.events,
            cells.events(counts),
            self._shown(metrics.of(counts)),
            self._shown(metrics.reference),
            self._shown(metrics.estimated(score)),
            cells.calibration(counts) if cells.score else _NO_BINS,
            cells.calibration(usual) if cells.score else _NO_BINS,
            metrics.edges,
            metrics.phi,
            self._plan.private,
        )

    def _shown(self, metrics: dict[str, Metric]) -> dict[str, Metric]:
        """What may be shown: a class's name is a value."""
        if not self._plan.private:
            return metrics
        return {name: metric for name, metric in metrics.items() if "[" not in name}


def _metrics_of(plan: Plan) -> ModelMetrics:
    assert plan.outcome is not None
    return ModelMetrics(plan.outcome, plan.monitored, _cost_of(plan))


def _cost_of(plan: Plan) -> dict[str, float] | None:
    """What errors cost, by the first limit that says it; None where none does."""
    for limit in plan.limits:
        if limit.metric == "cost_per_event":
            prices = limit.false_positive_cost, limit.false_negative_cost
            return dict(zip(COSTS, prices, strict=True))
    return None
