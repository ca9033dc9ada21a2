"""When a change began: the likeliest boundary of the history's blocks, and those nearly as likely.

Against the reference the values before the change are taken to follow it, so what maximises

    G(k) = n_k / (2 phi v) * max(0, |mean since k - m0| - b)**2

is the maximum likelihood change point for normal means (Page 1954; Hinkley 1970), with b the
reference's own uncertainty. Within a stream, where a change is against what came before, the two
means on both sides of k are compared instead. Rates have a binomial likelihood.

Interval: with t the true change, the random walk G(k) - G(t) has on each side a maximum that is
about exponential, so max G - G(t) is below 3.68 in 95 % of all cases. The block on either side of
what is that near the maximum belongs to the interval, since a change may lie within a block.

Where a ramp is clearly likelier than any step (`shape`), all is told of its beginning instead.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.change_points.history import (
    COLUMNS,
    INVALID,
    MISSING,
    NEW,
    UNSEEN,
    VALUE,
    History,
    Ranks,
    score_tables,
)
from detectors.change_points.shape import Means, ramp
from detectors.counting.binning import SCORE_SCALE
from detectors.counting.counts import Layout
from detectors.references.calibration import margin_of_few
from detectors.references.reference import SignalReference

__all__ = ["CONFIDENCE", "NEAR", "ChangePoint", "ChangePoints"]

#: Share of the intervals that hold the true change.
CONFIDENCE: Final = 0.95
#: Log likelihood below the largest within which the true change is in so many cases.
NEAR: Final = -math.log(1.0 - math.sqrt(CONFIDENCE))  # 3.68
#: With less evidence than this nothing is said where a test saw more than these sums do: the signal
#: changed in a way that they miss.
_LEAST: Final = 6.0
#: Standard errors by which the reference's mean may be off.
_Z: Final = 3.0
#: What else than means can change, by the test that finds it.
_RATES: Final[Mapping[str, str]] = {
    "missing_rate": "missing", "invalid_rate": "invalid", "unseen_rate": "new", "range_rate": "new",
}  # fmt: skip
_AXES: Final = ("x", "y")
#: Intervals are as wide as if a design effect above 1.5 were larger by this: where the past weighs
#: most, its estimate from 10,000 rows is too low as often as not. Ramps of names are told with the
#: same caution, since nobody knows how much the names' ranks vary once their shares have moved.
_CLEAR, _CAUTION = 1.5, 1.5

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class ChangePoint(NamedTuple):
    """Event times in milliseconds between which the change began, and the likeliest.

    `confidence` is the chance that they hold it, None if nobody knows. `shape` is what is taken to
    have begun: "step", or "ramp" if a change that grew over time is clearly likelier.
    """

    estimate_ms: int
    earliest_ms: int
    latest_ms: int
    confidence: float | None = None
    shape: str = "step"


class _Axis(NamedTuple):
    """What the reference says of one column."""

    mean: float
    variance: float
    phi: float
    events: int


class ChangePoints:
    """Estimates change points of signals from their history.

    Parameters
    ----------
    signals : sequence of SignalReference
        Those of `layout`, in its order.
    layout : Layout
    ranks : callable, optional
        As of `History`.

    Attributes
    ----------
    history : History
        To be fed with every pane (every cycle where the stream has one).
    """

    def __init__(
        self, signals: Sequence[SignalReference], layout: Layout, ranks: Ranks | None = None
    ) -> None:
        self.history = History(signals, layout, ranks)
        self._signals = tuple(signals)
        self._axes: dict[int, dict[str, _Axis]] = {}  # made when a signal first changes

    def estimate(
        self, index: int, test: str, axis: str = "", within: int = 0
    ) -> ChangePoint | None:
        """When the change began that a test found; None if the sums do not show it.

        Parameters
        ----------
        index : int
            Of the signal.
        test : str
            That found it: a rate's own sums are looked at for a rate, else those of all kinds.
        axis : str
            "x" or "y" if the test saw that alone, "xy" if one of both.
        within : int
            The change is one within so many last values, not one against the reference.
        """
        sums = self.history.of(index)
        if not len(sums):
            return None
        if index not in self._axes:
            self._axes[index] = _axes_of(self._signals[index])
        axes = self._axes[index]
        if test in _RATES:
            names: tuple[str, ...] = (_RATES[test],)
        else:
            names = tuple(axis) or COLUMNS[1:]
        gains = [
            (_gain(sums, name, axes[name], self._signals[index].kind, within), name)
            for name in names
            if name in axes
        ]
        best, name = max(gains, key=lambda found: float(found[0].max()), default=(None, ""))
        if best is None or best.max() <= (0.0 if axis else _LEAST):
            return None
        at = int(best.argmax())
        held, known = axes[name], axes[name].phi
        if name == "y" and "x" in axes:
            held = held._replace(phi=known + _lent(sums[at:], axes["x"]))
        near_by = NEAR * (_CAUTION if held.phi > _CLEAR else 1.0)
        near = np.flatnonzero(best >= best.max() - near_by * held.phi / known)
        step = self._point(at, int(near[0]), int(near[-1]), "step")
        kind = self._signals[index].kind
        if kind == "categorical" and name in _AXES:
            held = held._replace(phi=held.phi * near_by / NEAR)
        rose = ramp(self._means(sums, name, held, kind, within, at), step.estimate_ms, near_by)
        return step if rose is None else self._point(*rose, "ramp")

    def _point(self, likeliest: int, first: int, last: int, shape: str) -> ChangePoint:
        """At the start of a block; those of `first` and `last` are the ends of what is likely."""
        starts, ends = self.history.start_ms, self.history.end_ms
        return ChangePoint(
            starts[likeliest],
            starts[max(0, first - 1)],
            starts[last + 1] if last + 1 < len(starts) else ends[-1],
            CONFIDENCE,
            shape,
        )

    def _means(self, sums: Ints, name: str, axis: _Axis, kind: str, within: int, at: int) -> Means:
        """The blocks of one column; those of ADWIN's window alone if the change is within it."""
        n, s = _column(sums, name, kind)
        mean, variance, known = s / np.maximum(1, n), axis.variance, float(axis.events)
        if name in _AXES:
            mean = mean / SCORE_SCALE
        else:  # as it is since the step: a share varies the more, the larger it is
            share = float(s[at:].sum()) / max(1, int(n[at:].sum()))
            variance = max(variance, share * (1.0 - share), 1e-9)
        if within:
            n, known = np.where(_since(n) > within, 0, n), 0.0
        scale = axis.phi * variance
        starts, ends = self.history.start_ms, self.history.end_ms
        return Means(starts, ends, n / scale, mean - axis.mean, known / scale)


def _column(sums: Ints, name: str, kind: str) -> tuple[Ints, Ints]:
    """Of each block: how many could be in a column, and the sum over those that are."""
    events = sums[:, 0]
    values = events - sums[:, 3] - sums[:, 4] - (sums[:, 5] if kind == "categorical" else 0)
    return (values if name in _AXES else events), sums[:, COLUMNS.index(name)]


def _gain(sums: Ints, name: str, axis: _Axis, kind: str, within: int) -> Floats:
    """Log likelihood ratio of a change at the beginning of each block."""
    n, s = _column(sums, name, kind)
    n_since, s_since = _since(n), _since(s)
    if name not in _AXES:
        return _binomial(n_since, s_since, axis)
    mean = s_since / np.maximum(1, n_since) / SCORE_SCALE
    if not within:
        bound = _Z * math.sqrt(axis.phi * axis.variance / max(1, axis.events))
        apart = np.maximum(0.0, np.abs(mean - axis.mean) - bound)
        weight = n_since.astype(np.float64)
    else:
        first = int(np.argmax(n_since <= within))
        n_before = n_since[first] - n_since
        mean_before = (s_since[first] - s_since) / np.maximum(1, n_before) / SCORE_SCALE
        apart = mean - mean_before
        weight = np.maximum(0, n_before) * n_since / max(1, int(n_since[first]))
    gain: Floats = weight * np.square(apart) / (2.0 * axis.phi * axis.variance)
    return gain


def _since(column: Ints) -> Ints:
    """Sums from each block to the last."""
    sums: Ints = np.cumsum(column[::-1])[::-1]
    return sums


def _lent(since: Ints, x: _Axis) -> float:
    """What the spread gets of the design effect of x, by how far the mean rank is from the middle.

    |2 x - 1| does not feel how the mean wanders where values lie around the middle. Once they have
    moved to a side it does: there it is x itself.
    """
    events, ranks, _, missing, invalid, _ = since.sum(axis=0).tolist()
    middle = 2.0 * ranks / SCORE_SCALE / max(1, events - missing - invalid) - 1.0
    return x.phi * (0.5 * middle) ** 2 if x.phi > _CLEAR else 0.0


def _binomial(n: Ints, s: Ints, axis: _Axis) -> Floats:
    """Of a share that rose above the reference's."""
    known = (axis.mean * axis.events + 1.0) / (axis.events + 2.0)
    known += _Z * math.sqrt(axis.phi * known * (1.0 - known) / max(1, axis.events))
    known = min(known, 1.0 - 1e-9)
    share = np.minimum(1.0 - 1e-12, s / np.maximum(1, n))
    rose = share > known
    share = np.where(rose, share, known)
    gain: Floats = n * (
        share * np.log(share / known) + (1.0 - share) * np.log((1.0 - share) / (1.0 - known))
    )
    return gain / axis.phi


def _axes_of(signal: SignalReference) -> dict[str, _Axis]:
    """Mean, variance and design effect of each column; those that cannot vary are left out."""
    x, y, kinds = score_tables(signal)
    ranked = np.isin(kinds, (VALUE, NEW))
    found = {}
    calibration, numeric = signal.calibration, signal.kind == "numeric"
    for name, scores, phi in (
        ("x", x / SCORE_SCALE, calibration.phi_x),
        ("y", y / SCORE_SCALE, calibration.phi_y),
    ):
        counts = np.where(ranked, signal.counts, 0)
        n = int(counts.sum())
        if not n:
            continue
        mean = float(counts @ scores) / n
        variance = float(counts @ np.square(scores - mean)) / n
        if variance > 0.0:
            effect = phi if numeric else _effect(signal, scores, counts)
            found[name] = _Axis(mean, variance, effect, n)
    values = list(found.values())
    for name, which in (("missing", MISSING), ("invalid", INVALID), ("new", (NEW, UNSEEN))):
        inside = np.isin(kinds, which).astype(np.float64)
        share = float(signal.counts @ inside) / max(1, signal.events)
        effect = _effect(signal, inside, signal.counts)
        if name == "new":  # the reference has too few to show how they come: as the other values
            effect = max([effect, *(axis.phi for axis in values)])
        found[name] = _Axis(share, share * (1.0 - share), effect, signal.events)
    return found


def _effect(signal: SignalReference, scores: Floats, counts: Ints) -> float:
    """Design effect of a mean of scores, from the covariance of the coarse bins over batches."""
    calibration = signal.calibration
    if calibration.covariance is None or not counts.any():
        return 1.0
    groups = calibration.groups
    held = np.maximum(1, np.bincount(groups, signal.counts))
    of_group = np.bincount(groups, scores * signal.counts) / held
    mean = float(counts @ scores) / int(counts.sum())
    inside = np.bincount(groups, counts) / np.maximum(1, np.bincount(groups, signal.counts))
    centred = (of_group - mean) * (inside > 0.0)
    share = np.bincount(groups, signal.counts) / max(1, signal.events)
    independent = float(share @ np.square(centred))
    if not independent > 0.0:
        return 1.0
    effect = float(centred @ calibration.covariance @ centred) / independent
    return max(1.0, effect * margin_of_few(calibration.batches))
