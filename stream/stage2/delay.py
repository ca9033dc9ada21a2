"""How soon a shift would be found, in words: from the rate of a reference and the budget."""

from __future__ import annotations

import math
from collections.abc import Collection
from statistics import NormalDist
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from detectors.sequential.delay import events_until_found
from stream.plans.plan import Plan
from stream.stage2.powerless import fill_of
from stream.stage2.shared_tables import SharedTables
from stream.text.counted import some_of
from stream.text.durations import DAY_MS, HOUR_MS, WEEK_MS, duration

__all__ = ["delay_words", "foretold", "lasting", "told_within"]

#: Standard deviations by which values move.
_ONE, _HALF = 1.0, 0.5
#: Nine in ten simulated delays are below so many times the median.
_NINE_IN_TEN: Final = 1.5
#: Half of the weight of a signal's evidence is its values', the other half its rates'.
_OF_VALUES: Final = 2.0
#: What takes more windows, and windows do not find, is not foretold.
_MAX_WINDOWS: Final = 10
#: A shift is in all of a window at the end of the second from then on.
_UNTIL_WHOLE: Final = 2.0
#: Windows that find so much less of a shift find it clearly.
_CLEARLY: Final = 0.8
#: Signals so many times slower than the fastest are listed apart.
_SLOWER: Final = 4.0
_NAMED: Final = 3
#: By standard deviations.
_TOLD: WeakKeyDictionary[SharedTables, dict[float, dict[str, float]]] = WeakKeyDictionary()


def delay_words(plan: Plan, names: Collection[str]) -> list[str]:
    """Sentences about a shift of those of these signals that are numbers and followed by panes."""
    if plan.reference.calendar is not None:
        return ["how soon a shift is told is not foretold where hours are judged by themselves"]
    if not plan.reference.events_per_week:
        return ["how soon a shift is told is not foretold where all rows have one time"]
    one = {name: n for name, n in told_within(plan, _ONE).items() if name in names}
    if not one:
        return []
    limit = _MAX_WINDOWS * plan.window_events
    slow = {name: n for name, n in one.items() if n > min(limit, _SLOWER * min(one.values()))}
    words = []
    if len(slow) < len(one):
        half = max(n for name, n in told_within(plan, _HALF).items() if name in one.keys() - slow)
        most = max(n for name, n in one.items() if name not in slow)
        of_half = ""
        if half <= limit:
            of_half = f"; one of {_HALF:g} within about {lasting(plan, half)}"
        words.append(
            f"a shift of {_ONE:g} standard deviation is told within about "
            f"{lasting(plan, most)}{of_half}"
            f"{_by_panes_alone(plan, one.keys() - slow)}"
        )
    if slow:
        slowest = sorted(slow, key=slow.__getitem__, reverse=True)[:_NAMED]
        each = [
            f"{name} ({'not within' if slow[name] > limit else 'about'} "
            f"{lasting(plan, min(limit, slow[name]))})"
            for name in slowest
        ]
        more = f" and {len(slow) - len(each)} more" if len(slow) > len(each) else ""
        words.append(
            f"a shift of {_ONE:g} standard deviation is told later, as rows say less, of "
            f"{', '.join(each)}{more}{_by_panes_alone(plan, slow)}"
        )
    return words


def told_within(plan: Plan, sd: float) -> dict[str, float]:
    """Events within which a shift of each number is found, by panes or by windows."""
    if plan.cycle_ms or not plan.reference.events_per_week:
        return {}  # a cycle is one window, and no test follows panes
    known = _TOLD.setdefault(SharedTables.of(plan), {})
    if sd not in known:
        known[sd] = _told_within(plan, sd)
    return known[sd]


def _told_within(plan: Plan, sd: float) -> dict[str, float]:
    after = foretold(plan, sd)
    fill = fill_of(plan, SharedTables.of(plan).budget)
    most = _UNTIL_WHOLE * fill.events
    if fill.events < fill.min_events or all(n <= most for n in after.values()):
        return after
    found = _found_by_windows(plan, _CLEARLY * sd, fill.tested)
    return {name: min(n, most) if name in found else n for name, n in after.items()}


def foretold(plan: Plan, sd: float) -> dict[str, float]:
    """Events within which tests of panes tell a shift of each number, nine times in ten."""
    shared_tables = SharedTables.of(plan)
    budget = shared_tables.budget
    followed = [
        index for index in plan.layout.numeric.tolist() if shared_tables.edetector_on[index]
    ]
    a_pane = plan.reference.events_per_week / budget.panes_per_week
    return {
        plan.monitored[index].name: _NINE_IN_TEN
        * events_until_found(
            plan.monitored[index],
            sd,
            threshold=_OF_VALUES * budget.edetector_threshold,
            z=budget.edetector_z,
            events_a_pane=a_pane,
        )
        for index in followed
    }


def _found_by_windows(plan: Plan, sd: float, events: int) -> set[str]:
    """Numbers of which windows that are full of such a shift find it, up or down."""
    shared_tables = SharedTables.of(plan)
    bank, alpha = shared_tables.bank, shared_tables.budget.window_alpha
    found = set(plan.layout.numeric.tolist())
    for way in (sd, -sd):
        counts = np.zeros(plan.layout.width, np.int64)
        counts[0] = events
        for index in range(len(plan.monitored)):
            counts[plan.layout.slice(index)] = _moved(plan, index, way, events)
        result = bank.test(counts, alpha)
        found &= set(result.signal[result.found].tolist())
    return {plan.monitored[index].name for index in found}


def _moved(plan: Plan, index: int, sd: float, events: int) -> npt.NDArray[np.int64]:
    """Counts that are expected of a signal, of numbers with all values moved by so much."""
    signal = plan.monitored[index]
    expected = signal.counts * (events / max(1, plan.reference.events))
    size = signal.binning.missing
    known = int(signal.counts[:size].sum())
    if signal.kind == "numeric" and known:
        normal = NormalDist()
        below = np.cumsum(signal.counts[:size])[:-1] / known
        moved = [normal.cdf(normal.inv_cdf(p) - sd) if 0.0 < p < 1.0 else p for p in below.tolist()]
        expected[:size] = np.diff([0.0, *moved, 1.0]) * expected[:size].sum()
    upto = np.rint(np.cumsum(expected)).astype(np.int64)
    counts: npt.NDArray[np.int64] = np.diff(upto, prepend=0)
    return counts


def _by_panes_alone(plan: Plan, names: Collection[str]) -> str:
    """Of which of these numbers windows find no change of values."""
    shared_tables = SharedTables.of(plan)
    fill = fill_of(plan, shared_tables.budget)
    able = set(shared_tables.bank.chosen) if fill.events >= fill.min_events else set()
    able -= {(each.signal, each.test) for each in shared_tables.powerless}
    seen = {plan.monitored[i].name for i, test in able if not test.endswith("_rate")}
    alone = [signal.name for signal in plan.monitored if signal.name in set(names) - seen]
    if not alone:
        return ""
    who = "" if len(alone) == len(names) else f"{some_of(alone, _NAMED)} "
    return f" ({who}by what follows every pane alone: adwin, edetector)"


def lasting(plan: Plan, events: float) -> str:
    """So many events, and how long they take: two digits are all that is known."""
    weekly = plan.reference.events_per_week
    events = max(events, weekly / SharedTables.of(plan).budget.panes_per_week)
    digit = 10.0 ** max(0, math.floor(math.log10(events)) - 1)
    ms = events * WEEK_MS / weekly
    unit = next((u for u in (DAY_MS, HOUR_MS, 60_000) if ms >= 2 * u), 1_000)
    lasts = duration(math.ceil(ms / unit) * unit)
    return f"{math.ceil(events / digit) * digit:,.0f} events, {lasts}"
