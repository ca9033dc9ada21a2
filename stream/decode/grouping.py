"""From decoded events to numbered rows: time checks, lone actuals, the plan in force, log order.

An `EventGroup` has the single events and the batches that were decoded for one timeline of plans.
Both become parts; the parts of one plan are merged into one `Columns`, in log order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt

from stream.contracts.event_time import times_ms
from stream.decode.columnar_batch import PREDICTED, ColumnarBatch, Segments
from stream.decode.columns import Columns, Decoded, Labels, Reject
from stream.decode.ids import Ids, event_ids, joined_ids
from stream.decode.model import joined_versions, versions_of
from stream.decode.plan_decoder import PlanDecoder
from stream.decode.predicted import check_predicted, joined_predicted, predicted_times
from stream.decode.record import Record, stamps_of
from stream.decode.signal_group import Codes, Floats
from stream.decode.time_bounds import LAST_MS, ahead_of, refusal_of
from stream.decode.values import RefusedError, as_text

__all__ = ["EventGroup", "finish"]

Ints = npt.NDArray[np.int64]


@dataclass(slots=True)
class EventGroup:
    """What was decoded for one timeline of plans, with the index of the record each came from.

    `timeline` has the plans, newest first, as (holds from, decoder); `tried` is the index of the
    plan whose decoder was used. Usually there is one plan.
    """

    timeline: list[tuple[int, PlanDecoder]]
    tried: int = 0
    events: list[Any] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    batches: list[tuple[int, ColumnarBatch]] = field(default_factory=list)

    @property
    def decoder(self) -> PlanDecoder:
        """The decoder that read this group."""
        return self.timeline[self.tried][1]


@dataclass(slots=True)
class _Part:
    """Rows that stay, under one plan."""

    decoder: PlanDecoder
    at: Ints
    place: Ints  # within the record
    ms: Ints
    numeric: Floats
    codes: Codes
    segments: Segments
    versions: str | list[str]
    ids: Ids
    predicted_ms: Floats | None


#: Reads a record again, by its index, with another plan's decoder: an event or a batch.
Again = Callable[[PlanDecoder, int], Any]


def finish(
    groups: Sequence[EventGroup],
    records: Sequence[Record],
    rejects: list[Reject],
    max_ahead_ms: int,
    again: Again,
    *,
    labels: bool = False,
) -> Decoded:
    """Number the rows of all groups in log order.

    `rejects` has what was refused so far; more are added. `again` raises RefusedError. With
    `labels` actuals alone are given too.
    """
    stamp = stamps_of(records).astype(np.float64)
    limit = np.minimum(np.where(stamp < 0, LAST_MS, stamp + max_ahead_ms), LAST_MS)
    parts: list[_Part] = []
    actuals = 0
    alone: list[Labels] | None = [] if labels else None
    for group in groups:
        tried = group.tried
        if group.events:
            found, lone = _from_events(group, tried, limit, max_ahead_ms, rejects, again, alone)
            parts += found
            actuals += lone
        for index, batch in group.batches:
            try:
                taken = _from_batch(group, tried, index, batch, limit[index], max_ahead_ms, again)
            except RefusedError as error:
                lead = float(np.fmax.reduce(batch.ms, initial=0.0) - limit[index]) + max_ahead_ms
                ahead = ahead_of(
                    group.decoder, error, batch.version, len(batch.ms), lead, limit[index]
                )
                rejects.append(Reject(index, error.reason, error.error[:200], ahead))
            else:
                parts += taken
                if batch.lone:
                    actuals += len(batch.ms)
                    if alone is not None:
                        alone.append(_labels_of_batch(group.decoder, index, batch))
    rejects.sort(key=lambda reject: reject.index)
    invalid = sum(part.decoder.invalid_values(part.numeric, part.codes) for part in parts)
    time_ms, record, columns = _number(parts)
    return Decoded(time_ms, record, columns, rejects, actuals, alone or [], invalid)


def _number(parts: list[_Part]) -> tuple[Ints, Ints, list[Columns]]:
    """Times and records of all rows in log order, and the columns of each plan."""
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64), []
    at = np.concatenate([part.at for part in parts])
    ms = np.concatenate([part.ms for part in parts])
    rank = np.arange(len(at))
    if len(parts) > 1:
        place = np.concatenate([part.place for part in parts])
        step = np.diff(at)
        if not np.all((step > 0) | ((step == 0) & (np.diff(place) > 0))):
            order = np.lexsort((place, at))
            rank = np.empty(len(at), np.int64)
            rank[order] = np.arange(len(at))
            at, ms = at[order], ms[order]
    of: dict[PlanDecoder, list[tuple[_Part, Ints]]] = {}
    start = 0
    for part in parts:
        end = start + len(part.at)
        of.setdefault(part.decoder, []).append((part, rank[start:end]))
        start = end
    return ms, at, [_merged(decoder, members) for decoder, members in of.items()]


def _merged(decoder: PlanDecoder, members: list[tuple[_Part, Ints]]) -> Columns:
    """The parts of one plan as one, in log order."""
    model, plan = decoder.line.model, decoder.plan
    if len(members) == 1:
        part, rows = members[0]
        return Columns(
            model,
            part.versions,
            plan,
            rows,
            part.numeric,
            part.codes,
            part.segments,
            part.ids,
            part.predicted_ms,
        )
    rows = np.concatenate([rows for _, rows in members])
    numeric = np.concatenate([part.numeric for part, _ in members])
    codes = np.concatenate([part.codes for part, _ in members])
    segments: Segments = [
        [value for part, _ in members for value in part.segments[k]]
        for k in range(len(members[0][0].segments))
    ]
    versions = joined_versions((part.versions, len(part.at)) for part, _ in members)
    ids = joined_ids([(part.ids, len(part.at)) for part, _ in members])
    predicted_ms = joined_predicted([(part.predicted_ms, len(part.at)) for part, _ in members])
    if not np.all(rows[1:] > rows[:-1]):
        order = np.argsort(rows)
        rows, numeric, codes = rows[order], numeric[order], codes[order]
        segments = [[column[i] for i in order.tolist()] for column in segments]
        if isinstance(versions, list):
            versions = [versions[i] for i in order.tolist()]
        ids = None if ids is None else ids[order]
        predicted_ms = None if predicted_ms is None else predicted_ms[order]
    return Columns(model, versions, plan, rows, numeric, codes, segments, ids, predicted_ms)


# ---- batches


def _from_batch(
    group: EventGroup,
    tried: int,
    index: int,
    batch: ColumnarBatch,
    limit: float,
    max_ahead_ms: int,
    again: Again,
) -> list[_Part]:
    """The rows of a batch by plan; all of them or, with RefusedError, none."""
    bad = np.flatnonzero(~((batch.ms >= 0) & (batch.ms <= limit)))
    if bad.size:
        row = int(bad[0])
        where = f"{batch.where}[{row}]"
        refusal = refusal_of(float(batch.ms[row]), limit, max_ahead_ms, where)
        assert refusal is not None
        raise refusal
    if batch.lone:
        if not batch.actual:
            raise _nothing_in_it()
        return []
    if batch.predicted_ms is not None:
        if not batch.actual:
            raise _no_truth_in_it()
        for row, sent in enumerate(batch.predicted_ms.tolist()):
            if (why := check_predicted(sent, f"{PREDICTED}[{row}]")) is not None:
                raise why
    ms = batch.ms.astype(np.int64)
    if len(group.timeline) == 1:
        return [_batch_part(group.decoder, index, batch, np.arange(len(ms)), ms, batch.version)]
    which = _plan_of(group, ms)
    parts = []
    for k in np.unique(which).tolist():
        decoder = group.timeline[k][1]
        read = batch if k == tried else again(decoder, index)
        rows = which == k
        place = np.flatnonzero(rows)
        parts.append(_batch_part(decoder, index, read.take(rows), place, ms[rows], batch.version))
    group.tried = int(which[-1])  # where the next batch begins
    return parts


def _batch_part(
    decoder: PlanDecoder, index: int, batch: ColumnarBatch, place: Ints, ms: Ints, version: str
) -> _Part:
    at = np.full(len(ms), index, np.int64)
    return _Part(
        decoder,
        at,
        place,
        ms,
        batch.numeric,
        batch.codes,
        batch.segments,
        version,
        batch.ids,
        batch.predicted_ms,
    )


def _labels_of_batch(decoder: PlanDecoder, index: int, batch: ColumnarBatch) -> Labels:
    ms = batch.ms.astype(np.int64)
    at = np.full(len(ms), index, np.int64)
    return Labels(decoder.plan, ms, at, batch.numeric, batch.codes, batch.ids)


def _nothing_in_it() -> RefusedError:
    error = "Object has none of `features`, `prediction`, `actual` - at $"
    return RefusedError("missing_field", error)


def _no_truth_in_it() -> RefusedError:
    error = "Object has `prediction_timestamp`, and no `actual` that it is known with - at $"
    return RefusedError("missing_field", error)


# ---- single events


def _from_events(
    group: EventGroup,
    tried: int,
    limits: Floats,
    max_ahead_ms: int,
    rejects: list[Reject],
    again: Again,
    alone: list[Labels] | None,
) -> tuple[list[_Part], int]:
    """The single events of a group by plan, and how many are actuals alone, which `alone` gets."""
    events = group.events
    at = np.array(group.at, np.int64)
    ms = times_ms([event.timestamp for event in events])
    limit = limits[at]
    keep = (ms >= 0) & (ms <= limit)
    for row in np.flatnonzero(~keep).tolist():
        refusal = refusal_of(float(ms[row]), float(limit[row]), max_ahead_ms, "$.timestamp")
        assert refusal is not None
        version, lead = as_text(events[row].model.version) or "", float(ms[row] - limit[row])
        ahead = ahead_of(group.decoder, refusal, version, 1, lead + max_ahead_ms, limit[row])
        rejects.append(Reject(int(at[row]), refusal.reason, refusal.error, ahead))
    labels: list[int] = []
    lone = [e.features is None and e.prediction is None for e in events]
    for row in compress(range(len(events)), lone):
        if not keep[row]:
            continue
        keep[row] = False
        if events[row].actual is not None:
            labels.append(row)
        else:
            refusal = _nothing_in_it()
            rejects.append(Reject(int(at[row]), refusal.reason, refusal.error))
    if labels and alone is not None:
        chosen = [events[row] for row in labels]
        numeric, codes, _ = group.decoder.arrays(chosen)
        whole, ids = ms[labels].astype(np.int64), event_ids(chosen)
        alone.append(Labels(group.decoder.plan, whole, at[labels], numeric, codes, ids))
    made = [event.prediction_timestamp for event in events]
    predicted_ms = None if made.count(None) == len(made) else predicted_times(made)
    if predicted_ms is not None:
        for row in np.flatnonzero(keep & ~np.isnan(predicted_ms)).tolist():
            why = check_predicted(float(predicted_ms[row]), "$.prediction_timestamp")
            if events[row].actual is None:
                why = _no_truth_in_it()
            if why is not None:
                keep[row] = False
                rejects.append(Reject(int(at[row]), why.reason, why.error))
    if not keep.all():
        events = list(compress(events, keep.tolist()))
        at, ms = at[keep], ms[keep]
        predicted_ms = None if predicted_ms is None else predicted_ms[keep]
    parts = []
    for decoder, chosen, rows in _by_plan(
        group, tried, events, at, ms.astype(np.int64), rejects, again
    ):
        numeric, codes, segments = decoder.arrays(chosen)
        whole = ms[rows].astype(np.int64)
        here = at[rows]
        parts.append(
            _Part(
                decoder,
                here,
                np.zeros_like(here),
                whole,
                numeric,
                codes,
                segments,
                versions_of(chosen),
                event_ids(chosen),
                None if predicted_ms is None else predicted_ms[rows],
            )
        )
    return parts, len(labels)


def _by_plan(
    group: EventGroup,
    tried: int,
    events: list[Any],
    at: Ints,
    ms: Ints,
    rejects: list[Reject],
    again: Again,
) -> Iterator[tuple[PlanDecoder, list[Any], Ints | slice]]:
    """Events and their rows by the plan in force at the start of their pane."""
    if not events:
        return
    if len(group.timeline) == 1:
        yield group.decoder, events, slice(None)
        return
    which = _plan_of(group, ms)
    events = list(events)
    stay = np.ones(len(events), np.bool_)
    for row in np.flatnonzero(which != tried).tolist():
        try:
            events[row] = again(group.timeline[which[row]][1], int(at[row]))
        except RefusedError as error:
            stay[row] = False
            rejects.append(Reject(int(at[row]), error.reason, error.error[:200]))
    group.tried = int(which[-1])  # where the next batch begins
    for k, (_, decoder) in enumerate(group.timeline):
        mask = stay & (which == k)
        if mask.any():
            yield decoder, list(compress(events, mask.tolist())), np.flatnonzero(mask)


def _plan_of(group: EventGroup, ms: Ints) -> Ints:
    """Place in the timeline of the plan in force at each time."""
    which = np.full(len(ms), len(group.timeline) - 1)  # the first plan holds from the beginning
    for k in range(len(group.timeline) - 1, -1, -1):
        since, decoder = group.timeline[k]
        which[ms - ms % decoder.plan.pane_ms >= since] = k
    return which
