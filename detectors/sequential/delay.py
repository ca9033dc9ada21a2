"""How soon an e-detector finds a shift: known before anything is watched."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from detectors.references.reference import SignalReference
from detectors.sequential.edetector import GrowthTable

__all__ = ["events_until_found"]

#: Growth that is none, and a logarithm of evidence beyond any threshold.
_STEADY, _LARGEST = 1e-9, 600.0

Floats = npt.NDArray[np.float64]


def events_until_found(
    signal: SignalReference, sd: float, *, threshold: float, z: float, events_a_pane: float
) -> float:
    """Events of a stream until a shift of its values is found; infinite if it may never be.

    Evidence is taken to grow as it does on average, which gives about the median.

    Parameters
    ----------
    signal : SignalReference
        Of numbers. Its values are taken to be a function of normal ones, which move.
    sd : float
        By so many standard deviations of these, up or down, whichever is found later; but only the
        way that moves their ranks: a share of 1 % can hardly fall.
    threshold, z : float
        Of `EDetectorBank`.
    events_a_pane : float
        At least 1: panes without events do not count.
    """
    table = GrowthTable([signal], z=z)
    size = int(table.size[0])
    if not size:
        return math.inf
    growth = table.least[0][:, None] + table.growth[0, :, :size] * table.step[0][:, None]
    counts = signal.counts[:size]
    below = np.cumsum(counts)[:-1] / counts.sum()
    normal = NormalDist()
    edges = [normal.inv_cdf(p) if 0.0 < p < 1.0 else math.inf * (p - 0.5) for p in below.tolist()]
    starts = np.minimum(1.0, events_a_pane * table.starts[0])
    scores = signal.binning.scores(signal.counts)[:size]  # type: ignore[union-attr]
    ways = [np.diff([0.0, *(normal.cdf(edge - way) for edge in edges), 1.0]) for way in (sd, -sd)]
    moves = [abs(float(scores @ (moved - counts / counts.sum()))) for moved in ways]
    panes = max(
        _panes(events_a_pane * (growth @ moved), starts, threshold)
        for moved, move in zip(ways, moves, strict=True)
        if move >= max(moves) / 2.0
    )
    return math.ceil(panes) * events_a_pane if math.isfinite(panes) else math.inf


def _panes(gain: Floats, starts: Floats, threshold: float) -> float:
    """Panes until the mean of all processes passes the threshold, at this growth a pane."""
    gain = np.where(np.abs(gain) < _STEADY, _STEADY, gain)

    def evidence(panes: float) -> float:
        # M of a process: starts * (e^g + e^2g + ... + e^(panes g)), by logarithms.
        grown = np.expm1(np.minimum(gain * panes, _LARGEST)) / np.expm1(gain)
        return float(np.logaddexp.reduce(np.log(starts) + gain + np.log(grown)))

    target, high = math.log(threshold * gain.size), 1.0
    while evidence(high) < target:
        high *= 2.0
        if high > 1e9:
            return math.inf
    low = high / 2.0 if high > 1.0 else 0.0
    for _ in range(30):
        middle = (low + high) / 2.0
        low, high = (middle, high) if evidence(middle) < target else (low, middle)
    return high
