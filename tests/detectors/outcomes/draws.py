"""Cells of models whose scores mean what they say, and of those that no longer do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detectors.counting.outcome_cells import OutcomeCells

#: Over 64 bins of values, and those of missing and invalid scores, which have no outcomes.
SCORED = OutcomeCells("binary", "actual", score="score", classes=("ok", "fraud"), score_bins=66)
#: Parameters of the beta law of scores: even, at both ends, and mostly near 0.
SCORES = {"spread": (1.0, 1.0), "crowded": (0.1, 0.1), "rare": (0.2, 8.0)}


class Scores:
    """Scores of a law over 64 quantile bins, and shares that come in each."""

    def __init__(self, a: float, b: float) -> None:
        values = np.random.default_rng(5).beta(a, b, 200_000)
        self.edges = np.quantile(values, np.arange(1, 64) / 64)
        bins = np.searchsorted(self.edges, values)
        events = np.bincount(bins, minlength=64)
        self.law = events / values.size
        self.share = np.bincount(bins, values, minlength=64) / np.maximum(events, 1)

    def cells(
        self,
        rng: np.random.Generator,
        n: int,
        changed: Callable[[np.ndarray], np.ndarray] = lambda share: share,
        law: np.ndarray | None = None,
    ) -> np.ndarray:
        """Cells of n events; `changed` is what the shares have become."""
        events = rng.multinomial(n, self.law if law is None else law)
        came = rng.binomial(events, np.clip(changed(self.share), 0.0, 1.0))
        cells = np.zeros(SCORED.width, np.int64)
        SCORED.calibration(cells)[:64] = np.stack([events - came, came], axis=1)
        return cells
