"""Whether names come in blocks: the rows of a file are then sorted by them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from detectors.fitting.values import Column, coded_names

__all__ = ["Blocks"]

#: Fewer rows a block are no block.
_MIN_ROWS: Final = 20


class Blocks:
    """Counts, over batches of rows, how often the name changes from a row to the next."""

    def __init__(self) -> None:
        self._rows = 0
        self._changes: dict[str, int] = {}
        self._names: dict[str, set[Any]] = {}
        self._last: dict[str, Any] = {}

    def add(self, columns: Mapping[str, Column]) -> None:
        """Look at some more rows."""
        rows = 0
        for name, column in columns.items():
            codes, names = coded_names(column)
            rows = codes.size
            if not rows:
                continue
            texts = [*names, "", None]  # -1 and -2, of what has no name, are the last
            ends = texts[codes[0]], texts[codes[-1]]
            changes = int(np.count_nonzero(np.diff(codes)))
            if name in self._last:
                changes += self._last[name] != ends[0]
            self._last[name] = ends[1]
            self._changes[name] = self._changes.get(name, 0) + changes
            self._names.setdefault(name, set()).update(texts[c] for c in np.unique(codes).tolist())
        self._rows += rows

    def grouped(self) -> list[str]:
        """Columns of at least two names, each of which comes in one block."""
        return [
            name
            for name, changes in self._changes.items()
            if 2 <= len(self._names[name]) <= self._rows / _MIN_ROWS
            and changes == len(self._names[name]) - 1
        ]
