"""What stage 1 counts of a source partition, for metrics and logs."""

from __future__ import annotations

from dataclasses import dataclass, field

from stream.contracts.moments import MINUS_INFINITY
from stream.stage1.truth_delays import TruthDelays
from stream.stage1.watermark import ChunkClock

__all__ = ["Stage1Stats"]


@dataclass(slots=True)
class Stage1Stats:
    """Counters of one source partition since its assignment."""

    records: int = 0
    events: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    ahead: dict[str, int] = field(default_factory=dict)
    lead_ms: dict[str, int] = field(default_factory=dict)  # the most, in the chunk that is read
    rejected: dict[str, int] = field(default_factory=dict)
    #: (offset, error) of the last one, by reason.
    last_reject: dict[str, tuple[int, str]] = field(default_factory=dict)
    actuals: int = 0
    #: Of truths that repeat their prediction, by model.
    truth_delays: dict[str, TruthDelays] = field(default_factory=dict)
    segments_folded: int = 0  # values of segments beyond a limit, counted together
    #: Events of versions beyond a limit, counted together, by model.
    versions_folded: dict[str, int] = field(default_factory=dict)
    #: What could not be given to the join of labels, by model and reason.
    unjoinable: dict[tuple[str, str], int] = field(default_factory=dict)
    values_invalid: int = 0
    unknown_fields: int = 0
    max_time_ms: int = MINUS_INFINITY  # the largest event time, however wrong
    watermark_ms: int = MINUS_INFINITY
    clock: ChunkClock | None = None  # of the chunk that is read
    chunks: int = 0
    flushes: int = 0
