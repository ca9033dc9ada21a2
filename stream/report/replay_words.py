"""What a replay and its report say in sentences: lead, warnings, windows, and what was not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from stream.contracts.alert_event import AlertEvent
from stream.contracts.event_time import time_text
from stream.plans.plan import Plan
from stream.report.model import Episode
from stream.report.phrases import from_start
from stream.stage1.stats import Stage1Stats
from stream.stage2.plan_notes import other_notes
from stream.stage2.untested import AtEnd
from stream.text.counted import counted, some_of
from stream.text.durations import duration
from stream.text.printable import printable
from stream.text.row_problems import RowProblems

__all__ = [
    "early_signals",
    "gaps_of",
    "lead_of_replay",
    "limits_of_replay",
    "warnings_of_replay",
    "window_words",
]

_DAY_S: Final = 86_400
_NAMED: Final = 5


def gaps_of(untested: AtEnd) -> int:
    """Where a change would go unseen: not what is found late, which is tested."""
    return sum(each.is_gap and each.reason != "slow" for each in untested.untested)


def lead_of_replay(episodes: int, firing: int, drifted: Sequence[str], untested: AtEnd) -> str:
    """The first sentence of a replay's report."""
    if not episodes and not untested.tested:
        return "Nothing was tested."
    if not episodes:
        limited = " in what was tested" if gaps_of(untested) else ""
        return f"No drift: no episode opened{limited}."
    names = some_of([f"'{printable(name)}'" for name in drifted], _NAMED)
    state = f"{firing} still firing" if firing else "all resolved"
    return f"{counted(episodes, 'episode')} opened, {state}. Drift in {names}."


def warnings_of_replay(plan: Plan, untested: AtEnd, episodes: Sequence[Episode]) -> tuple[str, ...]:
    """What limits the report's worth: the reference's own, and where silence says nothing."""
    gaps = gaps_of(untested)
    warnings = [*other_notes(plan), *filter(None, map(from_start, episodes))]
    if gaps:
        warnings.append(
            f"Not all was tested ({counted(gaps, 'gap')}, named below under "
            "what was tested): there, silence says nothing."
        )
    return tuple(warnings)


def window_words(plan: Plan) -> str:
    """How long a window is."""
    if plan.cycle_ms:
        return f"one for each {duration(plan.cycle_ms)}"
    return f"of {plan.window_events:,} events or {duration(plan.window_max_age_ms)}"


def early_signals(alert: AlertEvent, before: AlertEvent | None) -> list[str]:
    """Signals of which an alert says, as the revision before did not, that they never fitted."""
    published = [] if before is None else before.data.signals
    known = {signal.name for signal in published if signal.from_start}
    early = (signal.name for signal in alert.data.signals if signal.from_start)
    return [name for name in early if name not in known]


def limits_of_replay(
    stats: Stage1Stats, untested: AtEnd, refused: RowProblems, early: Sequence[str], now_s: float
) -> Iterator[str]:
    """A line for all that was not tested, not counted or may be wrong; `early` never fitted."""
    yield from (each.warning for each in untested.untested)
    yield from refused.warnings()
    if late := sum(stats.late.values()):
        came = f"{counted(late, 'event')} came too late to be counted"
        yield f"warning: {came}. Sort the rows by their time."
    if stats.max_time_ms > (now_s + _DAY_S) * 1000:
        yield (
            f"warning: an event is of {time_text(stats.max_time_ms)} UTC, which is yet to come. A "
            "worker would refuse it; here it is judged last and alone. Correct its time."
        )
    if early:
        are = "are" if len(early) > 1 else "is"
        yield (
            f"warning: {', '.join(early)} {are} different from the reference from the start: is it "
            "the right reference?"
        )
