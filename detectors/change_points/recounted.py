"""Other counts over the bins of a reference: of production, or of one part of its rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.change_points.estimates import bin_mean, bin_quantiles
from detectors.counting.binning import NumericBinning
from detectors.counting.sparse import decode_counts
from detectors.references.calibration import Calibration
from detectors.references.parts import Part
from detectors.references.reference import Reference, SignalReference

__all__ = ["recounted", "reference_of_part"]

_QUANTILES: Final = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}

Ints = npt.NDArray[np.int64]


def recounted(signal: SignalReference, counts: Ints, calibration: Calibration) -> SignalReference:
    """The signal with these counts over its bins; its figures are estimated from them."""
    fresh = replace(signal, counts=counts, calibration=calibration)
    if not isinstance(signal.binning, NumericBinning) or not counts[: signal.binning.missing].any():
        return fresh
    mean, std = bin_mean(signal, counts), signal.std
    if mean is not None and std is not None:
        std = _std(signal, counts)
    quantiles = bin_quantiles(signal, counts, tuple(_QUANTILES.values()))
    named = {name: q.value for name, q in zip(_QUANTILES, quantiles, strict=True)}
    return replace(fresh, mean=mean, std=std, quantiles=named)


def reference_of_part(reference: Reference, part: Part) -> Reference:
    """What one part of the stream is compared with: its own rows, as a reference."""
    n_bins = [signal.binning.n_bins for signal in reference.signals]
    outcome = reference.outcome
    cells = 0 if outcome is None else outcome.cells.width
    pieces = np.split(decode_counts(part.counts, sum(n_bins) + cells), np.cumsum(n_bins))
    signals = []
    for signal, counts, own in zip(reference.signals, pieces, part.calibrations, strict=False):
        calibration = own
        if signal.calibration.batches and not own.batches and counts.any():
            calibration = _borrowed(signal, counts, own)
        signals.append(replace(recounted(signal, counts, calibration), slots=None))
    if outcome is not None:
        effects, batches = part.effects, part.batches
        if outcome.batches and not batches:
            effects, batches = outcome.effects, outcome.batches
        outcome = replace(outcome, counts=pieces[-1], effects=effects, batches=batches)
    return replace(reference, signals=tuple(signals), events=part.events, outcome=outcome, parts=())


def _borrowed(signal: SignalReference, counts: Ints, own: Calibration) -> Calibration:
    """The dependence of the whole, for a part whose rows tell too little of theirs.

    As of a stream that varies by the largest of its design effects in every direction.
    """
    whole = signal.calibration
    share = np.bincount(own.groups, counts) / int(counts.sum())
    covariance = whole.effect(signal.counts) * (np.diag(share) - np.outer(share, share))
    return replace(
        own,
        batches=whole.batches,
        phi_x=whole.phi_x,
        phi_y=whole.phi_y,
        lower=covariance[np.tril_indices(share.size)],
        phi_novel=max(own.phi_novel, whole.phi_novel),
    )


def _std(signal: SignalReference, counts: Ints) -> float:
    """From the middles of the bins, corrected by what that is off for the old counts."""
    assert isinstance(signal.binning, NumericBinning)
    assert signal.std is not None
    edges = signal.binning.edges
    middles = np.concatenate([[edges[0]], edges[:-1] / 2 + edges[1:] / 2, [edges[-1]]])

    def spread(held: Ints) -> float:
        share = held[: middles.size] / max(1, int(held[: middles.size].sum()))
        mean = float(share @ middles)
        return float(np.sqrt(share @ np.square(middles - mean)))

    before = spread(signal.counts)
    return spread(counts) * (signal.std / before if before > 0.0 else 1.0)
