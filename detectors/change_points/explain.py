"""What moved, in words and in at most 20 coarse bins: the explanation of a finding.

Words say what is so and no more than is known: a mean only where the bins bound it (else the
median), "over 337" for what is beyond the reference's range, shares of no fewer than 30 values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.change_points.estimates import (
    QUANTILES,
    Quantile,
    bin_mean,
    bin_quantiles,
    is_typical,
    known_quantiles,
    outside,
)
from detectors.change_points.name_words import name_groups, quoted, told_share
from detectors.counting.binning import SCORE_SCALE, NumericBinning
from detectors.counting.merge_bins import BASE_GROUPS, merge_neighbours, special_bins
from detectors.figures import figure, figures, percent
from detectors.references.reference import SignalReference

__all__ = ["LEAST_EVENTS", "QUANTILES", "Change", "describe", "ends_of"]

#: Of fewer values no shares are told: of 30 a share is known to within 18 points.
LEAST_EVENTS: Final = 30
#: What was missing, of a wrong type, unseen or out of range is told from this share on.
_LEAST_SHARE: Final = 0.001
#: Shares that changed by less than this many points are not worth words.
_LEAST_POINTS: Final = 1.0
_MOST_WORDS: Final = 3
#: A range of values that became wider or narrower by less than this share is not worth words.
_WIDER: Final = 0.2
_WITHIN: Final = "90 % within "


@dataclass(frozen=True)
class Change:
    """What moved between reference and window.

    Attributes
    ----------
    text : str
        Such as `mean 4.1 -> 2.7; [0, 3) gained 24 points`.
    mean_before, mean_after : float or None
        Of a numeric signal's values within the reference's range: the reference's, and the
        window's estimated from its bins; None where they do not bound it well.
    labels : tuple
        Name of each coarse bin; names of categories only if the signal is public.
    edges : tuple of float
        Where a numeric signal's coarse bins begin, and the last ends; the outer two are open, and
        the reference's least and greatest value stand for their ends. Empty for categories.
    reference, window : tuple of float
        Share of each coarse bin, out of all values.
    quantiles_before, quantiles_after : tuple of float
        At `QUANTILES`, of a numeric signal's reference and window; the window's are estimated from
        its bins. Empty if there are none.
    sides_before, sides_after : tuple of int
        Of each quantile: 1 if it is so much or more, -1 if it is so much or less, else 0.
    shift : float
        By how much a numeric signal's mean rank in the reference moved, of 1.
    centre, spread : str
        Of a numeric signal, such as `mean 4.1 -> 2.7` and `90 % within 1 to 3 -> 0 to 5`; "" where
        they hardly moved or are not known.
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
    sides_before: tuple[int, ...] = ()
    sides_after: tuple[int, ...] = ()
    shift: float = 0.0
    centre: str = ""
    spread: str = ""

    @property
    def direction(self) -> int:
        """1 if a numeric signal's values moved up, -1 down, by their mean rank."""
        return (self.shift > 0.0) - (self.shift < 0.0)


def describe(
    signal: SignalReference, window: npt.NDArray[np.int64], *, public: bool = True, look: int = -1
) -> Change:
    """Explain a window's counts, int64[n_bins].

    Names of categories of the reference are left out unless `public`; names it never saw are not
    known to anybody here. `look` is the share that a test of names found, as `WindowResult.look`
    has it, and is told first.
    """
    binning = signal.binning
    before = after = None
    olds: tuple[Quantile, ...] = ()
    news: tuple[Quantile, ...] = ()
    edges: tuple[float, ...] = ()
    parts: list[str] = []
    shift = 0.0
    told = centre = spread = ""
    events = int(window.sum())
    if isinstance(binning, NumericBinning):
        groups, labels, edges = _numeric_groups(signal, binning, window)
        before, after = signal.mean, bin_mean(signal, window)
        olds, news = known_quantiles(signal), bin_quantiles(signal, window)
        shift = _shift(signal, binning, window)
        centres = _centre(signal, binning, window, (before, after), (olds, news))
        spreads = _spread(olds, news) if events >= LEAST_EVENTS else []
        centre, spread = "".join(centres), "".join(spreads)
        parts += [*centres, *spreads]
        if events >= LEAST_EVENTS:
            parts += _beyond(signal, binning, window)
    else:
        groups, labels = name_groups(signal, binning, window, public=public, look=look)
        if look >= 0 and events >= LEAST_EVENTS:
            parts.append(told_share(signal, binning, window, look, public=public))
            told = labels[groups[look]] if look < binning.other else ""
    old = _shares(signal.counts, groups, len(labels))
    new = _shares(window, groups, len(labels))
    if events >= LEAST_EVENTS:
        parts += _moved(labels, old, new, are_names=not edges, told=told)
    elif events:
        parts.append(f"{events} value{'s are' if events > 1 else ' is'} too few to tell shares")
    return Change(
        text="; ".join(parts) or "many small changes",
        mean_before=before,
        mean_after=after,
        labels=labels,
        edges=edges,
        reference=tuple(np.round(old, 6).tolist()),
        window=tuple(np.round(new, 6).tolist()),
        quantiles_before=tuple(q.value for q in olds),
        quantiles_after=tuple(q.value for q in news),
        sides_before=tuple(q.side for q in olds),
        sides_after=tuple(q.side for q in news),
        shift=shift,
        centre=centre,
        spread=spread,
    )


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
    present = [
        (name, b) for name, b in special.items() if signal.counts[b].any() or window[b].any()
    ]
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
            return figure(low)
    if first == binning.below:
        high = binning.edges[min(last, binning.above - 1)]
        return "all values" if last == binning.above else f"< {figure(high)}"
    low = binning.edges[first - 1]
    if last == binning.above:
        return f">= {figure(low)}" if first < binning.above else f"> {figure(low)}"
    return " to ".join(figures(low, binning.edges[last]))


def _shift(
    signal: SignalReference, binning: NumericBinning, window: npt.NDArray[np.int64]
) -> float:
    """How far the mean rank moved; one division of whole numbers, so that it is the same always."""
    ranks = binning.scores(signal.counts)[: binning.missing]
    old, new = signal.counts[: binning.missing], window[: binning.missing]
    whole, seen = int(old.sum()), int(new.sum())
    moved = int(new @ ranks) * whole - int(old @ ranks) * seen
    return moved / (max(1, whole) * max(1, seen) * SCORE_SCALE)


def _centre(
    signal: SignalReference,
    binning: NumericBinning,
    window: npt.NDArray[np.int64],
    means: tuple[float | None, float | None],
    quantiles: tuple[tuple[Quantile, ...], tuple[Quantile, ...]],
) -> list[str]:
    """The mean where it is known and says where the values are, else the median."""
    (before, after), (olds, news) = means, quantiles
    scale = olds[-1].value - olds[0].value if olds else 0.0
    if is_typical(before, olds) and is_typical(after, news):
        text = "mean {} -> {}".format(*figures(before, after, scale=scale))
        if any(outside(signal, window)):
            text += " without what is beyond {} to {}".format(*figures(*ends_of(binning)))
        return [text]
    if not olds or not news:
        return []
    said = figures(olds[1].value, news[1].value, scale=scale)
    old, new = _sided(said[0], olds[1]), _sided(said[1], news[1])
    return [f"median {old} -> {new}"] if old != new else []


def _spread(olds: tuple[Quantile, ...], news: tuple[Quantile, ...]) -> list[str]:
    """The range of most values in words, if it became clearly wider or narrower."""
    if not olds or not news:
        return []
    old, new = olds[-1].value - olds[0].value, news[-1].value - news[0].value
    if abs(new - old) <= _WIDER * max(old, new):
        return []
    ends = (olds[0].value, olds[-1].value, news[0].value, news[-1].value)
    said = figures(*ends, scale=max(old, new))
    before, after = _most(said[:2], olds), _most(said[2:], news)
    return [f"{before} -> {after.removeprefix(_WITHIN) if before.startswith(_WITHIN) else after}"]


def _most(said: tuple[str, ...], quantiles: tuple[Quantile, ...]) -> str:
    """Where most values are: between the 5 % and the 95 % quantile, or beyond one of them."""
    first, last = quantiles[0], quantiles[-1]
    if first.side > 0:
        return f"95 % over {said[0]}"
    if last.side < 0:
        return f"95 % under {said[1]}"
    return f"{_WITHIN}{_sided(said[0], first)} to {_sided(said[1], last)}"


def _sided(said: str, quantile: Quantile) -> str:
    return said if not quantile.side else f"{'over' if quantile.side > 0 else 'under'} {said}"


def ends_of(binning: NumericBinning) -> tuple[float, float]:
    """The reference's least and greatest value."""
    return float(binning.edges[0]), float(np.nextafter(binning.edges[-1], -np.inf))


def _beyond(
    signal: SignalReference, binning: NumericBinning, window: npt.NDArray[np.int64]
) -> list[str]:
    """What is outside the reference's range: how far is not known, so how much of it."""
    before, now = outside(signal, signal.counts), outside(signal, window)
    least, greatest = figures(*ends_of(binning))
    ends = zip(before, now, (f"below {least}", f"above {greatest}"), strict=True)
    return [f"{percent(new)} {end}" for old, new, end in ends if new - old >= _LEAST_SHARE]


def _moved(
    labels: tuple[str, ...],
    old: npt.NDArray[np.float64],
    new: npt.NDArray[np.float64],
    *,
    are_names: bool,
    told: str = "",
) -> list[str]:
    """The bins whose shares moved most, but for the one that is told already."""
    parts = []
    points = 100.0 * (new - old)
    order = np.lexsort((np.arange(points.size), -np.abs(points)))
    said = 0
    for g in order.tolist():
        label, moved = labels[g], round(abs(float(points[g])))
        if label in ("missing", "invalid", "unseen"):
            if abs(new[g] - old[g]) >= _LEAST_SHARE:
                parts.append(f"{label} {percent(old[g])} -> {percent(new[g])}")
        elif (
            said < _MOST_WORDS and abs(points[g]) >= _LEAST_POINTS and not (told and label == told)
        ):
            verb = "gained" if points[g] > 0 else "lost"
            name = quoted(label) if are_names else label
            parts.append(f"{name} {verb} {moved} point{'s' if moved > 1 else ''}")
            said += 1
    return parts
