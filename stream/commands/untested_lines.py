"""What is not tested, and what is tested but told late: as fit, check and replay say both.

Late is what takes more than two weeks. How late it is told of numbers is what `fit` foretells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stream.monitoring.untested import Untested
    from stream.plans.plan import AnyPlan

__all__ = ["late_signals", "line", "warning", "with_delays"]

_WEEK_MS: Final = 604_800_000
_LATE_MS: Final = 14 * 86_400_000
_HELPS: Final = "More events, fewer signals or a larger false_alarms_per_week make it sooner"


def warning(each: Untested) -> str:
    """The line as a warning, or as a note where nothing goes unseen."""
    return f"{'warning' if each.is_gap else 'note'}: {line(each)}"


def line(each: Untested) -> str:
    """The words, behind what they are about: what is told late is tested all the same."""
    return f"{'told late' if each.reason == 'slow' else 'not tested'}: {each.words}"


def late_signals(found: Sequence[Untested]) -> set[str]:
    """Signals of which even a large change is told late."""
    return {name for each in found if each.reason == "slow" for name in each.signals}


def with_delays(found: Sequence[Untested], plan: AnyPlan) -> list[Untested]:
    """The same, where what is late says how late it is told."""
    return [told for each in found for told in _with_delay(each, plan)]


def _with_delay(each: Untested, plan: AnyPlan) -> Iterator[Untested]:
    from stream.commands.fit_delay import delay_words, told_within
    from stream.monitoring.equipment import Equipment
    from stream.monitoring.powerless import fill_of
    from stream.monitoring.untested.planned import followed_after
    from stream.monitoring.untested.reasons import days, listed
    from stream.plans.plan import LearningPlan

    if each.reason != "slow" or isinstance(plan, LearningPlan):
        yield each
        return
    equipment, weekly = Equipment.of(plan), plan.reference.events_per_week
    if not each.signals:
        fill = fill_of(plan, equipment.budget)
        yield each._replace(
            words=f"a window of {fill.events:,.0f} events fills in {days(fill.ms)} at the "
            "reference's rate: what windows alone find, such as a change of shape, is told that "
            "late. Lower window.events to find it sooner, and larger changes only"
        )
        return
    foretold = {} if plan.reference.calendar is not None else told_within(plan, 1.0)
    late = [n for n in each.signals if foretold.get(n, 0.0) * _WEEK_MS > _LATE_MS * weekly]
    if late:
        words = "; ".join(delay_words(plan, late))
        yield each._replace(words=f"{listed(late)}: {words}. {_HELPS}", signals=tuple(late))
    if rest := [name for name in each.signals if name not in foretold]:
        after = followed_after(plan, equipment)
        most = days(max(after[name] for name in rest) * _WEEK_MS / weekly)
        yield each._replace(
            words=f"{listed(rest)}: it may take up to {most} at the reference's rate until even "
            f"that half of all values moved is told. {_HELPS}",
            signals=tuple(rest),
        )
