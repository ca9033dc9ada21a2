"""What identifies events: a hash of the `prediction_id` that each was sent with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.counting.ids import NO_ID, hash_texts
from stream.decode.values import as_text

__all__ = ["Ids", "event_ids", "hash_ids", "joined_ids"]

#: A hash for each event, `NO_ID` where it has none; None where no event has one.
Ids = npt.NDArray[np.int64] | None


def event_ids(events: Sequence[Any]) -> Ids:
    """Ids of decoded single events."""
    return hash_ids([event.prediction_id for event in events])


def hash_ids(values: Sequence[Any]) -> Ids:
    """Hashes of ids as they were sent; a number stands for its text, an object or null for none."""
    if values and values[0] is None and values.count(None) == len(values):
        return None
    try:
        return hash_texts(values)
    except TypeError:  # not all are texts
        return hash_texts([_text(value) for value in values])


def _text(value: Any) -> str:
    return (as_text(value) or "") if isinstance(value, str | int | float) else ""


def joined_ids(parts: Sequence[tuple[Ids, int]]) -> Ids:
    """The ids of the rows of several parts, given those of each part and its length."""
    if all(ids is None for ids, _ in parts):
        return None
    return np.concatenate([np.full(n, NO_ID) if ids is None else ids for ids, n in parts])
