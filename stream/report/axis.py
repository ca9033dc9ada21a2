"""The axis a histogram is drawn on: where its bins lie, linear or logarithmic, and its marks.

Bins are quantiles of the reference, so their widths say where its values are. An axis is chosen on
which they can be seen apart: levels stand side by side, a bin that reaches out to a few outliers is
taken off, and values over several powers of ten get a logarithmic axis.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.figures import figure, figures

__all__ = ["Axis", "choose_axis", "marks_of"]

#: A bin narrower than this part of its values holds one value: float32 rounds by less.
_ONE_VALUE: Final = 1e-6
#: What is nearer to 0 is 0, which has no logarithm.
_NOTHING: Final = 1e-300
#: Levels further apart than so many of their steps are not drawn one by one.
_MAX_STEPS: Final = 100_000
#: A bin that is wider than all others together is taken off, with what is beyond it, while at most
#: this share of the reference goes with it.
_MAX_OFF: Final = 0.06
#: The axis is logarithmic if half of the values would be on less than this part of a linear one,
#: and on several times as much of the logarithmic one.
_SQUEEZED: Final = 0.06
_BETTER: Final = 2.5
#: Values from here on have no logarithm worth drawing: negative ones.
_NEGATIVE: Final = -1e-30
#: More levels than this are a scale of numbers, which may be logarithmic.
_MAX_LEVELS: Final = 160
_MAX_MARKS: Final = 5

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Axis:
    """Places of bins.

    Attributes
    ----------
    scale : str
        "linear", "log" (places are logarithms to the base 10) or "levels".
    first, last : int
        Inner bins that are on the axis: from `first` up to `last`, which is not.
    places : float64[last - first + 1]
        Where they begin, and the last ends.
    step : float
        Between levels; 0 for other scales.
    """

    scale: str
    first: int
    last: int
    places: Floats
    step: float = 0.0

    def value(self, place: float) -> float:
        """The value at a place."""
        return float(10.0**place) if self.scale == "log" else float(place)


def choose_axis(edges: Floats, reference: Floats, window: Floats) -> Axis | None:
    """The axis for inner bins between `edges`, with these shares; None if there is no room for one.

    Shares of what is outside the edges are not among them.
    """
    if edges.size < 2:
        return None
    levels = _levels(edges, reference + window)
    if levels is not None:
        linear = _trimmed("levels", levels[0], 0, reference, levels[1])
        if linear is None or linear.places[-1] - linear.places[0] <= _MAX_LEVELS * linear.step:
            return linear
    else:
        linear = _trimmed("linear", edges, 0, reference)
    positive = int(np.searchsorted(edges, _NOTHING))
    if edges[0] < _NEGATIVE or positive > edges.size - 2:
        return linear
    log = _trimmed("log", np.log10(edges[positive:]), positive, reference)
    if log is None or linear is None:
        return log or linear
    squeezed = _room(linear, edges, reference)
    much_better = _room(log, edges, reference) > _BETTER * squeezed
    return log if squeezed < _SQUEEZED and much_better else linear


def _one_value(edges: Floats) -> npt.NDArray[np.bool_]:
    """Which bins hold one value alone."""
    size = np.maximum(np.abs(edges[:-1]), np.abs(edges[1:]))
    return np.diff(edges) <= _ONE_VALUE * size + _NOTHING


def _levels(edges: Floats, shares: Floats) -> tuple[Floats, float] | None:
    """Places of edges half a step beside the levels, where all values are whole steps."""
    if edges.size == 2 and _one_value(edges)[0]:
        step = max(1.0, 1e-3 * abs(float(edges[0])))
        return edges.mean() + step * np.array([-0.5, 0.5]), step
    single = _one_value(edges)
    steps: list[float] = []
    if not shares[~single].any() and single.sum() > 1:
        at_levels = edges[:-1][single]
        span, min_step = float(at_levels[-1] - at_levels[0]), float(np.diff(at_levels).min())
        steps.append(span / max(1, round(span / min_step)))
    if (np.abs(edges - np.rint(edges)) <= _ONE_VALUE * np.maximum(1.0, np.abs(edges))).all():
        steps.append(1.0)
    for step in steps:
        places = _beside_levels(edges, step)
        if places is not None and not shares[np.diff(places) <= 0.0].any():
            return places, step
    return None


def _beside_levels(edges: Floats, step: float) -> Floats | None:
    """Edges half a step beside the multiples of `step` that they are at; None if they are not."""
    at = np.rint(edges / step)
    off = edges - at * step
    if np.abs(at[[0, -1]]).max() > _MAX_STEPS or (np.abs(off) > 1e-3 * step).any():
        return None
    # An edge is just under its level, at it (which is in the bin that begins there), or just over.
    rounding = 0.0 if step == 1.0 else 1e-12 * float(np.abs(edges).max())
    over = off > rounding
    around = np.flatnonzero(at[1:] == at[:-1])
    over[around], over[around + 1] = False, True
    over[0], over[-1] = False, True
    places: Floats = (at + np.where(over, 0.5, -0.5)) * step
    return places


def _trimmed(
    scale: str, places: Floats, first: int, reference: Floats, step: float = 0.0
) -> Axis | None:
    """The axis cut at a bin that is wider than all others, if few values are there and beyond."""
    widths = np.diff(places)
    shares = reference[first:]
    low, high, off = 0, widths.size, 0.0
    while high - low > 2:
        widest = low + int(np.argmax(widths[low:high]))
        before, after = shares[low : widest + 1].sum(), shares[widest:high].sum()
        off += float(min(before, after))
        if widths[widest] <= widths[low:high].sum() / 2 or off > _MAX_OFF:
            break
        low, high = (widest + 1, high) if before < after else (low, widest)
    if places[high] <= places[low]:
        return None
    return Axis(scale, first + low, first + high, places[low : high + 1], step)


def _room(axis: Axis, edges: Floats, reference: Floats) -> float:
    """Part of the axis that the densest half of the values takes up; single values are left out."""
    part = slice(axis.first, axis.last)
    spread = ~_one_value(edges)[part] & (np.diff(axis.places) > 0.0)
    widths, shares = np.diff(axis.places)[spread], reference[part][spread]
    if not shares.any():
        return 1.0
    order = np.argsort(-shares / widths, kind="stable")
    upto = np.cumsum(shares[order])
    half = int(np.searchsorted(upto, upto[-1] / 2))
    return float(widths[order][: half + 1].sum() / (axis.places[-1] - axis.places[0]))


def marks_of(axis: Axis, low: float, high: float) -> list[tuple[float, str]]:
    """(place, text) of round numbers between two places."""
    if axis.scale == "log":
        places = _round_logs(low, high)
        return [(place, figure(axis.value(place))) for place in places]
    step = axis.step
    if step and (high - low) / step <= _MAX_MARKS + 1:
        count = round((high - low) / step)
        places = [low + (i + 0.5) * step for i in range(count)]
    else:
        places = list(_round_numbers(low, high, step))
    return list(zip(places, figures(*places)))


def _round_numbers(low: float, high: float, min_step: float) -> Iterator[float]:
    """Multiples of 1, 2 or 5 times a power of ten, at most `_MAX_MARKS`."""
    raw = max((high - low) / _MAX_MARKS, min_step)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    for i in range(math.ceil(low / step), math.floor(high / step) + 1):
        yield i * step


def _round_logs(low: float, high: float) -> list[float]:
    """Powers of ten; with 2 and 5 times them where there are few."""
    powers = range(math.ceil(low), math.floor(high) + 1)
    if len(powers) > 2:
        every = -(-len(powers) // _MAX_MARKS)
        return [float(p) for p in powers if p % every == 0]
    between = range(math.floor(low), math.ceil(high) + 1)
    for kinds in ((1, 2, 5), (1, 3), (1,)):
        found = [p + math.log10(m) for p in between for m in kinds]
        found = [place for place in found if low <= place <= high]
        if len(found) <= _MAX_MARKS:
            return found
    return found
