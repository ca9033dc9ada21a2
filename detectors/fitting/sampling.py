"""Bounded memory of unbounded columns: a sample of rows, and a table of frequent names."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["NameTally", "RowSample"]

_HASHES: Final = 4_096
_HASH_RANGE: Final = 2.0**32


class RowSample:
    """Which rows of a stream are kept: all up to `size`, then a uniform sample (a reservoir).

    It depends on the seed and the number of rows only, not on how they are cut into batches.
    Algorithm R: Vitter 1985, section 2.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size = size
        self.rows = 0
        self._rng = np.random.default_rng(seed)

    def place(self, n: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Slots that the next n rows take, and which of the n rows each takes; later ones win."""
        first = max(0, min(n, self.size - self.rows))
        beyond = np.arange(self.rows + first, self.rows + n)
        drawn = (self._rng.random(beyond.size) * (beyond + 1)).astype(np.int64)
        kept = drawn < self.size
        slots = np.concatenate([np.arange(self.rows, self.rows + first), drawn[kept]])
        sources = np.concatenate([np.arange(first), beyond[kept] - self.rows])
        self.rows += n
        return slots, sources

    @property
    def held(self) -> int:
        """Number of rows in the sample."""
        return min(self.rows, self.size)


class NameTally:
    """Counts of names: exact up to `2 * size` distinct ones, then of the frequent ones.

    Beyond, it holds every name that is more than one in `size` of all, with a count that is too
    low by at most that share. Mergeable summaries of heavy hitters: Misra and Gries 1982.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.counts: dict[str, int] = {}
        self._least: npt.NDArray[np.uint32] | None = None

    def add(self, names: Sequence[str], counts: Sequence[int]) -> None:
        """Add names of a batch with their counts."""
        table = self.counts
        for name, count in zip(names, counts, strict=True):
            table[name] = table.get(name, 0) + count
        if self._least is not None:
            self._note(names)
        if len(table) > 2 * self.size:
            if self._least is None:
                self._least = np.zeros(0, np.uint32)
                self._note(list(table))
            self._prune()

    @property
    def distinct(self) -> int:
        """Number of distinct names; to two digits, estimated, where not all are held."""
        if self._least is None:
            return len(self.counts)
        if self._least.size < _HASHES:
            return int(self._least.size)
        return int(float(f"{(_HASHES - 1) * _HASH_RANGE / (float(self._least[-1]) + 1):.1e}"))

    @property
    def is_exact(self) -> bool:
        """Whether every name was held."""
        return self._least is None

    def _prune(self) -> None:
        counts = np.fromiter(self.counts.values(), np.int64, len(self.counts))
        cut = int(np.partition(counts, -self.size - 1)[-self.size - 1])
        self.counts = {name: n - cut for name, n in self.counts.items() if n > cut}

    def _note(self, names: Sequence[str]) -> None:
        """Keep the least hashes: how dense they lie says how many there are."""
        hashes = np.array(
            [zlib.crc32(name.encode(errors="surrogatepass")) for name in names], np.uint32
        )
        for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):  # the end of MurmurHash3
            hashes = (hashes ^ (hashes >> np.uint32(shift))) * np.uint32(factor)
        hashes ^= hashes >> np.uint32(16)
        assert self._least is not None
        self._least = np.unique(np.concatenate([self._least, hashes]))[:_HASHES]
