"""Which times an event may have, and who is ahead of its record's."""

from __future__ import annotations

import math
from typing import Final

from stream.contracts.event_time import END_MS
from stream.decode.columns import Ahead
from stream.decode.plan_decoder import PlanDecoder
from stream.decode.values import RefusedError

__all__ = ["LAST_MS", "ahead_of", "refusal_of"]

LAST_MS: Final = END_MS - 1.0


def refusal_of(ms: float, limit: float, max_ahead_ms: int, where: str) -> RefusedError | None:
    """Why this time cannot be that of an event."""
    if math.isnan(ms):
        return RefusedError(
            "bad_timestamp", f"Eight digits are a date, but there is no such day - at {where}"
        )
    if ms < 0:
        return RefusedError("before_1970", f"Expected 1970 or later - at {where}")
    if ms > limit:
        if limit == LAST_MS:
            return RefusedError("too_far_ahead", f"Expected before the year 2200 - at {where}")
        bound = f"{max_ahead_ms} ms after the record's own timestamp"
        return RefusedError("too_far_ahead", f"Expected at most {bound} - at {where}")
    return None


def ahead_of(
    decoder: PlanDecoder, why: RefusedError, version: str, events: int, lead_ms: float, limit: float
) -> Ahead | None:
    """Who is ahead of the record's time, if that is why; what is told of it is bounded."""
    if why.reason != "too_far_ahead" or limit == LAST_MS:
        return None
    return Ahead(decoder.line.model, version, decoder.plan, events, int(min(lead_ms, LAST_MS)))
