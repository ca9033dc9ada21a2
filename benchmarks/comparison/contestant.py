"""What a contestant is: prepared with a reference, it says at which items of a stream it alarms."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["WINDOW", "Contestant", "ItemContestant", "Run", "WindowContestant"]

Floats = npt.NDArray[np.float64]
Step = Callable[[float], bool]
#: Items of a window, for contestants that test windows: the product's default.
WINDOW = 1_000
_LOOK_AT_CLOCK = 500


class Run(NamedTuple):
    """Items at which there was an alarm, and how many items were read."""

    alarms: npt.NDArray[np.int64]
    items: int


@dataclass(frozen=True)
class Contestant(ABC):
    """One detector of one library.

    Attributes
    ----------
    default : float or None
        The library's own setting of its threshold; None if it has none.
    ladder : tuple of float
        Settings from loose to strict, from which the rate of false alarms is extrapolated to a
        target; empty if the contestant is not matched.
    log : bool
        Whether the logarithm of the rate is about linear in the logarithm of the setting, or in
        the setting itself.
    promised : dict
        Settings that are by themselves for a target of false alarms a million items.
    note : str
        What a reader should know.
    """

    name: str
    kinds: frozenset[str]
    default: float | None = None
    ladder: tuple[float, ...] = ()
    log: bool = True
    promised: dict[int, float] = field(default_factory=dict)
    note: str = ""

    def prepare(self, reference: Floats, kind: str) -> Any:
        """What is kept of a reference."""
        return reference

    @abstractmethod
    def run(
        self,
        prepared: Any,
        values: Floats,
        setting: float | None,
        *,
        since: int | None = None,
        deadline: float = math.inf,
    ) -> Run:
        """Alarms on a stream; may stop at the first one from item `since` on."""

    def null_run(
        self, prepared: Any, values: Floats, setting: float | None, deadline: float
    ) -> Run:
        """Alarms as a user would count them where nothing changes."""
        return self.run(prepared, values, setting, deadline=deadline)


@dataclass(frozen=True)
class ItemContestant(Contestant):
    """A detector fed item by item; `make(setting)` gives a fresh one's step."""

    make: Callable[[float | None], Step] = field(default=lambda _: lambda _x: False)

    def run(
        self,
        prepared: Any,
        values: Floats,
        setting: float | None,
        *,
        since: int | None = None,
        deadline: float = math.inf,
    ) -> Run:
        step = self.make(setting)
        alarms: list[int] = []
        enough = len(values) if since is None else since
        for start in range(0, len(values), _LOOK_AT_CLOCK):
            for i, value in enumerate(values[start : start + _LOOK_AT_CLOCK].tolist(), start):
                if step(value):
                    alarms.append(i)
                    if i >= enough:
                        return Run(np.array(alarms), i + 1)
            if time.perf_counter() > deadline:
                return Run(np.array(alarms, np.int64), min(start + _LOOK_AT_CLOCK, len(values)))
        return Run(np.array(alarms, np.int64), len(values))


@dataclass(frozen=True)
class WindowContestant(Contestant):
    """A test of tumbling windows: an alarm where the statistic reaches the setting."""

    statistic: Callable[[Any, Floats, str], float] = field(default=lambda _r, _w, _k: 0.0)

    def prepare(self, reference: Floats, kind: str) -> Any:
        return reference, kind

    def statistics(self, prepared: Any, values: Floats, deadline: float = math.inf) -> Floats:
        """One for each full window, till the deadline."""
        reference, kind = prepared
        found = []
        for start in range(0, len(values) - WINDOW + 1, WINDOW):
            found.append(self.statistic(reference, values[start : start + WINDOW], kind))
            if time.perf_counter() > deadline:
                break
        return np.array(found)

    def run(
        self,
        prepared: Any,
        values: Floats,
        setting: float | None,
        *,
        since: int | None = None,
        deadline: float = math.inf,
    ) -> Run:
        reference, kind = prepared
        assert setting is not None
        alarms = []
        items = 0
        for start in range(0, len(values) - WINDOW + 1, WINDOW):
            items = start + WINDOW
            if since is not None and items <= since:
                continue  # no window before the change matters to the delay after it
            if self.statistic(reference, values[start:items], kind) >= setting:
                alarms.append(items - 1)
                if since is not None:
                    break
            if time.perf_counter() > deadline:
                break
        else:
            items = len(values)
        return Run(np.array(alarms, np.int64), items)
