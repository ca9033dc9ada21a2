"""One record read as a worker would, to look at: the native events it becomes, and refusals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from stream.contracts.moments import INFINITY
from stream.decode.dispatch import FormatDecoder
from stream.decode.formats.contract import OptionsError, SourceOptions
from stream.decode.native import NativeDecoder
from stream.decode.values import RefusedError
from stream.plans.plan import Learn, LearningPlan, PlanBook

__all__ = ["Tried", "try_record"]


@dataclass(frozen=True)
class Tried:
    """The native events of a record, how many of them are counted, and why others are not."""

    events: list[dict[str, Any]]
    counted: int
    refused: list[tuple[str, str]]


class _Sample(msgspec.Struct):
    """A record without headers."""

    value: bytes
    timestamp: int
    offset: int = 1
    timestamp_type: int = 1
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


def try_record(value: bytes, source: SourceOptions, stamp_ms: int) -> Tried:
    """Read a record as of a topic of this format, whatever models there are."""
    sample = _Sample(value, stamp_ms)
    try:
        messages = FormatDecoder(NativeDecoder(PlanBook()), source).native_messages(sample)
    except RefusedError as error:
        return Tried([], 0, [(error.reason, error.error)])
    except OptionsError as error:
        return Tried([], 0, [("config", f"sources.{error}")])
    events = []
    book = PlanBook()
    for message in messages:
        try:
            event = msgspec.json.decode(message)
            name = event["model"]["name"]
        except (ValueError, TypeError, KeyError):
            continue  # refused below, with the reason
        events.append(event)
        if isinstance(name, str) and name and name not in {plan.model for _, plan in book}:
            book.add(LearningPlan(model=name, learn=Learn()))
    decoded = FormatDecoder(NativeDecoder(book, max_ahead_ms=INFINITY), source).decode([sample])
    refused = [(reject.reason, reject.error) for reject in decoded.rejects]
    return Tried(events, len(decoded.time_ms) + decoded.actuals, refused)
