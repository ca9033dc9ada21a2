"""Whose events are ahead of the clock: counted by subject, for metrics and `system` episodes.

Against a broker's time that is known at once. An agreed time lags behind the true one by some
records, and by more after a silence: there an event is called ahead only if it still is when the
agreed time has had twice its window's records to catch up.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stream.decode.columns import Ahead, Columns, Decoded, Reject
from stream.stage1.chunk_counts import ChunkCounts
from stream.stage1.quorum import NEVER
from stream.stage1.versions import AT_ONCE, MAX_VERSION_CHARS, OTHER_VERSION
from stream.stage1.watermark import FURTHEST_MS, LEAD_MS, Reading

__all__ = ["AHEAD_MS", "Leads", "refuse_beyond"]

#: An event so far ahead of the broker's time comes from a clock that is wrong.
AHEAD_MS: Final = 1_000
_MIN_RECORDS: Final = 16

_Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]


class _Doubted(NamedTuple):
    """Events that may be ahead, and the record of the chunk at which that shows."""

    counts: ChunkCounts
    time_ms: _Ints
    due: _Ints


class Leads:
    """Events ahead in one chunk; a function of its records up to the last that was read.

    Attributes
    ----------
    max_lead_ms : dict
        The most that an event leads by, by model.
    """

    def __init__(self, totals: dict[str, int]) -> None:
        self.max_lead_ms: dict[str, int] = {}
        self._totals = totals  # of events ahead by model, over chunks
        self._doubted: list[_Doubted] = []
        self._refused: set[str] = set()  # versions that events were refused of

    def version_of(self, who: Ahead) -> str:
        """The version that refused events are reported under: their own, up to a bound."""
        if len(who.version) > MAX_VERSION_CHARS:
            return OTHER_VERSION
        if len(self._refused) < AT_ONCE:
            self._refused.add(who.version)
        return who.version if who.version in self._refused else OTHER_VERSION

    def count(self, counts: ChunkCounts, events: int, max_lead_ms: int) -> None:
        """Count events that are ahead for certain."""
        counts.note_ahead(events, max_lead_ms)
        model = counts.subject.model
        self._totals[model] = self._totals.get(model, 0) + events
        self.max_lead_ms[model] = max(self.max_lead_ms.get(model, 0), max_lead_ms)

    @staticmethod
    def suspects(reading: Reading, time_ms: _Ints, record: _Ints) -> _Bools | None:
        """Which events are ahead of their clock, be it only for now; None if none is."""
        lead = time_ms - reading.clock[record]
        if not lead.size or lead.max() <= AHEAD_MS:
            return None
        known = (reading.timed & (reading.clock > NEVER))[record]
        far = known & (lead > np.where(reading.stamped[record], AHEAD_MS, LEAD_MS))
        return far if far.any() else None

    def note(
        self, counts: ChunkCounts, time_ms: _Ints, record: _Ints, reading: Reading, first: int
    ) -> None:
        """Count or doubt suspects of one subject; `first` is the chunk's number of record 0."""
        sure = reading.stamped[record]
        if sure.any():
            lead = time_ms[sure] - reading.clock[record[sure]]
            self.count(counts, lead.size, int(lead.max()))
        if not sure.all():
            here = record[~sure]
            wait = np.maximum(_MIN_RECORDS, 2 * reading.windows[here])
            self._doubted.append(_Doubted(counts, time_ms[~sure], first + here + wait))

    def settle(self, reading: Reading, first: int) -> None:
        """Judge the doubted events whose record has come."""
        if not self._doubted:
            return
        end = first + len(reading.own)
        left = []
        for counts, time_ms, due in self._doubted:
            come = due < end
            if come.any():
                lead = time_ms[come] - reading.clock[due[come] - first]
                ahead = lead[lead > LEAD_MS]
                if ahead.size:
                    self.count(counts, ahead.size, int(ahead.max()))
                time_ms, due = time_ms[~come], due[~come]
            if due.size:
                left.append(_Doubted(counts, time_ms, due))
        self._doubted = left


def refuse_beyond(decoded: Decoded, reading: Reading) -> None:
    """Refuse the records with an event that is far beyond the time that the others agree on."""
    beyond = reading.beyond(decoded.time_ms, decoded.record)
    if beyond is None:
        return
    bad = np.unique(decoded.record[beyond])
    gone = np.isin(decoded.record, bad)
    error = f"Expected at most {FURTHEST_MS} ms after what other records say - at $.timestamp"
    groups = []
    refused: set[int] = set()
    for group in decoded.groups:
        out = gone[group.rows]
        for index in set(decoded.record[group.rows[out]].tolist()) - refused:
            refused.add(index)  # a batch over two plans is one record still
            rows = group.rows[out & (decoded.record[group.rows] == index)]
            lead = int(decoded.time_ms[rows].max() - reading.clock[index])
            sent = group.versions
            version = sent if isinstance(sent, str) else sent[int(np.argmax(group.rows == rows[0]))]
            who = Ahead(group.model, version, group.plan, rows.size, lead)
            decoded.rejects.append(Reject(index, "too_far_ahead", error, who))
        if not out.all():
            groups.append(_without(group, out) if out.any() else group)
    decoded.rejects.sort(key=lambda reject: reject.index)
    decoded.groups = groups
    decoded.time_ms = np.where(gone, NEVER, decoded.time_ms)


def _without(group: Columns, out: _Bools) -> Columns:
    """The other rows of a group."""
    at = np.flatnonzero(~out)
    sent = group.versions
    kept = group.take(at, sent if isinstance(sent, str) else "")
    if not isinstance(sent, str):
        kept.versions = [sent[i] for i in at.tolist()]
    return kept
