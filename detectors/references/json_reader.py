"""A decoded JSON document whose reader always knows where it is: errors name the place."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from detectors.errors import DocumentError

__all__ = ["Place"]

_NAMES = {dict: "object", list: "array", str: "text", bool: "boolean", type(None): "null"}


class Place:
    """A value and its path, such as `signals[3].binning.edges`."""

    def __init__(self, value: Any, path: str) -> None:
        self.value = value
        self.path = path

    def fail(self, message: str, *, of_member: bool = False) -> NoReturn:
        """Raise the error; `of_member` if the message begins with the name of a member."""
        joint = "." if of_member and self.path else " "
        raise DocumentError(f"{self.path}{joint}{message}".strip())

    def _expect(self, kind: type | tuple[type, ...], name: str) -> None:
        right = isinstance(self.value, kind)
        if not right or (isinstance(self.value, bool) and kind is not bool):
            got = _NAMES.get(type(self.value), "number")
            self.fail(f"must be {name}; got {got}")

    def __getitem__(self, key: str | int) -> Place:
        if isinstance(key, int):
            return Place(self.value[key], f"{self.path}[{key}]")
        path = f"{self.path}.{key}" if self.path else key
        self._expect(dict, "an object")
        if key not in self.value:
            Place(None, path).fail("is missing")
        return Place(self.value[key], path)

    def names(self) -> list[str]:
        """Names of an object's members."""
        self._expect(dict, "an object")
        return list(self.value)

    def items(self, min_items: int = 0) -> list[Place]:
        """The places of an array's items."""
        self._expect(list, "an array")
        if len(self.value) < min_items:
            self.fail(f"must have at least {min_items} items; got {len(self.value)}")
        return [self[i] for i in range(len(self.value))]

    def text(self, *, non_empty: bool = False) -> str:
        """A text."""
        self._expect(str, "a text")
        if non_empty and not self.value:
            self.fail("must not be empty")
        return str(self.value)

    def text_or_null(self) -> str | None:
        """A text or null."""
        return None if self.value is None else self.text()

    def bytes_of_base64(self) -> bytes:
        """Bytes, which are written as Base64."""
        text = self.text()
        try:
            return base64.b64decode(text, validate=True)
        except ValueError as error:
            self.fail(f"must be Base64: {error}")

    def is_one_of(self, choices: Sequence[str]) -> str:
        """One of a few texts."""
        if self.value not in choices:
            self.fail(f"must be one of {', '.join(choices)}; got {self.value!r}")
        return str(self.value)

    def boolean(self) -> bool:
        """True or false."""
        self._expect(bool, "true or false")
        return bool(self.value)

    def integer(self, minimum: int = -(2**62)) -> int:
        """An integer from `minimum` to 2**62."""
        self._expect(int, "an integer")
        if not minimum <= self.value <= 2**62:
            self.fail(f"must be >= {minimum} and at most 2**62; got {self.value}")
        return int(self.value)

    def number(self, minimum: float = -math.inf) -> float:
        """A finite number."""
        self._expect((int, float), "a number")
        try:
            value = float(self.value)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value) or value < minimum:
            bound = f" >= {minimum}" if minimum > -math.inf else ""
            self.fail(f"must be a finite number{bound}; got {value}")
        return value

    def number_or_null(self) -> float | None:
        """A finite number or null."""
        return None if self.value is None else self.number()

    def numbers(self, length: int | None = None) -> npt.NDArray[np.float64]:
        """An array of finite numbers."""
        values = self._all_right({float, int}, np.float64)
        if values is None or not np.isfinite(values).all():
            values = np.array([place.number() for place in self.items()], np.float64)
        self._check_length(values.size, length)
        return values

    def integers(self, length: int | None = None, minimum: int = -(2**62)) -> npt.NDArray[np.int64]:
        """An array of integers."""
        values = self._all_right({int}, np.int64)
        if values is None or not ((values >= minimum) & (values <= 2**62)).all():
            values = np.array([place.integer(minimum) for place in self.items()], np.int64)
        self._check_length(values.size, length)
        return values

    def _all_right(self, kinds: set[type], dtype: Any) -> npt.NDArray[Any] | None:
        """The array if all items are of these types, else None: who is wrong is looked up then.

        A worker reads a thousand plans at its start: a place for each number took most of it.
        """
        if not isinstance(self.value, list) or not kinds.issuperset(map(type, self.value)):
            return None
        try:
            return np.array(self.value, dtype)
        except OverflowError:
            return None

    def _check_length(self, got: int, length: int | None) -> None:
        if length is not None and got != length:
            self.fail(f"must have {length} items; got {got}")
