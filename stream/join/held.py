"""Predictions that may still be labelled: runs sorted by id, in spans of the predictions' time.

Rows are written once a step, many at a time, and looked up many at a time: sorted arrays then hold
them at no cost beyond the rows themselves, and a span is dropped whole when its time is over. A
row is merged into longer runs as often as its span doubles.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["ERASED", "LABELLED", "HeldPredictions", "Run", "held_dtype"]

#: Bits of `flags`: it has a label, and it was erased.
LABELLED: Final = np.uint8(1)
ERASED: Final = np.uint8(2)

Rows = npt.NDArray[np.void]
Ids = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]


def held_dtype(scopes: int) -> np.dtype[np.void]:
    """A prediction, beside its id: 29 bytes and two for each scope; `label` is its latest."""
    return np.dtype([
        ("time_ms", "<i8"), ("value", "<f8"), ("code", "<i4"), ("flags", "u1"), ("label", "<f8"),
        ("scopes", "<u2", (scopes,)),
    ])  # fmt: skip


class Run(NamedTuple):
    """Rows by rising id."""

    ids: Ids
    rows: Rows

    @classmethod
    def of(cls, ids: Ids, rows: Rows) -> Run:
        """Rows in any order."""
        order = np.argsort(ids, kind="stable")  # in linear time for two runs behind each other
        return cls(ids[order], rows[order])

    def take(self, which: npt.NDArray[np.generic]) -> Run:
        """Some of the rows, in their order, copied."""
        return Run(self.ids[which], self.rows[which])


class HeldPredictions:
    """Rows of `held_dtype` by id.

    Parameters
    ----------
    dtype : numpy dtype
    span_ms : int
        Less than the time that has to lie between two rows of one id.
    """

    def __init__(self, dtype: np.dtype[np.void], span_ms: int) -> None:
        self._dtype, self._span_ms = dtype, span_ms
        self._spans: dict[int, list[Run]] = {}

    def __len__(self) -> int:
        return sum(run.ids.size for run in self.runs())

    @property
    def nbytes(self) -> int:
        """Memory of all rows."""
        return sum(run.ids.nbytes + run.rows.nbytes for run in self.runs())

    def runs(self) -> Iterator[Run]:
        """All rows, the oldest span first; to be changed in place."""
        for span in sorted(self._spans):
            yield from self._spans[span]

    def add(self, ids: Ids, rows: Rows) -> None:
        """Hold more rows, no older than those of former calls."""
        span_of = rows["time_ms"] // self._span_ms
        for span in np.unique(span_of).tolist():
            for runs in self._spans.values() if span not in self._spans else ():
                _merge(runs, 1)  # nothing will be added to spans before a new one
            runs = self._spans.setdefault(span, [])
            runs.append(Run.of(ids[span_of == span], rows[span_of == span]))
            while len(runs) > 1 and runs[-2].ids.size < 2 * runs[-1].ids.size:
                _merge(runs, len(runs) - 1)

    def find(self, ids: Ids) -> Iterator[tuple[Rows, Ints, Ints]]:
        """Where ids, best rising, are held: in which rows, which of the ids, and where."""
        for run in self.runs():
            at = np.searchsorted(run.ids, ids)
            at[at == run.ids.size] = 0
            hit = np.flatnonzero(run.ids[at] == ids)
            if hit.size:
                yield run.rows, hit, at[hit]

    def between(self, from_ms: int, to_ms: int) -> Iterator[Run]:
        """Copies of the rows of a time."""
        for span in sorted(self._spans):
            if span * self._span_ms < to_ms and (span + 1) * self._span_ms > from_ms:
                for run in self._spans[span]:
                    time_ms = run.rows["time_ms"]
                    yield run.take((time_ms >= from_ms) & (time_ms < to_ms))

    def drop(self, before_ms: int) -> None:
        """Let go of the spans that end before a time; some older rows may stay."""
        for span in [span for span in self._spans if (span + 1) * self._span_ms <= before_ms]:
            del self._spans[span]

    def dump(self) -> dict[int, list[tuple[bytes, bytes]]]:
        """The rows as bytes, by span."""
        return {
            span: [(run.ids.tobytes(), run.rows.tobytes()) for run in runs]
            for span, runs in self._spans.items()
        }

    def load(self, spans: dict[int, list[tuple[bytes, bytes]]]) -> None:
        """Replace the rows by dumped ones."""
        self._spans = {
            span: [
                Run(np.frombuffer(ids, "<u8").copy(), np.frombuffer(rows, self._dtype).copy())
                for ids, rows in runs
            ]
            for span, runs in spans.items()
        }


def _merge(runs: list[Run], into: int) -> None:
    """Make one run of the last ones, so that there are `into`."""
    if len(runs) > into:
        last = runs[into - 1 :]
        del runs[into - 1 :]
        ids, rows = (np.concatenate(each) for each in zip(*last, strict=True))
        runs.append(Run.of(ids, rows))
