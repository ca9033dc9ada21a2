"""How much more outcomes vary than those of independent events would, given what the model said.

Models err in spells: a fault, a promotion, one customer with many events. The reference, cut into
batches in the order of time, shows by how much more sums of residuals vary for it; see
`references.calibration`, which does the same for signals.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import SCORE_SCALE
from detectors.counting.outcome_cells import OutcomeCells
from detectors.outcomes.strata import axes_of, ends_of, followed_strata, sides_of
from detectors.references.batch_means import batch_means, score_sums
from detectors.references.calibration import LEAST_BATCHES, margin_of_few
from detectors.references.outcome import OutcomeReference

__all__ = ["DesignEffects", "design_effects", "with_effects"]

#: Standard errors above 1 from which an effect is more than what chance shows, and from which it is
#: clear; then it gets a quarter more: what is too low costs more than what is too high saves.
_HINT, _CLEAR = 1.0, 2.0
_CAUTION: Final = 1.25

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class DesignEffects(NamedTuple):
    """Variances of sums of residuals in a stream over those of independent events.

    Attributes
    ----------
    residual, order : float
        Of both axes of `RelationEvidence`; of the second the larger of two, by the score's rank
        and by which outcome is usual.
    group : float
        Of the residuals of one group of `Relation`, on average over groups.
    """

    residual: float = 1.0
    order: float = 1.0
    group: float = 1.0


def design_effects(cells: OutcomeCells, batches: Ints) -> DesignEffects:
    """Design effects of a reference from the cells of its batches, in the order of time.

    Parameters
    ----------
    cells : OutcomeCells
        What is counted.
    batches : int64[batches, cells.width]
        As `references.calibration.batches_of_rows` cuts them. Fewer than 8 say nothing.
    """
    if len(batches) < LEAST_BATCHES:
        return DesignEffects()
    strata = np.stack([followed_strata(cells, batch) for batch in batches])
    whole = strata.sum(axis=0)
    share, weights = axes_of(whole)
    sides = sides_of(whole.sum(axis=1), share, ordered=cells.score_bins > 0)
    weights = np.concatenate([weights, sides[None]])
    residual = np.stack([-share, 1.0 - share], axis=1)
    chance = share * (1.0 - share)
    axes = [_whole(weight[:, None] * residual) for weight in weights]
    table = np.ascontiguousarray(strata.reshape(len(strata), -1))
    one_group = np.zeros(table.shape[1], np.uint8)
    means = batch_means(table, np.zeros(len(table), np.int64), one_group, axes)
    events = means.table.reshape(len(means.table), -1, 2).sum(axis=2)
    margin = margin_of_few(means.worth)

    def reckoned(effect: float, looks: int) -> float:
        error = math.sqrt(2.0 / ((means.worth - 1) * looks))
        caution = _CAUTION if effect > 1.0 + _CLEAR * error else 1.0
        return margin * caution * effect if effect > 1.0 + _HINT * error else 1.0

    of_axes = [
        reckoned(inflation * _effect(means.table, axis, events @ (np.square(weight) * chance)), 1)
        for axis, weight, inflation in zip(axes, weights, means.inflation[1:], strict=True)
    ]
    ends = ends_of(chance * strata.sum(axis=(0, 2)))
    of_groups = []
    for first, end in zip([0, *ends[:-1]], ends, strict=True):
        inside = np.zeros(share.size)
        inside[first:end] = 1.0
        of_group = _whole(inside[:, None] * residual)
        of_groups.append(_effect(means.table, of_group, events @ (inside * chance)))
    group = reckoned(max(means.inflation) * float(np.mean(of_groups)), len(ends))
    return DesignEffects(of_axes[0], max(of_axes[1:]), group)


def with_effects(outcome: OutcomeReference, batches: Ints) -> OutcomeReference:
    """An outcome reference with the design effects of these batches, int64[batches, width]."""
    some = batches[batches.any(axis=1)]
    residual, order, group = design_effects(outcome.cells, some)
    return replace(outcome, effects=(residual, order, group), batches=len(some))


def _whole(residual: Floats) -> Ints:
    """Residuals as whole numbers, in units of 1 / `SCORE_SCALE`."""
    whole: Ints = np.rint(residual.ravel() * SCORE_SCALE).astype(np.int64)
    return whole


def _effect(table: Ints, residual: Ints, variance: Floats) -> float:
    """Variance of the sums of residuals of batches, over that of independent events."""
    expected = float(variance.sum())
    if not expected > 0.0:
        return 1.0
    sums, _ = score_sums(table, residual[None])
    square = float(np.square(sums[0] / SCORE_SCALE).sum())
    return square / expected * len(table) / (len(table) - 1)
