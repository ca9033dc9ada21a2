"""A sample of the ids of events with how often each came, to tell how often events came twice.

Kept are the ids of the least hashes (bottom-k: Cohen and Kaplan 2007), each with its exact count.
An id that is among the least of the whole was among the least of every part, so samples merge
exactly, in any order and from any partition into parts; and of an id that is kept, all copies are:
a stream without copies is known to have none, however small the sample. A sketch of cardinality
alone would be off by a percent or more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.counting.sparse import decode_sparse, encode_sparse

__all__ = [
    "MOST_IDS",
    "NO_ID",
    "IdRows",
    "IdSample",
    "hash_columns",
    "hash_texts",
    "others_of_same",
    "sampled_hashes",
]

#: Ids in a sample.
MOST_IDS: Final = 128
#: Hash of an event that nothing identifies.
NO_ID: Final = 0
#: Bits of a hash in a sample: of n events a share of n / 2**40 is taken for copies of others.
_BITS: Final = 40
#: Bits of a count in a row; more copies than that count as so many.
_COUNT_BITS: Final = 23
_MOST_COUNT: Final = 2**_COUNT_BITS - 2
_COUNT_OF: Final = 2**_COUNT_BITS - 1
_OTHER: Final = 0x5DEECE66D5
_EMPTY: Final = 2**63 - 1  # the greatest hash with a count beyond the greatest

Ints = npt.NDArray[np.int64]


class IdSample(NamedTuple):
    """The ids of the least hashes among some events.

    Attributes
    ----------
    hashes : int64[k]
        Rising, from 1 to below 2**40.
    counts : int64[k]
        Events with this id.
    """

    hashes: Ints
    counts: Ints

    @classmethod
    def of(cls, ids: Ints) -> IdSample:
        """The sample of the events with these hashes; `NO_ID` is passed over."""
        hashes, counts = np.unique(ids[ids != NO_ID], return_counts=True)
        return cls(hashes[:MOST_IDS], np.minimum(counts[:MOST_IDS], _MOST_COUNT).astype(np.int64))

    @classmethod
    def merged(cls, samples: Iterable[IdSample]) -> IdSample:
        """The sample of all events of these samples."""
        parts = list(samples)
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return _NONE
        hashes, which = np.unique(np.concatenate([p.hashes for p in parts]), return_inverse=True)
        counts = np.zeros(hashes.size, np.int64)
        np.add.at(counts, which, np.concatenate([p.counts for p in parts]))
        return cls(hashes[:MOST_IDS], np.minimum(counts[:MOST_IDS], _MOST_COUNT))

    @property
    def bound(self) -> int:
        """Ids of a hash up to this one are all in the sample."""
        return int(self.hashes[-1]) if self.hashes.size == MOST_IDS else 2**_BITS

    def below(self, bound: int) -> IdSample:
        """The ids of a hash up to this one."""
        n = int(np.searchsorted(self.hashes, bound, side="right"))
        return IdSample(self.hashes[:n], self.counts[:n])

    def count_of(self, hashes: Ints) -> Ints:
        """How often each of these ids is in the sample."""
        if not self.hashes.size:
            return np.zeros(hashes.size, np.int64)
        at = np.minimum(np.searchsorted(self.hashes, hashes), self.hashes.size - 1)
        found: Ints = np.where(self.hashes[at] == hashes, self.counts[at], 0)
        return found

    def covers(self, other: IdSample) -> bool:
        """Whether this may be a later state of the other: no id of it came less often."""
        known = other.below(self.bound)
        return self.bound <= other.bound and bool(
            (self.count_of(known.hashes) >= known.counts).all()
        )

    def encode(self) -> bytes:
        """The sample as bytes, about six an id: equal samples give equal bytes."""
        return encode_sparse(self.hashes, self.counts)

    @classmethod
    def decode(cls, data: bytes) -> IdSample:
        """Inverse of `encode`.

        Raises
        ------
        ValueError
            If the bytes are no sample.
        """
        if not data:  # as from producers that send no ids, with every summary
            return _NONE
        hashes, counts = decode_sparse(data, MOST_IDS, 2**_BITS)
        if counts.size and (hashes[0] == NO_ID or counts.max() > _MOST_COUNT):
            raise ValueError(f"a sample of ids of {len(data)} bytes: an id or count out of bounds")
        return cls(hashes, counts)


_NONE: Final = IdSample(np.zeros(0, np.int64), np.zeros(0, np.int64))


def sampled_hashes(ids: Ints) -> Ints:
    """The part of whole hashes, as of `hash_texts`, that samples are made of; int64[n]."""
    short = (ids.view(np.uint64) >> _DOWN).view(np.int64)
    short[(short == NO_ID) & (ids != NO_ID)] = 1
    return short


def others_of_same(ids: Ints) -> Ints:
    """Hashes of other events by the same ids, as of the truth that follows a prediction."""
    other = (ids ^ _OTHER) & (2**_BITS - 1)
    other[other == NO_ID] = 1
    return np.where(ids == NO_ID, NO_ID, other)


class IdRows:
    """Samples that grow event by event, numbered; all empty at first.

    A row holds its ids in order, each as one number: its hash, then its count.
    """

    def __init__(self) -> None:
        self._held = np.zeros((0, MOST_IDS), np.int64)

    def grow(self, size: int) -> None:
        """Have at least so many rows."""
        if size <= len(self._held):
            return
        more = np.full((size - len(self._held), MOST_IDS), _EMPTY)
        self._held = np.concatenate([self._held, more])

    def count(self, ids: Ints, slots: npt.NDArray[np.int32]) -> None:
        """Count each id in the row of its slot; negative slots and `NO_ID` are not counted."""
        _count(ids, slots, self._held)

    def sample(self, row: int) -> IdSample:
        """What a row holds."""
        held = self._held[row]
        held = held[held != _EMPTY]
        return IdSample(held >> _COUNT_BITS, held & _COUNT_OF)

    def clear(self, row: int) -> None:
        """Empty a row."""
        self._held[row] = _EMPTY


@kernel
def _count(ids: Ints, slots: npt.NDArray[np.int32], held: Ints) -> None:
    most = held.shape[1]
    for i in range(ids.size):
        slot = slots[i]
        if slot < 0 or ids[i] == NO_ID:
            continue
        row = held[slot]
        least = ids[i] << _COUNT_BITS
        if least > row[most - 1]:
            continue
        at = np.searchsorted(row, least)
        if row[at] != _EMPTY and row[at] >> _COUNT_BITS == ids[i]:
            if row[at] & _COUNT_OF < _MOST_COUNT:
                row[at] += 1
            continue
        for j in range(most - 1, at, -1):
            row[j] = row[j - 1]
        row[at] = least + 1


_FNV_OFFSET: Final = np.uint64(0xCBF29CE484222325)
_FNV_PRIME: Final = np.uint64(0x100000001B3)
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)
_DOWN: Final = np.uint64(64 - _BITS)
_ONE: Final = np.uint64(1)
_NAN: Final = np.uint64(0x7FF8000000000000)
_NEGATIVE_ZERO: Final = np.uint64(0x8000000000000000)
_INFINITY: Final = np.uint64(0x7FF0000000000000)
_MANTISSA: Final = np.uint64(0x000FFFFFFFFFFFFF)


@kernel
def _finished(h: np.uint64) -> np.uint64:
    """A mixed hash (the finisher of splitmix64, Steele and others 2014); never 0."""
    h = (h ^ (h >> _S30)) * _MIX_1
    h = (h ^ (h >> _S27)) * _MIX_2
    h = h ^ (h >> _S31)
    return max(h, _ONE)


@kernel
def _hash_texts(data: npt.NDArray[np.uint8], out: Ints) -> None:
    h = _FNV_OFFSET
    at = 0
    empty = True
    for i in range(data.size + 1):
        if i < data.size and data[i] != 0:
            h = (h ^ np.uint64(data[i])) * _FNV_PRIME
            empty = False
            continue
        out[at] = NO_ID if empty else np.int64(_finished(h))
        at += 1
        h = _FNV_OFFSET
        empty = True


def hash_texts(texts: Sequence[str]) -> Ints:
    """Hashes of ids, int64[n], the same on every machine; that of an empty text is `NO_ID`.

    All 64 bits are used, so that ids can be told apart by them: of n ids, two have one hash with a
    probability of n**2 / 2**65, 1e-6 of six million. Samples hold `sampled_hashes` of them.
    """
    if not texts:
        return np.zeros(0, np.int64)
    joined = "\0".join(texts)
    if joined.count("\0") != len(texts) - 1:  # an id has one itself
        joined = "\0".join(text.replace("\0", "\x01") for text in texts)
    data = joined.encode() if joined.isascii() else joined.encode(errors="surrogatepass")
    out = np.empty(len(texts), np.int64)
    _hash_texts(np.frombuffer(data, np.uint8), out)
    return out


@kernel
def _mix_numbers(values: npt.NDArray[np.uint64], h: npt.NDArray[np.uint64]) -> None:
    """Take a column of numbers, given by their bits, into the hashes of its rows."""
    for i in range(values.size):
        v = values[i]
        if v == _NEGATIVE_ZERO:
            v = np.uint64(0)
        elif v & _INFINITY == _INFINITY and v & _MANTISSA != np.uint64(0):
            v = _NAN  # of all that there are
        x = h[i] ^ v
        h[i] = (x ^ (x >> _S31)) * _MIX_1 + _MIX


@kernel
def _finish(h: npt.NDArray[np.uint64], out: Ints) -> None:
    for i in range(h.size):
        out[i] = np.int64(max(_finished(h[i]) >> _DOWN, _ONE))


def hash_columns(columns: Iterable[npt.NDArray[np.generic]], n: int) -> Ints:
    """Hashes of n rows, int64[n], by their values in columns of floats or integers."""
    h = np.full(n, _FNV_OFFSET)
    for column in columns:
        wide = np.float64 if column.dtype.kind == "f" else np.int64
        _mix_numbers(np.ascontiguousarray(column, wide).view(np.uint64), h)
    out = np.empty(n, np.int64)
    _finish(h, out)
    return out
