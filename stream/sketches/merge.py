"""How counts of panes are merged in their encoded form: vectors over known bins, or sketches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from detectors.counting.sparse import (
    add_encoded,
    check_counts,
    decode_counts,
    encode_counts,
    first_count,
)
from stream.sketches.sketch import Sketch

__all__ = ["MergeRule", "SketchMerge", "VectorMerge"]

#: More events than a chunk can hold, 16,384 records of 100,000 rows: sums of 16-bit scores of
#: thousands of such summaries stay below 2**62.
_MAX_EVENTS = 2**31

T = TypeVar("T")


class MergeRule(Protocol[T]):
    """How counts of one kind are decoded, checked, added up and encoded: a commutative monoid."""

    def decode(self, data: bytes) -> T:
        """Counts of a summary.

        Raises
        ------
        ValueError
            If the bytes are none, or absurdly large.
        """

    def check(self, data: bytes) -> None:
        """Raise ValueError if `decode` would."""

    def events(self, counts: T) -> int:
        """How many events were counted."""

    def events_in(self, data: bytes) -> int:
        """The same of counts that were checked before, still encoded."""

    def is_less(self, newer: T, older: bytes) -> bool:
        """Whether something is less in what should be a later state of the same counts."""

    def total(self, parts: Iterable[bytes]) -> T:
        """The sum of what was decoded before."""

    def encode(self, counts: T) -> bytes:
        """Inverse of `decode`."""


@dataclass(frozen=True, slots=True)
class VectorMerge:
    """int64[width] over the bins of a layout; the last `sums` of them are no counts."""

    width: int
    sums: int = 0

    def decode(self, data: bytes) -> npt.NDArray[np.int64]:
        """Decode and check a vector."""
        self.check(data)
        return decode_counts(data, self.width)

    def check(self, data: bytes) -> None:
        """Check without a vector."""
        check_counts(data, self.width, _MAX_EVENTS, self.sums)

    def events(self, counts: npt.NDArray[np.int64]) -> int:
        """The first position."""
        return int(counts[0])

    def events_in(self, data: bytes) -> int:
        """The first number."""
        return first_count(data)

    def is_less(self, newer: npt.NDArray[np.int64], older: bytes) -> bool:
        """Whether any bin shrank."""
        return bool(np.any(newer < decode_counts(older, self.width)))

    def total(self, parts: Iterable[bytes]) -> npt.NDArray[np.int64]:
        """Add up without a vector for each part."""
        total = np.zeros(self.width, np.int64)
        for part in parts:
            add_encoded(part, total)
        return total

    def encode(self, counts: npt.NDArray[np.int64]) -> bytes:
        """Non-zero positions alone."""
        return encode_counts(counts)


@dataclass(frozen=True, slots=True)
class SketchMerge:
    """Sketches of panes that no reference has bins for."""

    def decode(self, data: bytes) -> Sketch:
        """Decode and check a sketch."""
        sketch = Sketch.decode(data)
        if sketch.events > _MAX_EVENTS:  # no signal has more values than that
            raise ValueError(f"a sketch of {len(data)} bytes: more than 2**31 events")
        return sketch

    def check(self, data: bytes) -> None:
        """A sketch is checked as it is decoded."""
        self.decode(data)

    def events(self, counts: Sketch) -> int:
        """The number of events."""
        return counts.events

    def events_in(self, data: bytes) -> int:
        """The number of events."""
        return Sketch.decode(data).events

    def is_less(self, newer: Sketch, older: bytes) -> bool:
        """Whether a count shrank, as far as both can tell it."""
        return not newer.covers(Sketch.decode(older))

    def total(self, parts: Iterable[bytes]) -> Sketch:
        """Merge."""
        return Sketch.total(parts)

    def encode(self, counts: Sketch) -> bytes:
        """Equal sketches give equal bytes."""
        return counts.encode()
