"""How soon a shift would be told, in words: from the rate of a reference and the budget."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stream.plans.plan import Plan

__all__ = ["delay_words", "foretold"]

_WEEK_MS: Final = 604_800_000
#: Standard deviations by which values move.
_ONE, _HALF = 1.0, 0.5
#: Nine in ten simulated delays are below so many times the median.
_NINE_IN_TEN: Final = 1.5
#: Half of the weight of a signal's evidence is its values', the other half its rates'.
_OF_VALUES: Final = 2.0
#: What takes more windows is not foretold: windows may find it before.
_MOST_WINDOWS: Final = 10
#: Signals so many times slower than the fastest are told apart.
_SLOWER: Final = 4.0
_NAMED: Final = 3


def delay_words(plan: Plan) -> list[str]:
    """Sentences about a shift of the numbers that are followed pane by pane."""
    from stream.monitoring.equipment import Equipment

    if plan.reference.calendar is not None:
        return ["how soon a shift is told is not foretold where hours are judged by themselves"]
    weekly, one = plan.reference.events_per_week, foretold(plan, _ONE)
    if not one:
        return []
    least = weekly / Equipment.of(plan).budget.panes_per_week
    limit = _MOST_WINDOWS * plan.window_events
    slow = {name: n for name, n in one.items() if n > min(limit, _SLOWER * min(one.values()))}
    words = []
    if len(slow) < len(one):
        half = max(n for name, n in foretold(plan, _HALF).items() if name not in slow)
        most = max(n for name, n in one.items() if name not in slow)
        of_half = f"; one of {_HALF:g} within about {_span(half, weekly, least)}"
        words.append(
            f"a shift of {_ONE:g} standard deviation is told within about "
            f"{_span(most, weekly, least)}{of_half if half <= limit else ''}"
        )
    if slow:
        slowest = sorted(slow, key=slow.__getitem__, reverse=True)[:_NAMED]
        each = [
            f"{name} ({'not within' if slow[name] > limit else 'about'} "
            f"{_span(min(limit, slow[name]), weekly, least)})"
            for name in slowest
        ]
        more = f" and {len(slow) - len(each)} more" if len(slow) > len(each) else ""
        words.append(
            f"a shift of {_ONE:g} standard deviation is told later, as rows say less, of "
            f"{', '.join(each)}{more}"
        )
    return words


def foretold(plan: Plan, sd: float) -> dict[str, float]:
    """Events within which a shift of each number is told, nine times in ten."""
    from detectors.sequential.delay import events_until_found
    from stream.monitoring.equipment import Equipment

    equipment = Equipment.of(plan)
    budget = equipment.budget
    followed = [index for index in plan.layout.numeric.tolist() if equipment.edetector_on[index]]
    a_pane = plan.reference.events_per_week / budget.panes_per_week
    return {
        plan.monitored[index].name: _NINE_IN_TEN * events_until_found(
            plan.monitored[index], sd, threshold=_OF_VALUES * budget.edetector_threshold,
            z=budget.edetector_z, events_a_pane=a_pane,
        )
        for index in followed
    }  # fmt: skip


def _span(events: float, weekly: int, least: float) -> str:
    """So many events, and how long they take: two digits are all that is known."""
    from stream.alerts.sentences import duration

    events = max(events, least)
    digit = 10.0 ** max(0, math.floor(math.log10(events)) - 1)
    ms = events * _WEEK_MS / weekly
    unit = next((u for u in (86_400_000, 3_600_000, 60_000) if ms >= 2 * u), 1_000)
    lasts = duration(math.ceil(ms / unit) * unit)
    return f"{math.ceil(events / digit) * digit:,.0f} events, {lasts}"
