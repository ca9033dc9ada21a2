"""Vectors of counts over blocks of panes: short blocks for the last minutes, long ones before.

As in ADWIN's window a block of row r spans 2**r panes, and two neighbours are merged when a row
holds more than four. All is int64: merged panes give the same bits in any order.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.counting.sparse import add_encoded, decode_counts, encode_counts, merge_encoded

__all__ = ["Blocks"]

_OF_A_ROW: Final = 4

Ints = npt.NDArray[np.int64]


class Blocks:
    """Encoded blocks, oldest first.

    Parameters
    ----------
    width : int
        Length of a pane's vector.
    most : int
        Blocks that are kept at most, below 256.

    Attributes
    ----------
    first : list of int
        What stands at position 0, of each block.
    start_ms, end_ms : list of int
        Event times of each block: where its first pane begins and its last ends.
    """

    def __init__(self, width: int, most: int) -> None:
        self.width, self._most = width, most
        self._rows: list[int] = []
        self._blocks: list[bytes] = []
        self.first: list[int] = []
        self.start_ms: list[int] = []
        self.end_ms: list[int] = []

    def __len__(self) -> int:
        return len(self._blocks)

    def add(self, counts: Ints, start_ms: int, end_ms: int) -> None:
        """Take the next pane in."""
        self._blocks.append(encode_counts(counts))
        self._rows.append(0)
        self.first.append(int(counts[0]) if self.width else 0)
        self.start_ms.append(start_ms)
        self.end_ms.append(end_ms)
        row = 0
        while self._rows.count(row) > _OF_A_ROW:
            first = self._rows.index(row)
            self._blocks[first] = merge_encoded(self._blocks[first], self._blocks.pop(first + 1))
            self._rows[first] += 1
            self.first[first] += self.first.pop(first + 1)
            del self._rows[first + 1], self.start_ms[first + 1], self.end_ms[first]
            row += 1
        if len(self) > self._most:
            self.drop()

    def drop(self) -> None:
        """Forget the oldest block."""
        for held in (self._blocks, self._rows, self.first, self.start_ms, self.end_ms):
            del held[0]

    def __getitem__(self, at: int) -> Ints:
        """Counts of one block."""
        return decode_counts(self._blocks[at], self.width)

    def since(self, at: int) -> Ints:
        """Counts of a block and all after it."""
        counts = np.zeros(self.width, np.int64)
        for block in self._blocks[at:]:
            add_encoded(block, counts)
        return counts

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse, for the same width."""
        none = np.zeros(0, np.int64)
        counts = np.concatenate([none, *(self[at] for at in range(len(self)))])
        times = np.array([self._rows, self.start_ms, self.end_ms], np.int64)
        return bytes([len(self)]) + times.tobytes() + encode_counts(counts)

    def load(self, data: bytes) -> None:
        """Take over a dumped state.

        Raises
        ------
        ValueError
            If the bytes are not a state of this width.
        """
        size = data[0] if data else self._most + 1
        if size > self._most or len(data) < 1 + 24 * size:
            raise ValueError(f"not a state of Blocks: {len(data)} bytes.")
        times = np.frombuffer(data, np.int64, 3 * size, offset=1).reshape(3, size)
        self._rows, self.start_ms, self.end_ms = times.tolist()
        counts = decode_counts(data[1 + times.nbytes :], size * self.width)
        vectors = counts.reshape(size, self.width)
        self._blocks = [encode_counts(vector) for vector in vectors]
        self.first = vectors[:, :1].sum(axis=1).tolist()
