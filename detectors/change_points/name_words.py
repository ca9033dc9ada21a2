"""Names in words: those that moved most, and the one that a test found."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import CategoricalBinning
from detectors.counting.merge_bins import BASE_GROUPS, special_bins
from detectors.figures import percent
from detectors.references.reference import SignalReference

__all__ = ["beyond_own", "name_groups", "quoted", "shares_of_look", "told_share"]

#: A name of a category is cut in words beyond so many characters.
_NAME_CHARS: Final = 80
#: Names of a bin in the tail that are listed, and their characters; and the share of a move that is
#: nearly all of it.
_LISTED: Final = 24
_LISTED_CHARS: Final = 400
_MOSTLY: Final = 0.8

Ints = npt.NDArray[np.int64]


def quoted(name: str) -> str:
    """A name in quotes, cut where it is very long."""
    return f"'{name if len(name) <= _NAME_CHARS else name[: _NAME_CHARS - 1] + '…'}'"


def name_groups(
    signal: SignalReference,
    binning: CategoricalBinning,
    window: Ints,
    *,
    public: bool,
    look: int = -1,
) -> tuple[Ints, tuple[str, ...]]:
    """The names that moved most have a bin each, and that of `look`; the rest share one."""
    special = special_bins(binning)
    present = [
        (name, b) for name, b in special.items() if signal.counts[b].any() or window[b].any()
    ]
    shares = signal.counts / max(1, signal.events)
    moved = np.abs(window / max(1, int(window.sum())) - shares)[: binning.other]
    if 0 <= look < moved.size:
        moved[look] = np.inf
    room = BASE_GROUPS - 1 - len(present)
    own = np.sort(np.lexsort((np.arange(moved.size), -moved))[:room])
    groups = np.full(binning.n_bins, own.size, np.int64)
    labels: list[str] = []
    for b in own.tolist():
        groups[b] = len(labels)
        labels.append(_label(binning, b, public=public))
    labels.append("other")
    for name, b in present:
        groups[b] = len(labels)
        labels.append(name)
    return groups, tuple(labels)


def told_share(
    signal: SignalReference, binning: CategoricalBinning, window: Ints, look: int, *, public: bool
) -> str:
    """The share that a test of names looked at, before and after: `'fraud' 0.2 % -> 3 %`.

    Shares are those of the test: of all names, without missing values and those of a wrong type.
    """
    if look < binning.other:
        what = quoted(_label(binning, look, public=public))
    elif look < binning.unseen:
        what = _of_tail(signal, binning, window, look, public=public)
    else:
        what = f"all names {beyond_own(binning)} together"
    before, after = shares_of_look(signal, binning, window, look)
    return f"{what} {percent(before)} -> {percent(after)}"


def shares_of_look(
    signal: SignalReference, binning: CategoricalBinning, window: Ints, look: int
) -> tuple[float, float]:
    """The share that a test of names looked at, in the reference and in the window."""
    tail = bool(signal.counts[binning.other : binning.missing].any())
    until = binning.missing if tail else binning.other
    if look < binning.other:
        bins = np.array([look])
    elif look < binning.unseen:
        bins = np.array([look, look + binning.tail])
    else:
        bins = np.arange(binning.other, until)
    before, after = (
        int(counts[bins].sum()) / max(1, int(counts[:until].sum()))
        for counts in (signal.counts, window)
    )
    return before, after


def beyond_own(binning: CategoricalBinning) -> str:
    """What the names of the tail are, in words that follow `names`."""
    if not binning.other:
        return "that have no bin of their own"
    return f"beyond the {binning.other} with a bin of their own"


def _of_tail(
    signal: SignalReference, binning: CategoricalBinning, window: Ints, look: int, *, public: bool
) -> str:
    """Which names a tail bin is of, as far as that is known.

    Counts say whether known names moved, or ones that the reference never saw; and of the known
    ones which fall into this bin.
    """
    if binning.tail == 1:
        return f"names {beyond_own(binning)}"
    n, of = max(1, int(window.sum())), max(1, signal.events)
    known, new = (
        int(window[b]) / n - int(signal.counts[b]) / of for b in (look, look + binning.tail)
    )
    if abs(new) > _MOSTLY * (abs(known) + abs(new)):
        return "names that the reference never saw, of one bin in the tail,"
    here = sorted(name for name, b in binning.code.items() if b == look)
    if abs(known) <= _MOSTLY * (abs(known) + abs(new)) or not here:
        return f"names {beyond_own(binning)}, of one bin in the tail,"
    if not public:
        return f"one of {len(here)} names {beyond_own(binning)}"
    if len(here) == 1:
        return f"{quoted(here[0])}, of the names {beyond_own(binning)},"
    said = [quoted(name) for name in here[:_LISTED]]
    while sum(map(len, said)) > _LISTED_CHARS:
        said.pop()
    listed = ", ".join(said) + (f" and {len(here) - len(said)} more" if here[len(said) :] else "")
    return f"one of {len(here)} names {beyond_own(binning)} ({listed})"


def _label(binning: CategoricalBinning, b: int, *, public: bool) -> str:
    return binning.categories[b] if public else f"category {b + 1}"
