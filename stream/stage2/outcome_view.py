"""How right a model was in its last full windows, for those who show it.

Nothing here is tested, and nothing is kept but what follows from a window's counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.counting.outcome_cells import OutcomeCells
from detectors.outcomes.metrics import COSTS, Metric
from detectors.outcomes.of_model import ModelMetrics
from detectors.references.outcome import OutcomeReference
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
    outcome : OutcomeReference
        The plan's.
    """

    def __init__(self, plan: Plan, outcome: OutcomeReference) -> None:
        self._plan, self._outcome = plan, outcome
        self._metrics = ModelMetrics(outcome, plan.monitored, _cost_of(plan))
        names = [signal.name for signal in plan.monitored]
        score = outcome.cells.score
        self._score = plan.layout.slice(names.index(score)) if score else slice(0, 0)
        self._made: dict[str, OutcomeView] = {}

    @classmethod
    def of_plan(cls, plan: Plan) -> OutcomeViews | None:
        """Those of a plan; None where it has no outcomes."""
        return None if plan.outcome is None else cls(plan, plan.outcome)

    def of(self, window: Closed) -> OutcomeView:
        """The view of a window that is its scope's newest."""
        known = self._made.get(window.segment)
        if known is None or (known.start_ms, known.end_ms) != (window.start_ms, window.end_ms):
            known = self._made[window.segment] = self._view(window)
        return known

    def forget(self, segment: str) -> None:
        """Let the view of a segment go that was silent for long."""
        self._made.pop(segment, None)

    def _view(self, window: Closed) -> OutcomeView:
        cells, usual = self._outcome.cells, self._outcome.counts
        counts = window.counts[self._plan.layout.cells].astype(np.int64)
        score = window.counts[self._score].astype(np.int64)
        return OutcomeView(
            cells,
            window.start_ms,
            window.end_ms,
            window.events,
            cells.events(counts),
            self._shown(self._metrics.of(counts)),
            self._shown(self._metrics.reference),
            self._shown(self._metrics.estimated(score)),
            cells.calibration(counts) if cells.score else _NO_BINS,
            cells.calibration(usual) if cells.score else _NO_BINS,
            self._metrics.edges,
            self._metrics.phi,
            self._plan.private,
        )

    def _shown(self, metrics: dict[str, Metric]) -> dict[str, Metric]:
        """What may be shown: a class's name is a value."""
        if not self._plan.private:
            return metrics
        return {name: metric for name, metric in metrics.items() if "[" not in name}


def _cost_of(plan: Plan) -> dict[str, float] | None:
    """What errors cost, by the first limit that says it; None where none does."""
    for limit in plan.limits:
        if limit.metric == "cost_per_event":
            prices = limit.false_positive_cost, limit.false_negative_cost
            return dict(zip(COSTS, prices, strict=True))
    return None
