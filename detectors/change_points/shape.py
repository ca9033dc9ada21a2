"""Whether a change came at once or over time: a step against a ramp, on the history's blocks.

Block means are fitted by a level and a change from it, weighed by their events over the design
effect; the reference counts as one more block before all, at its own mean. A step may lie within a
block, so it is fitted with some shares of a block as well. A ramp rises from the start of one block
to the start of a later one, or to the end. It is told where it is clearly likelier than every step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Means", "Ramp", "ramp"]

#: Log likelihood by which a ramp has to be better than every step. It has a parameter more, for
#: which the Bayesian information criterion asks log(n) / 2: this, for 10,000 events.
_CLEARLY: Final = 0.5 * math.log(10_000.0)
#: A ramp shorter than so many blocks is not told from a step.
_LEAST_BLOCKS: Final = 4
#: How far back is looked, in lengths of what followed the likeliest step: older excursions do not
#: count. The likeliest step in a ramp is at a third of it.
_HORIZON: Final = 2.0
#: Where in a block a step may be: the share of it that was before.
_WITHIN: Final = (0.0, 0.25, 0.5, 0.75)

Floats = npt.NDArray[np.float64]


class Means(NamedTuple):
    """Of blocks, oldest first: event times, what each weighs, and its mean.

    Weights are inverse variances. `known` is the reference's at mean 0, 0 if the change is one
    within the stream.
    """

    start_ms: Sequence[int]
    end_ms: Sequence[int]
    weight: Floats
    mean: Floats
    known: float


class Ramp(NamedTuple):
    """Blocks whose start is the likeliest beginning, and the first and last nearly as likely."""

    likeliest: int
    first: int
    last: int


def ramp(means: Means, step_ms: int, near_by: float) -> Ramp | None:
    """The ramp that began in those blocks, None if a step may be as likely.

    Parameters
    ----------
    means : Means
        Of all blocks that are held.
    step_ms : int
        When the likeliest step was.
    near_by : float
        Log likelihood within which a beginning is nearly as likely.
    """
    ends = np.array(means.end_ms, np.float64)
    length = ends[-1] - step_ms
    first = int(np.searchsorted(ends, step_ms - _HORIZON * length, side="right"))
    size = ends.size - first
    if size <= _LEAST_BLOCKS:
        return None
    borders = np.append(np.array(means.start_ms, np.float64)[first:], ends[-1])
    middles = (borders[:-1] + ends[first:]) / 2.0
    begins, reaches = np.triu_indices(size + 1, _LEAST_BLOCKS)
    takes_time = borders[reaches] > borders[begins]
    begins, reaches = begins[takes_time], reaches[takes_time]
    if not begins.size:
        return None
    length_of = (borders[reaches] - borders[begins])[:, None]
    ramps = np.clip((middles - borders[begins][:, None]) / length_of, 0.0, 1.0)
    steps = np.concatenate([np.tri(size, k=-1).T + (1.0 - f) * np.eye(size) for f in _WITHIN])
    of_steps, of_ramps = (_gain(means, first, shape) for shape in (steps, ramps))
    way = math.copysign(1.0, of_steps[np.abs(of_steps).argmax()])
    best = float((way * of_ramps).max())
    if best < float((way * of_steps).max()) + _CLEARLY:
        return None
    profile = np.full(size, -np.inf)
    np.maximum.at(profile, begins, way * of_ramps)
    near = first + np.flatnonzero(profile >= best - near_by)
    return Ramp(first + int(profile.argmax()), int(near[0]), int(near[-1]))


def _gain(means: Means, first: int, shapes: Floats) -> Floats:
    """Log likelihood ratio of changes of these shapes, float64[shapes, blocks]; signed."""
    weight, mean = means.weight[first:], means.mean[first:]
    total = float(weight.sum()) + means.known
    level, height = float(weight @ mean) / total, shapes @ weight / total
    covariance = shapes @ (weight * mean) - total * level * height
    variance = np.square(shapes) @ weight - total * np.square(height)
    sound = variance > 1e-9 * total
    gain = covariance * np.abs(covariance) / (2.0 * np.where(sound, variance, 1.0))
    return np.where(sound, gain, 0.0)
