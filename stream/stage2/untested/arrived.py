"""What is not tested of a stream, by what of it came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from detectors import WINDOWED_TESTS
from stream.plans.plan import LearningPlan, Plan
from stream.stage2.detection import Watch
from stream.stage2.shared_tables import Equipment
from stream.stage2.untested.planned import followed_after, untested_by_plan
from stream.stage2.untested.reasons import Untested, listed

if TYPE_CHECKING:
    from stream.stage2.phase import Course

__all__ = ["AtEnd", "untested_at_end", "untested_now"]

#: A file's last events that filled no window are told of if they are more than one in so many.
_TAIL: Final = 5
_NO_EVENTS: Final = Untested("no_events", "no event came in time to be counted")


class AtEnd(NamedTuple):
    """What was not tested of a stream that ended, and whether anything was."""

    tested: bool
    untested: list[Untested]


def untested_now(course: Course) -> list[Untested]:
    """What is not tested of a stream that goes on."""
    watch = course.watch
    if watch is None:
        return [_studied(course)]
    found = untested_by_plan(watch.plan)
    if "" in watch.windows.last or watch.skipped.in_a_row:  # what came says more than a plan
        found = [each for each in found if each.reason != "few_events"]
    return [*_skipped(watch), *_stopped(watch), *_segments(watch), *found]


def untested_at_end(course: Course | None) -> AtEnd:
    """What was not tested of a stream that has ended."""
    if course is None:
        return AtEnd(False, [_NO_EVENTS])
    watch = course.watch
    if watch is None:
        return AtEnd(False, [_studied(course)])
    found = untested_now(course)
    windows = "" in watch.windows.last
    followed = {} if watch.plan.cycle_ms else _followed(watch)
    short = [name for name, (seen, needed) in followed.items() if seen < needed]
    largest = {} if watch.plan.cycle_ms else _followed(watch, whole=True)
    tested = windows and _sees(watch, found)
    tested = tested or any(seen >= needed for seen, needed in largest.values())
    if not windows and not watch.skipped.in_a_row:
        found = [each for each in found if each.reason != "few_events"]
        found.insert(0, _unfilled(watch, short, everything=not tested))
    elif windows:
        found = [*_tail(watch), *_too_short(short), *found]
    return AtEnd(tested, found)


def _studied(course: Course) -> Untested:
    missing = "" if course.study is None else course.study.missing()
    if isinstance(course.plan, LearningPlan):
        return Untested("learning", f"the reference was not learned yet: {missing}")
    return Untested("calibrating", f"dependence was not measured yet: {missing}")


def _skipped(watch: Watch) -> Iterator[Untested]:
    if not (windows := watch.skipped.in_a_row):
        return
    rule, plan = watch.windows.rule, watch.plan
    last = "the last window" if windows == 1 else f"the last {windows:,} windows"
    tests = windowed(plan) if not plan.cycle_ms and _is_followed(plan) else ()
    remedy = "Lower window.min_events" if plan.cycle_ms else "Lengthen window.max_age"
    yield Untested(
        "few_events",
        f"{last} held fewer than {rule.least_events:,} events (window.min_events) and could not be "
        f"tested. {remedy}, or look for what stopped coming",
        (), tests,
    )  # fmt: skip


def _is_followed(plan: Plan) -> bool:
    """Whether some signal has a test that follows every pane."""
    equipment = Equipment.of(plan)
    return bool((equipment.adwin_on | equipment.edetector_on).any())


def windowed(plan: Plan) -> tuple[str, ...]:
    """Names of the plan's tests that need windows."""
    on = {test for _, test in Equipment.of(plan).bank.chosen}
    return tuple(test for test in WINDOWED_TESTS if test in on)


def _stopped(watch: Watch) -> Iterator[Untested]:
    """Signals of which no value came."""
    window = watch.windows.last.get("")
    if window is None:
        return
    names = []
    for index, signal in enumerate(watch.plan.monitored):
        end = signal.binning.missing
        counts = window.counts[watch.layout.slice(index)]
        if not counts[:end].any() and signal.counts[:end].any():
            names.append(signal.name)
    if names:
        yield Untested(
            "stopped",
            f"{listed(names)}: no value came in the last window that was tested, so that nothing "
            "of its values was",
            tuple(names),
        )


def _segments(watch: Watch) -> Iterator[Untested]:
    names = watch.skipped.segments
    if not names:
        return
    least = watch.windows.rule.least_events
    of = sorted({name.split("=", 1)[0] for name in names})
    which = "1 segment" if len(names) == 1 else f"{len(names):,} segments"
    yield Untested(
        "segments",
        f"{which} of {listed(of)} had fewer than {least:,} events in the last window "
        "(window.min_events) and are tested as part of the whole stream only",
        tests=windowed(watch.plan), amount=len(names),
    )  # fmt: skip


def _followed(watch: Watch, *, whole: bool = False) -> dict[str, tuple[int, float]]:
    """Events that came of each signal that is followed pane by pane, and how many it takes."""
    after = followed_after(watch.plan, Equipment.of(watch.plan), whole=whole)
    index_of = {signal.name: index for index, signal in enumerate(watch.plan.monitored)}
    seen = {}
    for name, needed in after.items():
        sums = watch.changes.history.of(index_of[name]).sum(axis=0)
        seen[name] = int(sums[0]), needed
    watch.changes.history.release()
    return seen


def _unfilled(watch: Watch, short: list[str], *, everything: bool) -> Untested:
    """No window was filled, and the file is at its end."""
    filling = watch.windows.filling.get("")
    events = 0 if filling is None else filling.events
    said = (
        f"no window was filled: it takes {watch.windows.rule.events:,} events, and {events:,} came"
    )
    if everything:
        if short:
            said += f"; too few also for the tests without windows ({listed(short)})"
        return Untested("unfilled", said)
    if short:
        said += (
            f". Of {listed(short)} too few values came for the other tests to find even that half "
            "of them had moved"
        )
    return Untested("unfilled", said, (), windowed(watch.plan))


def _sees(watch: Watch, untested: list[Untested]) -> bool:
    """Whether some test of the windows can find something."""
    names = [signal.name for signal in watch.plan.monitored]
    chosen = {(names[i], test) for i, test in Equipment.of(watch.plan).bank.chosen}
    return bool(
        chosen - {(name, t) for each in untested for name in each.signals for t in each.tests}
    )


def _too_short(short: list[str]) -> Iterator[Untested]:
    if short:
        yield Untested(
            "few_events",
            f"{listed(short)}: too few values came for the tests without windows to find even that "
            "half of them had moved",
            tuple(short), ("adwin", "edetector"),
        )  # fmt: skip


def _tail(watch: Watch) -> Iterator[Untested]:
    """Events after the last window that was tested, if they are many."""
    filling = watch.windows.filling.get("")
    events = int(watch.changes.history.of(0)[:, 0].sum()) if len(watch.changes.history) else 0
    watch.changes.history.release()
    if filling is None or filling.events * _TAIL <= events:
        return
    yield Untested(
        "unfilled",
        f"the last {filling.events:,} events filled no window (of "
        f"{watch.windows.rule.events:,}): tests of windows have not seen them",
        (), windowed(watch.plan),
    )  # fmt: skip
