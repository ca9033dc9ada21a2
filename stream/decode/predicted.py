"""When the predictions were made that events bring a truth of: `prediction_timestamp`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stream.contracts.event_time import END_MS, Floats, Time, times_ms
from stream.decode.values import RefusedError, as_timestamp

__all__ = ["check_predicted", "coerced_time", "joined_predicted", "predicted_times"]


def predicted_times(sent: Sequence[Time | None]) -> Floats:
    """Milliseconds, NaN where nothing was sent; they may be absurd.

    What is no day becomes infinite, as NaN says that an event is a prediction itself.
    """
    there = [i for i, time in enumerate(sent) if time is not None]
    ms = times_ms([time for time in sent if time is not None])
    out = np.full(len(sent), np.nan)
    out[there] = np.where(np.isnan(ms), np.inf, ms)
    return out


def coerced_time(document: Mapping[str, Any]) -> Time | None:
    """That of an event given as a generic object.

    Raises
    ------
    RefusedError
        If it is no time.
    """
    sent = document.get("prediction_timestamp")
    return None if sent is None else as_timestamp(sent, "$.prediction_timestamp")


def check_predicted(ms: float, where: str) -> RefusedError | None:
    """Why this cannot be the time of a prediction, if it cannot."""
    if 0 <= ms < END_MS or np.isnan(ms):
        return None
    return RefusedError("bad_timestamp", f"Expected a time from 1970 to 2199 - at {where}")


def joined_predicted(parts: Sequence[tuple[Floats | None, int]]) -> Floats | None:
    """Times of the rows of several parts, given those of each part and its length."""
    if all(ms is None for ms, _ in parts):
        return None
    return np.concatenate([np.full(n, np.nan) if ms is None else ms for ms, n in parts])
