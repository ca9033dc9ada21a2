"""What detectors of single items share: how they are fed, and their state as bytes."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Self

import numpy as np
import numpy.typing as npt

__all__ = ["ItemDetector"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class ItemDetector(ABC):
    """A detector fed item by item, or with many at once to the same effect.

    Subclasses run their kernel in `_feed`. All state is in two arrays: `_numbers`, and `_ticks`,
    whose last entry counts the items skipped.
    """

    def __init__(self, numbers: Floats, ticks: int) -> None:
        self.drift_detected = False
        self._numbers = numbers
        self._ticks = np.zeros(ticks, np.int64)
        self._item = np.empty(1)
        self._found = np.empty(1, np.int64)

    def __repr__(self) -> str:
        names = inspect.signature(type(self).__init__).parameters
        held = (f"{name}={getattr(self, name)!r}" for name in names if name != "self")
        return f"{type(self).__name__}({', '.join(held)})"

    @property
    def missing(self) -> int:
        """Items skipped because they were NaN or infinite."""
        return int(self._ticks[-1])

    @abstractmethod
    def _feed(self, values: Floats, alarms: Ints) -> int:
        """Take items in; indices of alarms go to `alarms`, their number is returned."""

    def update(self, x: float) -> Self:
        """Feed one item; `drift_detected` then says whether it gave an alarm."""
        self._item[0] = x
        self.drift_detected = self._feed(self._item, self._found) > 0
        return self

    def update_many(self, values: Floats | Iterable[float]) -> Ints:
        """Feed many items; the indices of those that gave an alarm."""
        if not isinstance(values, np.ndarray):
            values = np.fromiter(values, np.float64)
        values = np.ascontiguousarray(values, np.float64)
        alarms = np.empty(values.size, np.int64)
        found = self._feed(values, alarms)
        self.drift_detected = bool(found) and int(alarms[found - 1]) == values.size - 1
        return alarms[:found].copy()

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse, for the same parameters."""
        return self._numbers.tobytes() + self._ticks.tobytes()

    def load(self, data: bytes) -> None:
        """Take over a dumped state.

        Raises
        ------
        ValueError
            If the bytes are not of the right length, or hold what no state does.
        """
        split = self._numbers.nbytes
        expected = split + self._ticks.nbytes
        if len(data) != expected:
            raise ValueError(
                f"a {type(self).__name__} state has {expected} bytes; got {len(data)}."
            )
        numbers = np.frombuffer(data[:split], np.float64)
        ticks = np.frombuffer(data[split:], np.int64)
        if not self._is_state(numbers, ticks):
            raise ValueError(
                f"not a {type(self).__name__} state: it holds NaN, or counts that cannot be."
            )
        self._numbers[...] = numbers
        self._ticks[...] = ticks
        self.drift_detected = False

    def _is_state(self, numbers: Floats, ticks: Ints) -> bool:
        return not np.isnan(numbers).any() and not (ticks < 0).any()
