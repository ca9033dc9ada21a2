"""What a replay's report says in sentences: its lead, its warnings, its windows."""

from __future__ import annotations

from collections.abc import Sequence

from stream.alerts.sentences import duration
from stream.counted import counted
from stream.monitoring.untested import AtEnd
from stream.plans.notes import other_notes
from stream.plans.plan import Plan
from stream.report.model import Episode
from stream.report.phrases import from_start

__all__ = ["gaps_of", "lead_of_replay", "warnings_of_replay", "window_words"]


def gaps_of(untested: AtEnd) -> int:
    """Where a change would go unseen: not what is told late, which is tested."""
    return sum(each.is_gap and each.reason != "slow" for each in untested.untested)


def lead_of_replay(episodes: int, firing: int, drifted: Sequence[str], untested: AtEnd) -> str:
    """The first sentence of a replay's report."""
    if not episodes and not untested.tested:
        return "Nothing was tested."
    if not episodes:
        limited = " in what was tested" if gaps_of(untested) else ""
        return f"No drift: no episode opened{limited}."
    names = ", ".join(drifted[:5]) + (f" and {len(drifted) - 5} more" if len(drifted) > 5 else "")
    state = f"{firing} still firing" if firing else "all resolved"
    return f"{counted(episodes, 'episode')} opened, {state}. Drift in {names}."


def warnings_of_replay(plan: Plan, untested: AtEnd, episodes: Sequence[Episode]) -> tuple[str, ...]:
    """What limits the report's worth: the reference's own, and where silence says nothing."""
    gaps = gaps_of(untested)
    said = [*other_notes(plan), *filter(None, map(from_start, episodes))]
    if gaps:
        said.append(
            f"Not all was tested ({counted(gaps, 'gap')}, named below under "
            "what was tested): there, silence says nothing."
        )
    return tuple(said)


def window_words(plan: Plan) -> str:
    """How long a window is."""
    if plan.cycle_ms:
        return f"one for each {duration(plan.cycle_ms)}"
    return f"of {plan.window_events:,} events or {duration(plan.window_max_age_ms)}"
