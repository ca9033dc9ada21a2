"""How contestants watch a living stream: when they open an alarm, and how long they are in it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.comparison.contestant import WINDOW, Contestant, ItemContestant, WindowContestant
from benchmarks.comparison.living import HISTORY, WEEK, Drawn, Living
from benchmarks.gates.fitted import run_fitted
from detectors import Seasons

__all__ = ["DAY", "SECONDS", "Seen", "Watcher", "trivial", "tune", "watchers_of"]

Ints = npt.NDArray[np.int64]
#: Items of a whole day, the window that a user would take for a stream with a daily season.
DAY = 1_440
#: CPU seconds and most alarms of a run.
SECONDS = 30.0
_LOOK_AT_CLOCK = 500
#: False alarms a week that tuned settings are to give: the default budget of ours.
_TARGET = 1.0
_TUNING_SEED, _TUNING_RUNS, _TUNING_WEEKS = 42, 4, 4
_TUNING_SECONDS = 1.0
_NONE = "no setting gives so few alarms"
#: From the loosest setting to one that hardly anything passes.
_STEPS = 31
_STRICTEST_DELTA, _STRICTEST_TIMES = 700.0, 10_000.0


class Seen(NamedTuple):
    """What was said of a stream.

    Attributes
    ----------
    opened : int64 array
        Items after which an alarm opened.
    items : int
        Items read.
    share : float or None
        Of time in alarm; None where an alarm is a moment.
    already : bool
        Whether an alarm was open at item `since`.
    """

    opened: Ints
    items: int
    share: float | None
    already: bool = False


#: Watch a stream at a setting: `since`, an alarm from there on is enough; `most` alarms are, too.
Watch = Callable[[Drawn, float | None, int | None, float], Seen]


@dataclass(frozen=True)
class Watcher:
    """A contestant on living streams; one that can be tuned has `settings`, or `statistics`."""

    name: str
    watch: Watch
    default: float | None = None
    settings: tuple[float, ...] = ()
    statistics: Callable[[Drawn], npt.NDArray[np.float64]] | None = None
    tuned: Watch | None = None
    seasonal_only: bool = False


def _nothing(drawn: Drawn, setting: float | None, since: int | None, most: float) -> Seen:
    return Seen(np.zeros(0, np.int64), drawn.values.size, 0.0)


def _always(drawn: Drawn, setting: float | None, since: int | None, most: float) -> Seen:
    return Seen(np.zeros(1, np.int64), drawn.values.size, 1.0, already=True)


def _at_random(drawn: Drawn, setting: float | None, since: int | None, most: float) -> Seen:
    rng = np.random.default_rng([drawn.seed, 17])
    return Seen(np.flatnonzero(rng.random(drawn.values.size) < 1.0 / WEEK), drawn.values.size, None)


def trivial() -> list[Watcher]:
    """What any monitor must do better than."""
    return [
        Watcher("never", _nothing),
        Watcher("always in alarm", _always),
        Watcher("at random, once a week", _at_random),
    ]


def _fitted(slots: str) -> Watch:
    def watch(drawn: Drawn, setting: float | None, since: int | None, most: float) -> Seen:
        cut = drawn.history.size
        x = np.concatenate([drawn.history, drawn.values])
        _, run, _ = run_fitted({"x": x}, drawn.times, cut, Seasons(slots))
        opened = np.searchsorted(drawn.times[cut:], run.opened_ms) - 1
        already = False
        if since is not None and (opened < since).any():
            upto = slice(0, cut + since)
            _, before, _ = run_fitted({"x": x[upto]}, drawn.times[upto], cut, Seasons(slots))
            already = bool(before.episodes.active)
        return Seen(opened.astype(np.int64), drawn.values.size, run.share_in_alarm, already)

    return watch


def ours() -> list[Watcher]:
    """The product with what `fit` proposes: pane and window, and slots if they are asked for."""
    return [
        Watcher("driftstream, fit --slots auto", _fitted("auto")),
        Watcher("driftstream, without slots", _fitted("look"), seasonal_only=True),
    ]


def _items(contestant: ItemContestant) -> Watch:
    def watch(drawn: Drawn, setting: float | None, since: int | None, most: float) -> Seen:
        step = contestant.make(setting)
        ends = time.process_time() + SECONDS
        for value in drawn.history[-WEEK:].tolist():
            step(value)
        enough = drawn.values.size if since is None else since
        opened: list[int] = []
        for start in range(0, drawn.values.size, _LOOK_AT_CLOCK):
            piece = drawn.values[start : start + _LOOK_AT_CLOCK].tolist()
            for i, value in enumerate(piece, start):
                if step(value):
                    opened.append(i)
                    if i >= enough or len(opened) > most:
                        return Seen(np.array(opened), i + 1, None)
            if time.process_time() > ends:
                return Seen(np.array(opened, np.int64), start + len(piece), None)
        return Seen(np.array(opened, np.int64), drawn.values.size, None)

    return watch


def _statistics(contestant: WindowContestant, size: int) -> Callable[[Drawn], Any]:
    def statistics(drawn: Drawn) -> npt.NDArray[np.float64]:
        ends = range(size, drawn.values.size + 1, size)
        return np.array(
            [
                contestant.statistic(drawn.history, drawn.values[end - size : end], "number")
                for end in ends
            ]
        )

    return statistics


def _windows(contestant: WindowContestant, size: int) -> Watch:
    """Windows in alarm one after the other are one alarm."""
    statistics = _statistics(contestant, size)

    def watch(drawn: Drawn, setting: float | None, since: int | None, most: float) -> Seen:
        assert setting is not None
        alarm = statistics(drawn) >= setting
        opens = alarm & ~np.append(False, alarm[:-1])
        before = 0 if since is None else since // size
        return Seen(
            (np.flatnonzero(opens) + 1) * size - 1,
            drawn.values.size,
            float(alarm.mean()),
            bool(before and alarm[before - 1]),
        )

    return watch


def _ladder(contestant: Contestant) -> tuple[float, ...]:
    """Settings from loose to strict, far beyond those that independent values need."""
    if not contestant.ladder:
        return ()
    loosest = contestant.ladder[0]
    if contestant.ladder[-1] < loosest:  # a confidence
        powers = np.geomspace(-math.log(loosest), _STRICTEST_DELTA, _STEPS)
        return tuple(np.exp(-powers).tolist())
    return tuple(np.geomspace(loosest, loosest * _STRICTEST_TIMES, _STEPS).tolist())


def watchers_of(contestant: Contestant) -> list[Watcher]:
    """The peer as a watcher of numbers; none if it takes none."""
    if "number" not in contestant.kinds or contestant.name == "never":
        return []
    if isinstance(contestant, WindowContestant):
        return [
            Watcher(
                contestant.name,
                _windows(contestant, WINDOW),
                contestant.default,
                statistics=_statistics(contestant, DAY),
                tuned=_windows(contestant, DAY),
            )
        ]
    if isinstance(contestant, ItemContestant):
        return [
            Watcher(
                contestant.name,
                _items(contestant),
                contestant.default,
                settings=_ladder(contestant),
            )
        ]
    return []


def tune(watcher: Watcher, stream: Living, less_season: bool) -> tuple[float | None, str]:
    """The loosest setting with at most one alarm a week on other streams of the kind; or why not.

    More than a user could do, who has one history.
    """
    made = [stream.make(_TUNING_SEED, run, _TUNING_WEEKS) for run in range(_TUNING_RUNS)]
    drawn = [one.less_season() for one in made] if less_season else made
    if watcher.statistics is not None:
        found = np.sort(np.concatenate([watcher.statistics(one) for one in drawn]))[::-1]
        few = int(_TARGET * _TUNING_RUNS * _TUNING_WEEKS)
        if found[few] >= found[0]:
            return None, _NONE
        return float(found[few - 1]), ""
    if not watcher.settings:
        return None, "no threshold to tune, or too slow"
    low, high = -1, len(watcher.settings)  # too loose, strict enough
    while high - low > 1:
        middle = (low + high) // 2
        kept = _kept(watcher, drawn, watcher.settings[middle])
        if kept is None:
            return None, "too slow to be tuned"
        low, high = (low, middle) if kept else (middle, high)
    if high == len(watcher.settings):
        return None, _NONE
    return watcher.settings[high], ""


def _kept(watcher: Watcher, drawn: list[Drawn], setting: float) -> bool | None:
    """Whether there are few enough alarms; None if it takes too long to know."""
    most, start = _TARGET * len(drawn) * _TUNING_WEEKS, time.process_time()
    alarms, items = 0, 0
    for one in drawn:
        seen = watcher.watch(one, setting, None, most)
        alarms, items = alarms + seen.opened.size, items + seen.items
        if alarms > most:
            return False
        if time.process_time() - start > _TUNING_SECONDS:
            break
    if items < HISTORY * WEEK:
        return None
    return alarms <= _TARGET * items / WEEK
