"""Values as programs have them, as what JSON can hold and a worker reads as the same.

One table of types, in words in docs/how-to/publish.md. No library is imported for it: numpy's,
pandas' and torch's values are known by their manners.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

from stream.contracts.time_forms import ACCEPTED, as_time
from stream.publishing.errors import InvalidEventError
from stream.publishing.notices import Notices

__all__ = ["PLAIN", "Values", "repaired"]

#: Types that are encoded as they are; floats that are not finite become null.
PLAIN: Final = frozenset((float, int, str, bool, type(None)))
_MISSING_TYPES: Final = frozenset(("NAType", "NaTType", "MaskedConstant"))
_MAX_KINDS: Final = 100
_MAX_TYPES: Final = 1_000
_ZONELESS: Final = (
    "a time without a zone is taken as UTC. datetime.now() is local time: use "
    "datetime.now(timezone.utc), or leave timestamp out."
)


class Values:
    """Converts values, and counts those that nothing can be made of.

    Parameters
    ----------
    notices : Notices
    """

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self.unserialisable: Counter[str] = Counter()
        self._converters: dict[type, Callable[[Any], Any]] = {}

    def mapping(self, values: object, what: str) -> dict[str, Any]:
        """Names to plain values.

        Raises
        ------
        InvalidEventError
            If it is no mapping.
        """
        if not isinstance(values, Mapping):
            if hasattr(values, "to_dict") and getattr(values, "ndim", 1) == 1:
                values = values.to_dict()  # a row of a pandas frame
            elif hasattr(values, "_asdict"):
                values = values._asdict()
            if not isinstance(values, Mapping):
                raise InvalidEventError(
                    f"{what} must map names to values; got {type(values).__name__}. "
                    "Name them: dict(zip(names, values))."
                )
        return self._object(values)

    def column(self, values: Any) -> list[Any]:
        """A column of a frame as plain values."""
        found = _as_list(values)
        kind = str(getattr(values, "dtype", "")).lower()
        if kind == "float16":  # its items, which are named as they are written
            return list(map(self.plain, values))
        return found if PLAIN.issuperset(map(type, found)) else list(map(self.plain, found))

    def plain(self, value: Any) -> Any:
        """One value; an object that names the type where JSON has nothing for it."""
        kind = type(value)
        if kind in PLAIN:
            return value
        convert = self._converters.get(kind)
        if convert is None:
            if len(self._converters) >= _MAX_TYPES:
                self._converters.clear()
            convert = self._converters[kind] = self._converter(value)
        return convert(value)

    def time(self, value: Any) -> float | str | datetime:
        """An event time as it is sent.

        Raises
        ------
        InvalidEventError
            If it is no time.
        """
        known = self._known_time(value)
        if isinstance(known, datetime):
            if known.tzinfo is None:
                self._notices.warn("naive time", _ZONELESS)
                known = known.replace(tzinfo=UTC)
            return known
        if isinstance(known, str | int | float) and as_time(known) is not None:
            return known
        raise InvalidEventError(f"timestamp {_shown(value)} is no time. {ACCEPTED}")

    def identity(self, value: Any) -> str | None:
        """A prediction's id as text; None if it is missing."""
        found = self.plain(value)
        if type(found) is str:
            return found.encode(errors="replace").decode()
        if found is None or found != found:
            return None
        if isinstance(found, bool | dict | list):
            raise InvalidEventError(
                f"prediction_id must be a text or a number; got {type(value).__name__}."
            )
        return str(found)

    def number(self, value: Any, what: str) -> float | None:
        """A number, such as a score or a duration (a timedelta is seconds)."""
        if hasattr(value, "total_seconds"):
            return float(value.total_seconds())
        found: float | None = self.plain(value)
        return found

    def _known_time(self, value: Any) -> Any:
        """Times of other libraries as those of Python, numbers as plain numbers."""
        if isinstance(value, datetime) and type(value).__name__ not in _MISSING_TYPES:
            if hasattr(value, "to_pydatetime"):  # of pandas
                value = value.to_pydatetime(warn=False)
            return value
        if isinstance(value, date) and type(value).__name__ not in _MISSING_TYPES:
            return value.isoformat()
        return value if type(value) in (float, int, str) else self.plain(value)

    # ---- by type

    def _converter(self, value: Any) -> Callable[[Any], Any]:
        """What makes a plain value of those of a type, seen one of them."""
        kind = type(value)
        if kind.__name__ in _MISSING_TYPES:
            return _nothing
        if isinstance(value, Enum):
            return lambda one: self.plain(one.value)
        if isinstance(value, Decimal):
            return lambda one: one if one.is_finite() else None
        if isinstance(value, datetime):
            return _moment
        if isinstance(value, date | UUID):
            return str
        if isinstance(value, Mapping):
            return self._object
        if isinstance(value, list | tuple):
            return lambda several: list(map(self.plain, several))
        if hasattr(value, "dtype"):
            of_numpy = kind.__module__ == "numpy" and kind.__name__ != "ndarray"
            return (_numpy_scalar(value) or self._nothing_of) if of_numpy else self._of_array
        for base in (bool, int, float, str):
            if isinstance(value, base):
                return base
        return self._nothing_of

    def _object(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        return {
            name if type(name) is str else str(name): self.plain(value)
            for name, value in values.items()
        }

    def _of_array(self, value: Any) -> Any:
        """An array, or a number in one of no dimensions, of numpy or a library like it."""
        if getattr(value, "shape", ()):
            return self.column(value) if hasattr(value, "tolist") else self._nothing_of(value)
        kind = str(value.dtype)
        if not hasattr(value, "item") or kind.startswith("|V") or "complex" in kind:
            return self._nothing_of(value)
        if type(value).__module__ == "numpy":
            return self.plain(value[()])
        return self.plain(value.item())

    def _nothing_of(self, value: Any) -> dict[str, str]:
        name = type(value).__name__
        if name not in self.unserialisable and len(self.unserialisable) >= _MAX_KINDS:
            name = "__other__"
        self.unserialisable[name] += 1
        self._notices.warn(
            f"type {name}",
            f"a value of type {name} cannot be in an event: it is counted as a value of a wrong "
            "type. Send a number, a text or a boolean.",
        )
        return {"unserialisable": name}


def repaired(value: Any) -> Any:
    """Plain values whose texts UTF-8 can hold: half a surrogate pair becomes U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {repaired(name): repaired(each) for name, each in value.items()}
    if isinstance(value, list):
        return list(map(repaired, value))
    return value


def _nothing(_: object) -> None:
    return None


def _moment(value: datetime) -> str:
    zoned = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return zoned.isoformat().replace("+00:00", "Z")


def _numpy_scalar(value: Any) -> Callable[[Any], Any] | None:
    """What makes a plain value of numpy's scalars of a type; None of those that JSON has not."""
    kind = str(value.dtype)
    if kind == "float16":
        return lambda one: float(str(one))  # .1 and not .09998: a worker knows this of float32 only
    for word, convert in (("float", float), ("int", int), ("uint", int), ("bool", bool)):
        if kind.startswith(word):
            return convert
    if kind.startswith("datetime64"):
        return _numpy_time
    return str if kind.startswith(("<U", ">U")) else None


def _numpy_time(value: Any) -> str | None:
    text = str(value)
    return None if text == "NaT" else text if len(text) <= len("2026-03-01") else text + "Z"


def _as_list(values: Any) -> list[Any]:
    for way in ("to_pylist", "to_list", "tolist"):
        if hasattr(values, way):
            found: list[Any] = getattr(values, way)()
            return found
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise InvalidEventError(f"a column must be an array; got {type(values).__name__}.")
    return list(values)


def _shown(value: object) -> str:
    return repr(value)[:40]
