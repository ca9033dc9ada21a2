"""Names that nobody shall read: categories under a keyed hash, signals taken out altogether.

A hashed category is called `#KEY:HASH`: the first eight digits of a hash that names the key, and
sixteen of the name's own HMAC. Who has the key can look a name up; who has not cannot even try all
names of a small set, as a plain hash would let him. Equal names of different signals stay equal.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors import CategoricalBinning, Reference, SignalReference
from detectors.references.parts import SegmentParts
from detectors.references.segments import segment_name
from stream.contracts.errors import DriftstreamError
from stream.plans.base import PlanError

__all__ = ["CategoryHash", "HashKeyError", "apply_privacy", "hashed_with"]

#: Below it, a key can be guessed.
MIN_KEY: Final = 16
_HASHED: Final = re.compile(r"#([0-9a-f]{8}):[0-9a-f]{16}")


class HashKeyError(DriftstreamError, ValueError):
    """A key that is missing, too short, or not the one that names were hashed with."""


class CategoryHash:
    """Replaces names of categories. Shows nothing of its key.

    Parameters
    ----------
    key : str
        A secret of at least 16 characters, the same for fitting and for every worker.

    Examples
    --------
    >>> hashing = CategoryHash("correct horse battery staple")
    >>> hashing.name("alice@example.com") == hashing.name("alice@example.com")
    True
    >>> hashing.name("alice@example.com").startswith(f"#{hashing.id}:")
    True
    """

    def __init__(self, key: str) -> None:
        if len(key) < MIN_KEY:
            raise HashKeyError(
                f"the hash key must have at least {MIN_KEY} characters; got {len(key)}. "
                "Make one: openssl rand -hex 32."
            )
        self._key = key.encode()
        self.id = self._digest("driftstream key", 8)

    def _digest(self, text: str, digits: int) -> str:
        # A lone surrogate of a producer's JSON is no reason to fail.
        data = text.encode("utf-8", "surrogatepass")
        return hmac.new(self._key, data, hashlib.sha256).hexdigest()[:digits]

    def name(self, text: str) -> str:
        """What stands for a name everywhere."""
        return f"#{self.id}:{self._digest('=' + text, 16)}"

    def shuffled(self, n: int) -> list[int]:
        """The numbers below n in an order that only the key tells."""
        return sorted(range(n), key=lambda i: self._digest(f"tail bin {i}", 16))

    def __repr__(self) -> str:
        return f"CategoryHash(id={self.id!r})"


def hashed_with(binning: CategoricalBinning) -> str | None:
    """Id of the key that all names of a binning are hashed with; None if they are plain."""
    names = (*binning.categories, *binning.others)
    found = {match[1] if (match := _HASHED.fullmatch(name)) else None for name in names}
    return found.pop() if len(found) == 1 else None


def apply_privacy(
    reference: Reference,
    drop: Collection[str],
    hashed: Collection[str],
    hashing: CategoryHash | None,
) -> Reference:
    """A reference without the dropped signals, and with hashed names in the others.

    Raises
    ------
    HashKeyError
        If a key is needed, or names are hashed with another one.
    PlanError
        If there is no such signal, or a numeric one is to be hashed.
    """
    kinds = {signal.name: signal.kind for signal in reference.signals}
    for name in drop:  # a misspelt name would let the right one through
        if name not in kinds and name not in reference.columns.ignored:
            raise PlanError(
                f"signal {name!r} cannot be dropped: it is neither in the reference nor was it "
                "left out when that was fitted. Correct the name."
            )
    for name in hashed:
        if kinds.get(name) != "categorical":
            there = f"is {kinds[name]}" if name in kinds else "is not in the reference"
            raise PlanError(
                f"signal {name!r} cannot be hashed: it {there}. Drop it, or correct the name."
            )
    signals, orders = [], {}
    for signal in reference.signals:
        if signal.name in hashed and isinstance(signal.binning, CategoricalBinning):
            hidden, orders[signal.name] = _hashed(signal, signal.binning, hashing)
            signals.append(hidden)
        elif signal.name not in drop:
            signals.append(signal)
    if not signals:
        raise PlanError("every signal is dropped; nothing is left to watch.")
    named = reference.columns
    columns = replace(
        named,
        prediction=None if named.prediction in drop else named.prediction,
        score=None if named.score in drop else named.score,
        actual=None if named.actual in drop else named.actual,
        ignored=tuple(dict.fromkeys([*named.ignored, *sorted(drop)])),
    )
    joint = reference.joint and reference.joint.without(frozenset(drop))
    joint = joint and joint.reordered(orders)
    private = replace(reference, signals=tuple(signals), columns=columns, joint=joint)
    private = _without_outcome(private, {*drop, *hashed})
    return replace(private, parts=_parts_of(reference, private, orders))


def _parts_of(
    before: Reference, after: Reference, orders: Mapping[str, npt.NDArray[np.int64]]
) -> tuple[SegmentParts, ...]:
    """The parts of a reference with the signals of another one, bins in these orders."""
    sizes = [signal.binning.n_bins for signal in before.signals]
    start = np.cumsum([0, *sizes])
    at = {signal.name: index for index, signal in enumerate(before.signals)}
    kept = [
        (at[name], orders.get(name, np.arange(sizes[at[name]])))
        for name in (signal.name for signal in after.signals)
    ]
    cells = 0 if before.outcome is None else before.outcome.cells.width
    bins = np.concatenate([start[index] + order for index, order in kept])
    if after.outcome is not None:
        bins = np.concatenate([bins, start[-1] + np.arange(cells)])
    width = int(start[-1]) + cells
    return tuple(
        replace(each, parts=tuple(part.rearranged(width, bins, kept) for part in each.parts))
        for each in before.parts
    )


def _without_outcome(reference: Reference, names: Collection[str]) -> Reference:
    """The reference without outcomes, if one of these signals is what they are derived from."""
    outcome = reference.outcome
    if outcome is None or not (hidden := sorted(outcome.signals & set(names))):
        return reference
    protected = " and by ".join(map(segment_name, reference.protected))
    by = f", and fairness by {protected}," if protected else ""
    warning = f"outcomes{by} are not followed: {hidden[0]} is dropped or hashed"
    return replace(
        reference,
        signals=tuple(signal for signal in reference.signals if signal.name != outcome.error),
        outcome=None,
        joint=reference.joint and reference.joint.without_errors(),
        warnings=(*reference.warnings, warning),
    )


def _hashed(
    signal: SignalReference, binning: CategoricalBinning, hashing: CategoryHash | None
) -> tuple[SignalReference, npt.NDArray[np.int64]]:
    """The signal with hashed names, and which of its old bins each bin is."""
    if hashing is None:
        raise HashKeyError(
            f"signal {signal.name!r} is to be hashed, and there is no key. Give one."
        )
    there = hashed_with(binning)
    if there == hashing.id:
        return signal, np.arange(binning.n_bins)
    if there is not None:
        raise HashKeyError(
            f"signal {signal.name!r} of the reference is hashed with key {there}; this key is "
            f"{hashing.id}. Give the key it was fitted with, or fit again."
        )
    categories = tuple(map(hashing.name, binning.categories))
    others = tuple(map(hashing.name, binning.others))
    if binning.tail == 1:
        binned = CategoricalBinning(categories, tuple(sorted(others)))
        return replace(signal, binning=binned), np.arange(binning.n_bins)
    # A tail bin would tell six bits of each name: which is which, only the key tells.
    to = hashing.shuffled(binning.tail)
    pairs = sorted(
        (name, to[binning.code[plain] - binning.other])
        for name, plain in zip(others, binning.others, strict=True)
    )
    bins = np.arange(binning.n_bins)
    for first in (binning.other, binning.unseen):
        bins[[first + place for place in to]] = np.arange(first, first + binning.tail)
    hidden = replace(
        signal,
        binning=CategoricalBinning(
            categories,
            tuple(name for name, _ in pairs),
            binning.tail,
            tuple(place for _, place in pairs),
            binning.halvings,
        ),
        counts=signal.counts[bins],
        calibration=replace(signal.calibration, groups=signal.calibration.groups[bins]),
    )
    return hidden, bins
