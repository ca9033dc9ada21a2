"""Counting fields that nobody reads, on a sample.

msgspec passes over unknown fields without a word, and asking for a word about each would cost more
than decoding. So one record in a thousand is read generically. A producer that misspells a field
does so in every event, and is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from stream.contracts.prediction_event import (
    EVENT_FIELDS,
    Actual,
    BatchColumns,
    ModelId,
    Prediction,
)
from stream.decode.plan_decoder import PlanDecoder
from stream.decode.values import as_text

__all__ = ["count_unknown_fields"]

_TOP: Final = EVENT_FIELDS | {"columns"}
_COLUMNS: Final = frozenset(BatchColumns.__struct_fields__) | {"tags"}
_MODEL: Final = frozenset(ModelId.__struct_fields__)
_PREDICTION: Final = frozenset(Prediction.__struct_fields__)
_ACTUAL: Final = frozenset(Actual.__struct_fields__)


def count_unknown_fields(
    value: bytes | None, timeline: Callable[[str, str], list[tuple[int, PlanDecoder]]]
) -> int:
    """How many members of this event neither the contract nor the model's reference names."""
    try:
        event = msgspec.json.decode(value or b"")
        decoder = timeline(event["model"]["name"], as_text(event["model"].get("version")) or "")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return 0  # refused, or counted value by value, elsewhere
    if not decoder:
        return 0
    count = _others(event, _TOP) + _others(event["model"], _MODEL)
    columns = event.get("columns")
    if isinstance(columns, dict):
        count += _others(columns, _COLUMNS)
        event = columns
    known = decoder[0][1].known_features
    if known is not None:
        count += _others(event.get("features"), known)
    count += _others(event.get("prediction"), _PREDICTION)
    return count + _others(event.get("actual"), _ACTUAL)


def _others(value: Any, known: Iterable[str]) -> int:
    return len(value.keys() - known) if isinstance(value, dict) else 0
