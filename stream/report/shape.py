"""The shape of a signal's values: a histogram whose areas are shares, of reference and window.

Bars along the axis are equally wide. What the counts do not place on it (values beyond the range of
the reference, missing ones) stands beside it in columns; their areas are shares too, so any two
parts of the drawing can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors import NumericBinning, SignalReference
from detectors.figures import figure, figures
from stream.report.axis import Axis, choose_axis, marks_of
from stream.report.words import bin_name

__all__ = ["Box", "Mark", "Shape", "shape_of", "shape_of_coarse", "shape_of_counts"]

#: Bars on the axis: as many as the fewer events of the two can fill without mere noise.
_MIN_BARS: Final = 12
_MAX_BARS: Final = 40
#: Width of a column beside the axis, and of the gap between, as shares of the drawing.
_COLUMN: Final = 0.11
_GAP: Final = 0.025

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Box:
    """A bar or column; its area is its share. `x` and `width` are shares of the drawing's width."""

    x: float
    width: float
    reference: float
    window: float
    name: str
    beside: bool = False


@dataclass(frozen=True)
class Mark:
    """A number under the axis, at a share of the drawing's width."""

    x: float
    text: str


@dataclass(frozen=True)
class Shape:
    """A histogram as it is drawn.

    Attributes
    ----------
    top : float
        The greatest density: share over width. A box is `share / width / top` of the height.
    bar : float
        Width of the bars on the axis.
    """

    scale: str
    boxes: tuple[Box, ...]
    marks: tuple[Mark, ...]
    start: float
    end: float
    top: float
    bar: float


def shape_of_counts(signal: SignalReference, window: npt.NDArray[np.integer]) -> Shape | None:
    """The shape of a numeric signal, out of all bins of its reference; None of names."""
    binning = signal.binning
    if not isinstance(binning, NumericBinning):
        return None
    before, now = signal.counts.astype(np.float64), window.astype(np.float64)
    events = int(min(before.sum(), now.sum()))
    special = [("missing", binning.missing), ("wrong type", binning.invalid)]
    before, now = before / max(1.0, before.sum()), now / max(1.0, now.sum())
    beside = [(name, float(before[b]), float(now[b])) for name, b in special]
    n = binning.missing
    return shape_of(binning.edges, before[:n], now[:n], beside, events)


def shape_of_coarse(
    edges: Sequence[float],
    reference: Sequence[float],
    window: Sequence[float],
    labels: Sequence[str],
    events: int,
) -> Shape | None:
    """The shape out of the few bins that an alert holds.

    Its outermost bins are open where their names say so: how far they reach is not known.
    """
    n = len(edges) - 1
    if n < 1 or len(labels) < len(window):
        return None
    before, now = np.array(reference[:n]), np.array(window[:n])
    inner = np.array(edges)
    beside = [(bin_name(labels[b]), reference[b], window[b]) for b in range(n, len(window))]
    if labels[0] == "all values":
        return None
    if labels[0].startswith("<"):
        inner = inner[1:]
    else:
        before, now = np.append(0.0, before), np.append(0.0, now)
    if labels[n - 1].startswith(">"):
        inner = inner[:-1]
    else:
        before, now = np.append(before, 0.0), np.append(now, 0.0)
    return shape_of(inner, before, now, beside, events) if inner.size else None


def shape_of(
    edges: Floats,
    reference: Floats,
    window: Floats,
    special: Sequence[tuple[str, float, float]],
    events: int,
) -> Shape | None:
    """The shape of shares in bins `(..., e0), [e0, e1), ..., [ek, ...)`, and of special values.

    `events` are those of the reference or of the window, whichever has fewer.
    """
    inner_before, inner_now = reference[1:-1], window[1:-1]
    axis = choose_axis(edges, inner_before, inner_now)
    if axis is None:
        return None
    grid, step = _grid(axis, events)
    before, now = (_dealt(axis, shares, grid) for shares in (inner_before, inner_now))
    below, above = _ends(axis, edges)
    cut = axis.first + 1, axis.last + 1
    under = (below, float(reference[: cut[0]].sum()), float(window[: cut[0]].sum()))
    over = (above, float(reference[cut[1] :].sum()), float(window[cut[1] :].sum()))
    left = [column for column in (under,) if column[1] or column[2]]
    right = [column for column in (over, *special) if column[1] or column[2]]
    start = len(left) * (_COLUMN + _GAP)
    end = 1.0 - len(right) * (_COLUMN + _GAP)
    bar = (end - start) / before.size
    boxes = [Box(0.0, _COLUMN, old, new, name, beside=True) for name, old, new in left]
    names = _names(axis, grid, step)
    boxes += [
        Box(start + i * bar, bar, float(old), float(new), names[i])
        for i, (old, new) in enumerate(zip(before, now))
    ]
    boxes += [
        Box(end + _GAP + i * (_COLUMN + _GAP), _COLUMN, old, new, name, beside=True)
        for i, (name, old, new) in enumerate(right)
    ]
    span = grid[-1] - grid[0]
    marks = tuple(
        Mark(float(start + (end - start) * (place - grid[0]) / span), text)
        for place, text in marks_of(axis, float(grid[0]), float(grid[-1]))
    )
    top = max(max(box.reference, box.window) / box.width for box in boxes)
    return Shape(axis.scale, tuple(boxes), marks, start, end, max(top, 1e-9), bar)


def _ends(axis: Axis, edges: Floats) -> tuple[str, str]:
    """Names of what is off the axis."""
    if axis.scale == "levels":
        half = axis.step / 2
        low, high = figures(float(axis.places[0] + half), float(axis.places[-1] - half))
        return f"< {low}", f"> {high}"
    low, high = figures(float(edges[axis.first]), float(edges[axis.last]))
    return f"< {low}", f"≥ {high}"


def _grid(axis: Axis, events: int) -> tuple[Floats, float]:
    """Where the bars begin and the last ends; and the step of levels that they hold."""
    # Rice's rule: twice the cube root.
    bars = min(_MAX_BARS, max(_MIN_BARS, math.ceil(2.0 * max(1, events) ** (1 / 3))))
    low, high = float(axis.places[0]), float(axis.places[-1])
    if axis.scale != "levels":
        return np.linspace(low, high, bars + 1), 0.0
    levels = round((high - low) / axis.step)
    step = -(-levels // max(bars, _MAX_BARS)) if levels > _MAX_BARS else 1
    count = -(-levels // step)
    grid: Floats = low + axis.step * step * np.arange(count + 1, dtype=np.float64)
    return grid, axis.step * step


def _dealt(axis: Axis, shares: Floats, grid: Floats) -> Floats:
    """Shares of the bins dealt to the bars, evenly over what a bin covers of the axis."""
    upto = np.append(0.0, np.cumsum(shares[axis.first : axis.last]))
    at = np.interp(grid, axis.places, upto)
    at[0], at[-1] = 0.0, upto[-1]
    return np.diff(at)


def _names(axis: Axis, grid: Floats, step: float) -> list[str]:
    if axis.scale == "levels":
        half = axis.step / 2
        if step == axis.step:
            return [figure(float(low + half)) for low in grid[:-1]]
        return [
            " to ".join(figures(low + half, high - half)) for low, high in pairwise(grid.tolist())
        ]
    values = [axis.value(float(place)) for place in grid]
    return [" to ".join(figures(low, high)) for low, high in pairwise(values)]
