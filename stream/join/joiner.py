"""The join itself: a batch join of what has settled, in order of time, step after step.

A source partition says up to which time it is complete. What lies before the least of these times
is settled: no more rows of it come. Only settled rows are looked at, so what a step gives is a
function of the rows, whatever their interleaving, and many small steps give what one large one
does. Of one id:

* the first prediction holds; others are copies until its wait is over, and `AHEAD_MS` more;
* a label or an erasure is its own if it came within the wait, or was dated up to `AHEAD_MS` ahead;
* it counts when it is first labelled (`first`), and when its wait is over (`final`), then with its
  last label. Once it is erased it does not count any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.references.segments import OTHER_VALUES
from stream.contracts.moments import INFINITY, MINUS_INFINITY
from stream.join.held import ERASED, LABELLED, HeldPredictions, held_dtype
from stream.join.rows import ERASE, LABEL, PREDICTION, RowBatch, RowError, row_dtype
from stream.text.durations import DAY_MS, HOUR_MS

__all__ = ["AHEAD_MS", "JoinCounts", "Joined", "Joiner", "Settled"]

#: A label may be dated so much before its prediction: clocks differ, and many say the day alone.
AHEAD_MS: Final = DAY_MS
#: How many spans of held predictions there are in a wait, if each is an hour at least.
_SPANS: Final = 16
#: Values of one scope that have numbers of their own; those beyond are one.
_MAX_NAMES: Final = 65_000

Rows = npt.NDArray[np.void]
Ids = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(slots=True)
class JoinCounts:
    """What became of all rows so far.

    Attributes
    ----------
    predictions, copies : int
        Settled predictions that are joined, and those of an id that has one already.
    labelled, corrected, repeated : int
        Predictions that got a label, and labels that came for one later: another, or the same.
    unmatched : int
        Labels without a prediction of their id within the wait before them.
    erased : int
        Predictions that do not count any more.
    known, unknown : int
        Predictions whose wait is over, with a label and without.
    late : int
        Rows of a time that was said to be complete.
    again : int
        Rows that were read before.
    """

    predictions: int = 0
    copies: int = 0
    labelled: int = 0
    corrected: int = 0
    repeated: int = 0
    unmatched: int = 0
    erased: int = 0
    known: int = 0
    unknown: int = 0
    late: int = 0
    again: int = 0


@dataclass(frozen=True)
class Joined:
    """Predictions with their labels, in order of `at_ms`.

    Attributes
    ----------
    ids : uint64[n]
    predictions : array of `held_dtype`
        `label` is its label as a number, or the code of its class; NaN where it has none.
    at_ms : int64[n]
        When it counts.
    """

    ids: Ids
    predictions: Rows
    at_ms: Ints

    @property
    def labelled(self) -> Bools:
        """Which have a label."""
        found: Bools = (self.predictions["flags"] & LABELLED) != 0
        return found

    @classmethod
    def of(cls, parts: Sequence[tuple[Ids, Rows, Ints]], dtype: np.dtype[np.void]) -> Joined:
        """All parts."""
        if not parts:
            return cls(np.zeros(0, np.uint64), np.zeros(0, dtype), np.zeros(0, np.int64))
        ids, rows, at_ms = (np.concatenate(each) for each in zip(*parts, strict=True))
        order = np.lexsort((ids, at_ms))
        return cls(ids[order], rows[order], at_ms[order])


class Settled(NamedTuple):
    """What a step gave: everything that counts at `from_ms` or later, and before `to_ms`."""

    from_ms: int
    to_ms: int
    first: Joined
    final: Joined


class Joiner:
    """Joins the predictions and labels of one model by their ids.

    Parameters
    ----------
    partitions : iterable of str
        All that rows come from: what is settled is what is complete in each of them.
    scopes : int
        How many names each prediction is counted by.
    wait_ms : int
        How long after its prediction a label may come.
    """

    def __init__(self, partitions: Iterable[str], scopes: int, wait_ms: int) -> None:
        self.counts = JoinCounts()
        self.settled_ms = MINUS_INFINITY
        self.names: list[list[str]] = [[] for _ in range(scopes)]
        self._numbers: list[dict[str, int]] = [{} for _ in range(scopes)]
        self._wait_ms = wait_ms
        self._complete = dict.fromkeys(sorted(partitions), MINUS_INFINITY)
        self._read = dict.fromkeys(self._complete, -1)
        self._row, self._held_row = row_dtype(scopes), held_dtype(scopes)
        self._waiting: list[Rows] = []  # not settled yet
        self._lone = np.zeros(0, self._row)  # labels that a prediction may still come for
        self._held = HeldPredictions(self._held_row, max(HOUR_MS, wait_ms // _SPANS))

    def add(self, partition: str, batch: RowBatch) -> None:
        """Take in the next rows of a source partition; those read before are passed over."""
        rows = batch.rows
        news = rows["offset"] > self._read[partition]
        on_time = rows["time_ms"] >= self.settled_ms
        self.counts.again += int(np.count_nonzero(~news))
        self.counts.late += int(np.count_nonzero(news & ~on_time))
        if rows.size:
            self._read[partition] = max(self._read[partition], int(rows["offset"][-1]))
        rows = rows[news & on_time]
        if not rows.size:
            return
        for k, names in enumerate(batch.names):
            table = np.array([0, *(self._number(k, name) for name in names)], np.uint16)
            rows["scopes"][:, k] = table[rows["scopes"][:, k]]
        self._waiting.append(rows)

    def complete(self, partition: str, before_ms: int) -> None:
        """Note that no more rows of a partition are of a time before this."""
        self._complete[partition] = max(self._complete[partition], before_ms)

    @property
    def pending(self) -> int:
        """Predictions that labels are joined with."""
        return len(self._held)

    @property
    def lone(self) -> int:
        """Labels without a prediction, that one may still come for."""
        return int(np.count_nonzero(self._lone["kind"] == LABEL))

    @property
    def nbytes(self) -> int:
        """Memory of all rows."""
        waiting = sum(rows.nbytes for rows in self._waiting)
        return self._held.nbytes + waiting + self._lone.nbytes

    def settle(self) -> Settled | None:
        """Look at all that has settled since the last step; None if nothing has."""
        from_ms, to_ms = self.settled_ms, min(self._complete.values())
        if to_ms <= from_ms:
            return None
        self.settled_ms = to_ms
        rows = np.concatenate([*self._waiting, np.zeros(0, self._row)])
        due = rows["time_ms"] < to_ms
        self._waiting = [rows[~due]] if not due.all() else []
        rows = rows[due]
        said = rows["kind"] == PREDICTION
        self._hold(rows[said])
        first = self._label(np.concatenate([self._lone, rows[~said]]))
        final = self._end(from_ms - self._wait_ms, to_ms - self._wait_ms)
        self._held.drop(to_ms - self._wait_ms - AHEAD_MS)
        return Settled(from_ms, to_ms, first, final)

    def settle_all(self) -> Settled | None:
        """As at the end of all files: everything that came is settled, waits are not over."""
        latest = max((int(rows["time_ms"].max()) for rows in self._waiting), default=0) + 1
        for partition in self._complete:
            self.complete(partition, min(latest, INFINITY))
        return self.settle()

    def _number(self, k: int, name: str) -> int:
        """Number of a name of scope k, made at first sight."""
        known = self._numbers[k]
        if name not in known:
            if len(known) >= _MAX_NAMES and name != OTHER_VALUES:
                return self._number(k, OTHER_VALUES)
            self.names[k].append(name)
            known[name] = len(self.names[k])
        return known[name]

    # ---- predictions

    def _hold(self, rows: Rows) -> None:
        """Hold the first prediction of each id."""
        rows = rows[self._order(rows)]
        ids, time_ms = rows["id"].copy(), rows["time_ms"]
        closed_ms = self._wait_ms + AHEAD_MS
        left = np.ones(rows.size, np.bool_)
        for held, which, at in self._held.find(ids):
            left[which[time_ms[which] <= held["time_ms"][at] + closed_ms]] = False
        kept = np.zeros(rows.size, np.bool_)
        while left.any():
            at = np.flatnonzero(left)
            first = _firsts(ids[at])
            kept[at[first]] = True
            over_ms = time_ms[at[first]][np.cumsum(first) - 1] + closed_ms
            left[at] = time_ms[at] > over_ms
        self.counts.copies += int(np.count_nonzero(~kept))
        self.counts.predictions += int(np.count_nonzero(kept))
        rows, ids = rows[kept], ids[kept]
        held_rows = np.zeros(rows.size, self._held_row)
        for name in ("time_ms", "value", "code", "scopes"):
            held_rows[name] = rows[name]
        held_rows["label"] = np.nan
        self._held.add(ids, held_rows)

    def _order(self, rows: Rows) -> npt.NDArray[np.intp]:
        """Rows by id, time, and what they say: an order that no arrival can change."""
        said = [rows["code"], _bits(rows["value"]), rows["time_ms"], rows["id"]]
        order = np.lexsort(said)
        same = np.all([key[order][1:] == key[order][:-1] for key in said], axis=0)
        if not same.any():
            return order
        by_name = []
        for k, names in enumerate(self.names):  # numbers are as names came
            rank = np.zeros(len(names) + 1, np.int64)
            rank[1 + np.argsort(np.array(names, object), kind="stable")] = range(1, len(names) + 1)
            by_name.append(rank[rows["scopes"][:, k]])
        return np.lexsort([*by_name, *said])

    # ---- labels

    def _label(self, rows: Rows) -> Joined:
        """Give labels and erasures to their predictions; those that are first labelled."""
        label = np.where(rows["code"] < 0, rows["value"], rows["code"])
        order = np.lexsort((_bits(label), rows["kind"], rows["time_ms"], rows["id"]))
        rows, label = rows[order], label[order]
        ids, time_ms, is_label = rows["id"].copy(), rows["time_ms"], rows["kind"] == LABEL
        lone = np.ones(rows.size, np.bool_)
        parts = []
        for held, which, at in self._held.find(ids):
            made_ms = held["time_ms"][at]
            own = time_ms[which] >= made_ms - AHEAD_MS
            own &= time_ms[which] <= made_ms + self._wait_ms
            which, at = which[own], at[own]
            if which.size:
                lone[which] = False
                parts.append(self._give(held, at, ids[which], rows[which], label[which]))
        may_come = time_ms + AHEAD_MS >= self.settled_ms
        self.counts.unmatched += int(np.count_nonzero(lone & is_label & ~may_come))
        self._lone = rows[lone & may_come]
        return Joined.of(parts, self._held_row)

    def _give(
        self, held: Rows, at: Ints, ids: Ids, rows: Rows, label: npt.NDArray[np.float64]
    ) -> tuple[Ids, Rows, Ints]:
        """Give rows, ordered by their places in a run and by time, to the predictions there."""
        first = _firsts(at)
        group, places = np.cumsum(first) - 1, at[first]
        at_ms = np.maximum(rows["time_ms"], held["time_ms"][at])
        erases = rows["kind"] == ERASE
        flags = held["flags"][places]
        gone = (flags & ERASED) != 0
        erased_ms = np.where(gone, MINUS_INFINITY, INFINITY)
        np.minimum.at(erased_ms, group[erases], at_ms[erases])
        now_gone = ~gone & (erased_ms < INFINITY)
        self.counts.erased += int(np.count_nonzero(now_gone))

        counts = np.flatnonzero(~erases & (at_ms < erased_ms[group]))
        opens = _firsts(at[counts])
        known = (held["flags"][at[counts]] & LABELLED) != 0
        fresh = counts[opens & ~known]
        before = np.concatenate([[np.nan], label[counts][:-1]])
        before[opens] = held["label"][at[counts[opens]]]
        same = label[counts] == before
        later = ~opens | known
        self.counts.labelled += int(fresh.size)
        self.counts.repeated += int(np.count_nonzero(later & same))
        self.counts.corrected += int(np.count_nonzero(later & ~same))

        found = held[at[fresh]]
        found["label"], found["flags"] = label[fresh], found["flags"] | LABELLED
        last = counts[np.concatenate([opens[1:], np.ones(min(1, opens.size), np.bool_)])]
        held["label"][at[last]] = label[last]
        held["flags"][at[last]] |= LABELLED
        held["flags"][places[now_gone]] |= ERASED
        return ids[fresh], found, at_ms[fresh]

    def _end(self, from_ms: int, to_ms: int) -> Joined:
        """The predictions of a time, whose wait is over."""
        parts = []
        for run in self._held.between(from_ms, to_ms):
            run = run.take((run.rows["flags"] & ERASED) == 0)
            parts.append((run.ids, run.rows, run.rows["time_ms"] + self._wait_ms))
        final = Joined.of(parts, self._held_row)
        known = int(np.count_nonzero(final.labelled))
        self.counts.known += known
        self.counts.unknown += final.ids.size - known
        return final

    # ---- state

    def dump(self) -> bytes:
        """The state as bytes; `load` of a joiner that was made alike is its inverse."""
        return msgspec.msgpack.encode({
            "made": self._made(),
            "counts": asdict(self.counts),
            "settled_ms": self.settled_ms,
            "names": self.names,
            "complete": self._complete,
            "read": self._read,
            "waiting": [rows.tobytes() for rows in self._waiting],
            "lone": self._lone.tobytes(),
            "held": self._held.dump(),
        })  # fmt: skip

    def load(self, data: bytes) -> None:
        """Replace the state by a dumped one.

        Raises
        ------
        RowError
            If the bytes are none, or of a joiner with other partitions, scopes or wait.
        """
        try:
            state = msgspec.msgpack.decode(data, type=_State)
        except (ValueError, msgspec.MsgspecError) as error:
            raise RowError(f"{len(data)} bytes are no state of a join: {error}") from error
        if state.made != self._made():
            raise RowError(
                f"the state is of a join with partitions, scopes and wait {state.made}, this one "
                f"has {self._made()}. Begin anew, without the state."
            )
        self.counts = JoinCounts(**state.counts)
        self.settled_ms = state.settled_ms
        self.names = state.names
        self._numbers = [{name: i for i, name in enumerate(n, start=1)} for n in self.names]
        self._complete, self._read = state.complete, state.read
        self._waiting = [np.frombuffer(rows, self._row).copy() for rows in state.waiting]
        self._lone = np.frombuffer(state.lone, self._row).copy()
        self._held.load(state.held)

    def _made(self) -> tuple[list[str], int, int]:
        return list(self._complete), len(self.names), self._wait_ms


class _State(msgspec.Struct):
    made: tuple[list[str], int, int]
    counts: dict[str, int]
    settled_ms: int
    names: list[list[str]]
    complete: dict[str, int]
    read: dict[str, int]
    waiting: list[bytes]
    lone: bytes
    held: dict[int, list[tuple[bytes, bytes]]]


def _firsts(keys: npt.NDArray[Any]) -> Bools:
    """Where runs of equal keys begin."""
    out = np.ones(keys.size, np.bool_)
    out[1:] = keys[1:] != keys[:-1]
    return out


def _bits(values: npt.NDArray[np.float64]) -> Ints:
    """Numbers by their bits: an order of all, NaN too."""
    return np.ascontiguousarray(values).view(np.int64)
