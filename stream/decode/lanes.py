"""From decoded events to numbered rows: time checks, lone actuals, the plan in force, log order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stream.columns import Columns, Decoded, Record, Reject
from stream.decode.compiled import Compiled
from stream.decode.values import RefusedError, epoch_ms

__all__ = ["Lane", "finish"]

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: 9999-12-31: the last time that can be written as RFC 3339.
_LAST_MS: Final = 253_402_300_799_999.0


@dataclass(slots=True)
class Lane:
    """Decoded events of one subject, with the index of the record each came from.

    `timeline` has the plans of the subject, newest first, as (holds from, decoder); `tried` is the
    one whose structs the events are. Usually there is one.
    """

    timeline: list[tuple[int, Compiled]]
    tried: int = 0
    events: list[Any] = field(default_factory=list)
    at: list[int] = field(default_factory=list)

    @property
    def compiled(self) -> Compiled:
        """The decoder of the events in this lane."""
        return self.timeline[self.tried][1]


@dataclass(slots=True)
class _Rows:
    """Events that stay, with their record, place in the lane and time."""

    events: list[Any]
    at: Ints
    place: Ints
    ms: Ints

    def where(self, mask: Mask) -> _Rows:
        if mask.all():
            return self
        events = list(compress(self.events, mask.tolist()))
        return _Rows(events, self.at[mask], self.place[mask], self.ms[mask])


def finish(
    lanes: Sequence[Lane],
    records: Sequence[Record],
    rejects: list[Reject],
    max_ahead_ms: int,
    again: Callable[[Compiled, int], list[Any]],
) -> Decoded:
    """Number the rows of all lanes in log order.

    `rejects` has what was refused so far; more are added. `again` gives the events of a record, by
    its index, as another plan's decoder reads them; it raises RefusedError.
    """
    parts: list[tuple[_Rows, Columns]] = []
    actuals = invalid = 0
    for lane in lanes:
        if not lane.events:
            continue
        at = np.array(lane.at, np.int64)
        ms = _times([event.timestamp for event in lane.events])
        keep = _check_times(ms, at, records, max_ahead_ms, rejects)
        lone = [e.features is None and e.prediction is None for e in lane.events]
        if any(lone):
            actuals += _take_lone(lane.events, at, lone, keep, rejects)
        whole_ms = np.where(keep, ms, 0.0).astype(np.int64)  # refused times may be absurd
        rows = _Rows(lane.events, at, np.arange(len(at)), whole_ms)
        for compiled, chosen in _by_plan(lane, rows.where(keep), rejects, again):
            numeric, codes, segments = compiled.arrays(chosen.events)
            invalid += compiled.invalid_values(numeric, codes)
            columns = Columns(compiled.subject, compiled.plan, chosen.at, numeric, codes, segments)
            parts.append((chosen, columns))
    rejects.sort(key=lambda reject: reject.index)
    time_ms, record = _number(parts)
    groups = [columns for _, columns in parts]
    return Decoded(time_ms, record, groups, rejects, actuals, invalid)


def _number(parts: list[tuple[_Rows, Columns]]) -> tuple[Ints, Ints]:
    """Give every part its row numbers; times and records of all rows."""
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    if len(parts) == 1:
        rows, columns = parts[0]
        columns.rows = np.arange(len(rows.at))
        return rows.ms, rows.at
    at = np.concatenate([rows.at for rows, _ in parts])
    # The place orders rows of one record, which is one lane's alone.
    order = np.lexsort((np.concatenate([rows.place for rows, _ in parts]), at))
    rank = np.empty(len(at), np.int64)
    rank[order] = np.arange(len(at))
    start = 0
    for rows, columns in parts:
        columns.rows = rank[start : start + len(rows.at)]
        start += len(rows.at)
    return np.concatenate([rows.ms for rows, _ in parts])[order], at[order]


def _times(raw: list[Any]) -> npt.NDArray[np.float64]:
    """Event times in whole milliseconds, still float because they may be absurd."""
    try:
        values = np.array(raw, np.float64)
    except TypeError:  # datetimes
        values = np.array([epoch_ms(value) for value in raw], np.float64)
    else:
        values = np.where(np.abs(values) < 1e11, values * 1000.0, values)
    return np.rint(values)


def _check_times(
    ms: npt.NDArray[np.float64],
    at: Ints,
    records: Sequence[Record],
    max_ahead_ms: int,
    rejects: list[Reject],
) -> Mask:
    """Refuse records with a time out of bounds, as a whole; which rows stay."""
    stamp = np.array([record.timestamp for record in records], np.float64)
    limit = np.where(stamp < 0, _LAST_MS, stamp + max_ahead_ms)[at]
    bad = np.flatnonzero((ms < 0) | (ms > limit))
    keep = np.ones(len(at), np.bool_)
    for row in bad.tolist():
        if not keep[row]:
            continue
        index = int(at[row])
        first, end = np.searchsorted(at, [index, index + 1]).tolist()
        keep[first:end] = False
        where = "$.timestamp" if end - first == 1 else f"$.columns.timestamp[{row - first}]"
        if ms[row] < 0:
            reject = Reject(index, "before_1970", f"Expected 1970 or later - at {where}")
        else:
            bound = f"{max_ahead_ms} ms after the record's own timestamp"
            reject = Reject(index, "too_far_ahead", f"Expected at most {bound} - at {where}")
        rejects.append(reject)
    return keep


def _take_lone(
    events: list[Any], at: Ints, lone: list[bool], keep: Mask, rejects: list[Reject]
) -> int:
    """Take out events without features and prediction; how many of them are late actuals."""
    actuals = 0
    refused = -1
    for row in compress(range(len(events)), lone):
        if not keep[row]:
            continue
        keep[row] = False
        if events[row].actual is not None:
            actuals += 1
        elif at[row] != refused:
            refused = int(at[row])
            error = "Object has none of `features`, `prediction`, `actual` - at $"
            rejects.append(Reject(refused, "missing_field", error))
    return actuals


def _by_plan(
    lane: Lane,
    rows: _Rows,
    rejects: list[Reject],
    again: Callable[[Compiled, int], list[Any]],
) -> list[tuple[Compiled, _Rows]]:
    """Rows by the plan in force at the start of their pane."""
    if len(lane.timeline) == 1:
        return [(lane.compiled, rows)] if rows.events else []
    which = np.full(len(rows.at), len(lane.timeline) - 1)  # the first plan holds from the beginning
    for k in range(len(lane.timeline) - 1, -1, -1):
        since, compiled = lane.timeline[k]
        which[rows.ms - rows.ms % compiled.plan.pane_ms >= since] = k
    events = list(rows.events)
    known: dict[tuple[int, int], list[Any]] = {}
    refused: set[int] = set()
    for row in np.flatnonzero(which != lane.tried).tolist():
        index, k = int(rows.at[row]), int(which[row])
        if index in refused:
            continue
        if (index, k) not in known:
            try:
                known[index, k] = again(lane.timeline[k][1], index)
            except RefusedError as error:
                refused.add(index)
                rejects.append(Reject(index, error.reason, error.error[:200]))
                continue
        first = int(np.searchsorted(lane.at, index))
        events[row] = known[index, k][int(rows.place[row]) - first]
    stay = ~np.isin(rows.at, list(refused))
    rows.events = events
    if len(which):
        lane.tried = int(which[-1])  # where the next batch begins
    chosen = [
        (compiled, rows.where(stay & (which == k))) for k, (_, compiled) in enumerate(lane.timeline)
    ]
    return [(compiled, part) for compiled, part in chosen if part.events]
