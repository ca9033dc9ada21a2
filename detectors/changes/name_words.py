"""Names in words: those that moved most, and the one that a test found."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import CategoricalBinning
from detectors.counting.coarse import BASE_GROUPS, special_bins
from detectors.figures import percent
from detectors.references.reference import SignalReference

__all__ = ["name_groups", "quoted", "told_share"]

#: A name of a category is cut in words beyond so many characters.
_NAME_CHARS: Final = 80

Ints = npt.NDArray[np.int64]


def quoted(name: str) -> str:
    """A name in quotes, cut where it is very long."""
    return f"'{name if len(name) <= _NAME_CHARS else name[: _NAME_CHARS - 1] + '…'}'"


def name_groups(
    signal: SignalReference, binning: CategoricalBinning, window: Ints, *, public: bool,
    look: int = -1,
) -> tuple[Ints, tuple[str, ...]]:  # fmt: skip
    """The names that moved most have a bin each, and that of `look`; the rest share one."""
    special = special_bins(binning)
    present = [(name, b) for name, b in special.items() if signal.counts[b] or window[b]]
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
    tail = bool(signal.counts[binning.other])
    until = binning.missing if tail else binning.other
    if look < binning.other:
        bins, what = slice(look, look + 1), quoted(_label(binning, look, public=public))
    else:
        bins, what = slice(binning.other, until), "names without a bin of their own"
    before, after = (
        int(counts[bins].sum()) / max(1, int(counts[:until].sum()))
        for counts in (signal.counts, window)
    )
    return f"{what} {percent(before)} -> {percent(after)}"


def _label(binning: CategoricalBinning, b: int, *, public: bool) -> str:
    return binning.categories[b] if public else f"category {b + 1}"
