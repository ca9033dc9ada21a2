"""One value of an event: what it counts as, and why an event can be refused.

The fast path leaves these questions to msgspec's types; the slow path asks them here, value by
value. Both give the same objects, so nothing after them knows which path an event took.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors import CategoricalBinning, category_text
from detectors.counting.meaning import has_name, number_of
from stream.contracts.event_time import Time, as_time
from stream.decode.columns import ABSENT_CODE

__all__ = [
    "ABSENT_CATEGORY",
    "INVALID_CATEGORY",
    "CodeTable",
    "RefusedError",
    "as_category",
    "as_list",
    "as_number",
    "as_segment",
    "as_text",
    "as_timestamp",
    "not_an_object",
    "null_constants",
    "parse_object",
    "read_model",
    "type_name",
]

#: A text that is in no table takes a hash to be placed: those met lately are remembered.
REMEMBERED: Final = 65_536
#: Stand for a value in a decoded event; objects, so that no value of a producer equals them.
INVALID_CATEGORY: Final = object()
ABSENT_CATEGORY: Final = object()


class RefusedError(Exception):
    """A record that cannot be counted. `reason` is one of REASONS; `error` has no raw value."""

    def __init__(self, reason: str, error: str) -> None:
        super().__init__(error)
        self.reason = reason
        self.error = error


class CodeTable(dict[object, int]):
    """Category -> bin, for `map(table.__getitem__, column)`: a known text is one C look-up.

    Numbers and booleans are not keys, because 1, 1.0 and True are one key to a dict. What is
    missing is absent if it is `known_later`. Texts met since are remembered, and never leave the
    process.
    """

    def __init__(self, binning: CategoricalBinning, *, known_later: bool = False) -> None:
        super().__init__()
        self.update(binning.bins_of_names)
        self._binning = binning
        self.invalid = binning.invalid
        self[None] = ABSENT_CODE if known_later else binning.missing
        self[INVALID_CATEGORY] = binning.invalid
        self[ABSENT_CATEGORY] = ABSENT_CODE
        self._known_later = known_later
        self._met: list[str] = []
        # Else a text that is not known costs nothing.
        self._remembers = binning.tail > 1 or binning.halvings > 0

    def codes(self, column: Sequence[object]) -> npt.NDArray[np.generic]:
        """Bins of a column of values, of any integer type."""
        if not self._known_later:
            try:  # two thirds of the time that 32 bits take
                return np.frombuffer(bytearray(map(self.__getitem__, column)), np.uint8)
            except ValueError:  # one is absent: below 0
                pass
        return np.fromiter(map(self.__getitem__, column), np.int32, len(column))

    def __missing__(self, value: object) -> int:
        text = as_text(value)
        if text is None:
            return self._binning.unseen
        if not isinstance(value, str):
            return self[text]
        code = self.of_text(text)
        if self._remembers:
            if len(self._met) >= REMEMBERED:
                for old in self._met:
                    del self[old]
                self._met.clear()
            self._met.append(text)
            self[text] = code
        return code

    def of_text(self, text: str) -> int:
        """Bin of a text that is not in the table."""
        return self._binning.bin_of_unknown(text)


def as_text(value: Any) -> str | None:
    """Canonical text of a scalar; None for null and for an integer too long to print."""
    if value is None or type(value) is str:
        return value
    try:
        return category_text(value)
    except ValueError:  # more digits than CPython converts
        return None


def as_number(value: object) -> float | None:
    """A numeric value: None if missing or not finite, INVALID if it is of a wrong type."""
    number = number_of(value)
    return None if number != number else number


def as_category(value: object) -> object:
    """A categorical value: None if missing, INVALID_CATEGORY if it is of a wrong type."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if has_name(value) else INVALID_CATEGORY


def as_timestamp(value: object, path: str) -> Time:
    """Event time as the fast path gives it, from any form that is accepted.

    Raises
    ------
    RefusedError
        With reason `bad_timestamp`, naming `path`.
    """
    time = as_time(value)
    if time is None:
        got = "other text" if isinstance(value, str) else type_name(value)
        raise RefusedError(
            "bad_timestamp",
            f"Expected RFC 3339 text, a date or a finite number, got {got} - at {path}",
        )
    return time


def parse_object(value: bytes) -> dict[str, Any]:
    """A JSON object, leniently: NaN and Infinity are accepted, as Python's own encoder writes them.

    Raises
    ------
    RefusedError
        With reason `undecodable` or `wrong_type`.
    """
    try:
        text = value.decode("utf-8")
        document = json.loads(text)
        if "\\u" in text:  # a lone surrogate passes json.loads but can never be written again
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeError as error:
        raise RefusedError(
            "undecodable",
            f"Not valid UTF-8 or Unicode: {error.reason}"
            if isinstance(error, UnicodeDecodeError | UnicodeEncodeError)
            else "Not valid Unicode",
        ) from None
    except json.JSONDecodeError as error:
        raise RefusedError(
            "undecodable", f"Not JSON: {error.msg}, byte {error.pos} of {len(value)}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise RefusedError(
            "undecodable", f"JSON beyond what is read ({type(error).__name__})"
        ) from None
    if not isinstance(document, dict):
        raise RefusedError("wrong_type", f"Expected object, got {type_name(document)} - at $")
    return document


def null_constants(value: bytes) -> bytes | None:
    """The JSON with null for NaN and Infinity, or None if it has none or it cannot be told.

    Python's encoder writes these words, which are not JSON, for missing values; with null in their
    place the fast path can read the event. A word is outside a string if an even number of quotes
    is before it, as long as nothing is escaped.
    """
    if b"\\" in value:
        return None
    cleaned = value
    for word in (b"NaN", b"-Infinity", b"Infinity"):
        if word not in cleaned:
            continue
        at = quotes = 0
        while (found := cleaned.find(word, at)) >= 0:
            quotes += cleaned.count(b'"', at, found)
            if quotes % 2:
                return None
            at = found + len(word)
        cleaned = cleaned.replace(word, b"null")
    return None if cleaned is value else cleaned


def read_model(document: Mapping[str, Any]) -> tuple[str, str]:
    """Model name and version ("" if there is none).

    Raises
    ------
    RefusedError
        With reason `missing_field` or `wrong_type`.
    """
    model = document.get("model")
    if model is None:
        raise RefusedError("missing_field", "Object missing required field `model` - at $")
    if not isinstance(model, dict):
        raise RefusedError("wrong_type", f"Expected object, got {type_name(model)} - at $.model")
    name, version = model.get("name"), model.get("version")
    if name is None:
        raise RefusedError("missing_field", "Object missing required field `name` - at $.model")
    if not isinstance(name, str):
        raise RefusedError("wrong_type", f"Expected str, got {type_name(name)} - at $.model.name")
    if isinstance(version, bool) or not isinstance(version, str | int | float | None):
        raise RefusedError(
            "wrong_type", f"Expected str, got {type_name(version)} - at $.model.version"
        )
    return name, as_text(version) or ""


def type_name(value: object) -> str:
    """JSON's word for the type of a value."""
    if value is None:
        return "null"
    return {"dict": "object", "list": "array"}.get(type(value).__name__, type(value).__name__)


def as_list(value: object, path: str) -> list[Any] | None:
    """A column of a batch, or None if it is null or not there."""
    if value is None or isinstance(value, list):
        return value
    raise RefusedError("wrong_type", f"Expected array, got {type_name(value)} - at {path}")


def as_segment(value: object) -> object:
    """A segment's value; one of a wrong type is as if it were missing."""
    category = as_category(value)
    return None if category is INVALID_CATEGORY else category


def not_an_object(value: object, path: str) -> RefusedError:
    """The refusal of a member that had to be an object."""
    return RefusedError("wrong_type", f"Expected object, got {type_name(value)} - at {path}")
