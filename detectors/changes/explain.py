"""What moved, in words and in at most 20 coarse bins: the explanation of a finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import CategoricalBinning, NumericBinning
from detectors.counting.coarse import BASE_GROUPS, merge_neighbours, special_bins
from detectors.references.reference import SignalReference

__all__ = ["QUANTILES", "Change", "bin_mean", "bin_quantiles", "describe"]

#: Quantiles that a change of numbers is told by.
QUANTILES: Final = (0.05, 0.5, 0.95)

#: Shares that changed by less than this many points are not worth words.
_LEAST_POINTS: Final = 1.0
_MOST_WORDS: Final = 3
#: A range of values that became wider or narrower by less than this share is not worth words.
_WIDER: Final = 0.2


@dataclass(frozen=True)
class Change:
    """What moved between reference and window.

    Attributes
    ----------
    text : str
        Such as `mean 4.1 -> 2.7; [0, 3) gained 24 points`.
    mean_before, mean_after : float or None
        Of a numeric signal: the reference's, and the window's estimated from its bins.
    labels : tuple
        Name of each coarse bin; names of categories only if the signal is public.
    edges : tuple of float
        Where a numeric signal's coarse bins begin, and the last ends; the outer two are open, and
        the reference's least and greatest value stand for their ends. Empty for categories.
    reference, window : tuple of float
        Share of each coarse bin, out of all values.
    quantiles_before, quantiles_after : tuple of float
        At `QUANTILES`, of a numeric signal's reference and window, both estimated from their bins;
        what is beyond the reference's range is given as that range's end. Empty if there are none.
    """

    text: str
    mean_before: float | None
    mean_after: float | None
    labels: tuple[str, ...]
    edges: tuple[float, ...]
    reference: tuple[float, ...]
    window: tuple[float, ...]
    quantiles_before: tuple[float, ...] = ()
    quantiles_after: tuple[float, ...] = ()


def describe(
    signal: SignalReference, window: npt.NDArray[np.int64], *, public: bool = True
) -> Change:
    """Explain a window's counts, int64[n_bins].

    Names of categories of the reference are left out unless `public`; names it never saw are not
    known to anybody here: they are one bin.
    """
    binning = signal.binning
    if isinstance(binning, NumericBinning):
        groups, labels, edges = _numeric_groups(signal, binning, window)
        before, after = signal.mean, bin_mean(signal, window)
        lows, highs = bin_quantiles(binning, signal.counts), bin_quantiles(binning, window)
    else:
        groups, labels = _categorical_groups(signal, binning, window, public=public)
        edges, before, after, lows, highs = (), None, None, (), ()
    old = _shares(signal.counts, groups, len(labels))
    new = _shares(window, groups, len(labels))
    return Change(
        text=_sentence(before, after, labels, old, new, _spread(lows, highs)),
        mean_before=before, mean_after=after, labels=labels, edges=edges,
        reference=tuple(np.round(old, 6).tolist()), window=tuple(np.round(new, 6).tolist()),
        quantiles_before=lows, quantiles_after=highs,
    )  # fmt: skip


def _shares(
    counts: npt.NDArray[np.int64], groups: npt.NDArray[np.int64], size: int
) -> npt.NDArray[np.float64]:
    shares = np.bincount(groups, counts, minlength=size) / max(1, int(counts.sum()))
    return shares


def _numeric_groups(
    signal: SignalReference, binning: NumericBinning, window: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], tuple[str, ...], tuple[float, ...]]:
    """Coarse bins of values out of both histograms together, then missing and invalid if any."""
    special = special_bins(binning)
    n_values = binning.missing
    present = [(name, b) for name, b in special.items() if signal.counts[b] or window[b]]
    both = signal.counts[:n_values] * int(window.sum()) + window[:n_values] * signal.events
    groups = np.zeros(binning.n_bins, np.int64)
    groups[:n_values] = merge_neighbours(both, BASE_GROUPS - len(present), 1)
    size = int(groups[:n_values].max()) + 1
    firsts = [int(np.flatnonzero(groups[:n_values] == g)[0]) for g in range(size)]
    edges = tuple(float(binning.edges[max(0, b - 1)]) for b in (*firsts, binning.above))
    labels: list[str] = []
    for g, first in enumerate(firsts):
        last = firsts[g + 1] - 1 if g + 1 < size else n_values - 1
        while last > first and not both[last]:  # bins that nobody is in do not widen the label
            last -= 1
        while first < last and not both[first]:
            first += 1
        labels.append(_interval(binning, first, last))
    for name, b in present:
        groups[b] = len(labels)
        labels.append(name)
    return groups, tuple(labels), edges


def _interval(binning: NumericBinning, first: int, last: int) -> str:
    if first == last and 0 < first < binning.above:
        low, high = binning.edges[first - 1], binning.edges[first]
        if high == np.nextafter(low, np.inf):
            return _show(low)
    if first == binning.below:
        high = binning.edges[min(last, binning.above - 1)]
        return "all values" if last == binning.above else f"< {_show(high)}"
    low = binning.edges[first - 1]
    if last == binning.above:
        return f">= {_show(low)}" if first < binning.above else f"> {_show(low)}"
    return f"{_show(low)} to {_show(binning.edges[last])}"


def _show(edge: float) -> str:
    return f"{edge:.4g}" if abs(edge) > 1e-300 else "0"  # the edge after an atom at 0 is 5e-324


def _categorical_groups(
    signal: SignalReference, binning: CategoricalBinning, window: npt.NDArray[np.int64], *,
    public: bool,
) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:  # fmt: skip
    """The categories that moved most have a bin each, the rest share one."""
    special = special_bins(binning)
    present = [(name, b) for name, b in special.items() if signal.counts[b] or window[b]]
    shares = signal.counts / max(1, signal.events)
    moved = np.abs(window / max(1, int(window.sum())) - shares)[: binning.other]
    room = BASE_GROUPS - 1 - len(present)
    own = np.sort(np.lexsort((np.arange(moved.size), -moved))[:room])
    groups = np.full(binning.n_bins, own.size, np.int64)
    labels: list[str] = []
    for b in own.tolist():
        groups[b] = len(labels)
        labels.append(binning.categories[b] if public else f"category {b + 1}")
    labels.append("other")
    for name, b in present:
        groups[b] = len(labels)
        labels.append(name)
    return groups, tuple(labels)


def bin_mean(signal: SignalReference, window: npt.NDArray[np.int64]) -> float | None:
    """Mean of a numeric signal's window, from the middles of its bins.

    The same estimate on the reference is off by a known amount, which is taken away. None if more
    than a tenth of the values are outside the reference's range, since how far is not known; fewer
    count as the nearest value inside.
    """
    binning = signal.binning
    assert isinstance(binning, NumericBinning)
    n = int(window[: binning.missing].sum())
    n_reference = int(signal.counts[: binning.missing].sum())
    outside = int(window[binning.below] + window[binning.above])
    if signal.mean is None or not n or not n_reference or outside * 10 > n:
        return None
    edges = binning.edges
    middles = np.concatenate([[edges[0]], edges[:-1] / 2 + edges[1:] / 2, [edges[-1]]])
    old = float((signal.counts[: binning.missing] / n_reference) @ middles)
    new = float((window[: binning.missing] / n) @ middles)
    return new + (signal.mean - old)


def bin_quantiles(
    binning: NumericBinning, counts: npt.NDArray[np.int64], which: tuple[float, ...] = QUANTILES
) -> tuple[float, ...]:
    """Quantiles of values, taken to be spread evenly within each bin."""
    values = counts[: binning.missing]
    n = int(values.sum())
    if not n:
        return ()
    edges = binning.edges
    upto = np.cumsum(values)
    found = []
    for q in which:
        b = int(np.searchsorted(upto, q * n, side="left"))
        while not values[b]:  # of what is counted at exactly that rank
            b += 1
        # Of what is outside only the side is known.
        low, high = float(edges[max(0, b - 1)]), float(edges[min(b, edges.size - 1)])
        inside = (q * n - float(upto[b] - values[b])) / float(values[b])
        found.append(float(f"{low * (1.0 - inside) + high * inside:.9g}"))
    return tuple(found)


def _spread(before: tuple[float, ...], after: tuple[float, ...]) -> str:
    """The range of most values in words, if it became clearly wider or narrower."""
    if not before or not after:
        return ""
    old, new = before[-1] - before[0], after[-1] - after[0]
    if abs(new - old) <= _WIDER * max(old, new):
        return ""
    return f"90 % within {before[0]:.4g} to {before[-1]:.4g} -> {after[0]:.4g} to {after[-1]:.4g}"


def _sentence(
    before: float | None, after: float | None, labels: tuple[str, ...],
    old: npt.NDArray[np.float64], new: npt.NDArray[np.float64], spread: str,
) -> str:  # fmt: skip
    parts = []
    if before is not None and after is not None:
        parts.append(f"mean {before:.4g} -> {after:.4g}")
    if spread:
        parts.append(spread)
    points = 100.0 * (new - old)
    order = np.lexsort((np.arange(points.size), -np.abs(points)))
    said = 0
    for g in order.tolist():
        label = labels[g]
        if label in ("missing", "invalid", "unseen"):
            if abs(points[g]) >= 0.1:
                parts.append(f"{label} {_percent(old[g])} -> {_percent(new[g])}")
        elif said < _MOST_WORDS and abs(points[g]) >= _LEAST_POINTS:
            verb = "gained" if points[g] > 0 else "lost"
            name = f"'{label}'" if before is None else label
            parts.append(f"{name} {verb} {abs(points[g]):.0f} points")
            said += 1
    return "; ".join(parts) or "many small changes"


def _percent(share: float) -> str:
    return f"{100.0 * share:.3g} %"
