"""Batches of many rows: which columns are what, and messages that are small enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from stream.publishing.errors import InvalidEventError

__all__ = ["Batch", "Refuse", "Roles", "cut"]

#: Value, headers and number of events of a message.
Batch: TypeAlias = tuple[bytes, list[tuple[str, bytes]], int]
#: Told a reason of `DROPPED`, how many rows, and words.
Refuse: TypeAlias = Callable[[str, int, str], None]


class Roles(NamedTuple):
    """What the columns are: each the name of one, or an array, or None."""

    prediction: Any = None
    score: Any = None
    actual: Any = None
    prediction_id: Any = None
    timestamp: Any = None
    latency_seconds: Any = None
    prediction_timestamp: Any = None
    segments: Any = ()
    features: Any = None

    def split(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Columns by their names in a batch, those of features as `features.NAME`.

        Raises
        ------
        InvalidEventError
            If a name is of no column.
        """
        found: dict[str, Any] = {}
        used: set[str] = set()
        for name, role in _ONE.items():
            given = getattr(self, role)
            if isinstance(given, str):
                used.add(given)
                given = _column(columns, given, role)
            if given is not None:
                found[name] = given
        segments = self.segments or ()
        if not isinstance(segments, Mapping):
            names = [segments] if isinstance(segments, str) else segments
            segments = {name: _column(columns, name, "segments") for name in names}
        found |= {f"segments.{name}": column for name, column in segments.items()}
        names = [n for n in columns if n not in used] if self.features is None else self.features
        found |= {f"features.{name}": _column(columns, name, "features") for name in names}
        return found


#: Column of a batch -> role.
_ONE: Final = {
    "timestamp": "timestamp",
    "prediction_id": "prediction_id",
    "prediction.label": "prediction",
    "prediction.score": "score",
    "actual.label": "actual",
    "latency_seconds": "latency_seconds",
    "prediction_timestamp": "prediction_timestamp",
}


def cut(
    n: int, max_rows: int, max_message_bytes: int, make: Callable[[int, int], bytes], refuse: Refuse
) -> Iterator[tuple[bytes, int]]:
    """Values of messages, halved until they are small enough; a row that is not is refused."""
    parts = [(s, min(s + max_rows, n)) for s in range(0, n, max_rows)][::-1]
    while parts:
        start, end = parts.pop()
        value = make(start, end)
        if len(value) <= max_message_bytes:
            yield value, end - start
        elif end - start > 1:
            middle = (start + end) // 2
            parts += [(middle, end), (start, middle)]
        else:
            refuse("too_large", 1, f"rows of more than {max_message_bytes:,} bytes are dropped.")


def _column(columns: Mapping[str, Any], name: Any, role: str) -> Any:
    try:
        return columns[str(name)]
    except KeyError:
        raise InvalidEventError(
            f"{role}={name!r} names no column. There are: {', '.join(list(columns)[:20])}."
        ) from None
