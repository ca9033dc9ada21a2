"""Values without use: missing, of a wrong type, never seen, out of range."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors import NumericBinning
from stream.plans.plan import Plan
from stream.report.model import QualityRow

__all__ = ["quality_rows"]


def quality_rows(plan: Plan, counts: npt.NDArray[np.int64]) -> tuple[QualityRow, ...]:
    """Shares over all tested windows, signals that changed most first."""
    rows: list[tuple[float, QualityRow]] = []
    for index, signal in enumerate(plan.monitored):
        binning = signal.binning
        seen = counts[plan.layout.slice(index)] if counts.size else np.zeros(binning.n_bins, int)
        bins = {"missing": [binning.missing], "invalid": [binning.invalid]}
        if isinstance(binning, NumericBinning):
            bins |= {"unseen": [], "out of range": [binning.below, binning.above]}
        else:
            bins |= {"unseen": binning.new.tolist(), "out of range": []}
        before, now = max(1, signal.events), max(1, int(seen.sum()))
        shares = tuple(
            (name, float(signal.counts[b].sum()) / before, float(seen[b].sum()) / now)
            for name, b in bins.items()
        )
        moved = max(abs(share[2] - share[1]) for share in shares)
        rows.append((moved, QualityRow(signal.name, shares)))
    return tuple(row for _, row in sorted(rows, key=lambda pair: -pair[0]))
