"""What is not tested of a stream, by what of it came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from detectors import WINDOWED_TESTS
from detectors.outcomes.fairness import FEWEST_EVENTS
from detectors.references.segments import segment_of
from stream.alerts.sizes import FAIRNESS
from stream.plans.plan import LearningPlan, Plan
from stream.stage2.detection import Detection
from stream.stage2.fairness_tests import MAX_WINDOWS, RateTest
from stream.stage2.shared_tables import SharedTables
from stream.stage2.untested.parts import parts_now
from stream.stage2.untested.planned import followed_after, untested_by_plan
from stream.stage2.untested.reasons import Untested, listed
from stream.text.fairness_words import disparity_signal, rate_name

if TYPE_CHECKING:
    from stream.stage2.phase import PlanPhase

__all__ = ["AtEnd", "untested_at_end", "untested_now"]

#: The last events of a file fill no window: reported if they are over one in `_TAIL` of all.
_TAIL: Final = 5
_NO_EVENTS: Final = Untested("no_events", "no event came in time to be counted")


class AtEnd(NamedTuple):
    """What was not tested of a stream that ended, and whether anything was."""

    tested: bool
    untested: list[Untested]


def untested_now(phase: PlanPhase) -> list[Untested]:
    """What is not tested of a stream that goes on."""
    detection = phase.detection
    if detection is None:
        return [_warming_up(phase)]
    found = untested_by_plan(detection.plan)
    if "" in detection.windows.last or detection.skipped.in_a_row:  # events say more than a plan
        found = [each for each in found if each.reason != "few_events"]
    return [
        *_skipped(detection),
        *_stopped(detection),
        *_segments(detection),
        *parts_now(detection),
        *_of_fairness(detection),
        *found,
    ]


def untested_at_end(phase: PlanPhase | None) -> AtEnd:
    """What was not tested of a stream that has ended."""
    if phase is None:
        return AtEnd(False, [_NO_EVENTS])
    detection = phase.detection
    if detection is None:
        return AtEnd(False, [_warming_up(phase)])
    found = untested_now(phase)
    windows = "" in detection.windows.last
    followed = {} if detection.plan.cycle_ms else _followed(detection)
    short = [name for name, (seen, needed) in followed.items() if seen < needed]
    largest = {} if detection.plan.cycle_ms else _followed(detection, whole=True)
    tested = windows and _sees(detection, found)
    tested = tested or any(seen >= needed for seen, needed in largest.values())
    if not windows and not detection.skipped.in_a_row:
        found = [each for each in found if each.reason != "few_events"]
        found.insert(0, _unfilled(detection, short, everything=not tested))
    elif windows:
        found = [*_tail(detection), *_too_short(short), *found]
    return AtEnd(tested, found)


def _warming_up(phase: PlanPhase) -> Untested:
    missing = "" if phase.warmup is None else phase.warmup.missing()
    if isinstance(phase.plan, LearningPlan):
        return Untested("learning", f"the reference was not learned yet: {missing}")
    return Untested("calibrating", f"dependence was not measured yet: {missing}")


def _skipped(detection: Detection) -> Iterator[Untested]:
    if not (windows := detection.skipped.in_a_row):
        return
    rule, plan = detection.windows.rule, detection.plan
    last = "the last window" if windows == 1 else f"the last {windows:,} windows"
    tests = windowed(plan) if not plan.cycle_ms and _is_followed(plan) else ()
    remedy = "Lower window.min_events" if plan.cycle_ms else "Lengthen window.max_age"
    yield Untested(
        "few_events",
        f"{last} held fewer than {rule.min_tested_events:,} events (window.min_events) and could "
        f"not be tested. {remedy}, or look for what stopped coming",
        (),
        tests,
    )


def _is_followed(plan: Plan) -> bool:
    """Whether some signal has a test that follows every pane."""
    shared_tables = SharedTables.of(plan)
    return bool((shared_tables.adwin_on | shared_tables.edetector_on).any())


def windowed(plan: Plan) -> tuple[str, ...]:
    """Names of the plan's tests that need windows."""
    on = {test for _, test in SharedTables.of(plan).bank.chosen}
    return tuple(test for test in WINDOWED_TESTS if test in on)


def _stopped(detection: Detection) -> Iterator[Untested]:
    """Signals of which no value came."""
    window = detection.windows.last.get("")
    if window is None:
        return
    names = []
    for index, signal in enumerate(detection.plan.monitored):
        end = signal.binning.missing
        counts = window.counts[detection.layout.slice(index)]
        if not counts[:end].any() and signal.counts[:end].any():
            names.append(signal.name)
    if names:
        yield Untested(
            "stopped",
            f"{listed(names)}: no value came in the last window that was tested, so that nothing "
            "of its values was",
            tuple(names),
        )


def _segments(detection: Detection) -> Iterator[Untested]:
    names = detection.skipped.segments
    if not names:
        return
    min_events = detection.windows.rule.min_tested_events
    of = sorted(set(map(segment_of, names)))
    which = "1 segment" if len(names) == 1 else f"{len(names):,} segments"
    yield Untested(
        "segments",
        f"{which} of {listed(of)} had fewer than {min_events:,} events in the last window "
        "(window.min_events) and are tested as part of the whole stream only",
        tests=windowed(detection.plan),
        amount=len(names),
    )


def _of_fairness(detection: Detection) -> Iterator[Untested]:
    """Rates of which too few events of two values came."""
    by_column: dict[str, list[RateTest]] = {}
    for test in () if detection.fairness is None else detection.fairness.rates:
        if test.given_up:
            by_column.setdefault(test.of.column, []).append(test)
    for column, tests in by_column.items():
        of = tests[0].of
        yield Untested(
            "fairness",
            f"{listed([rate_name(test.rate) for test in tests])} by {column}: in {MAX_WINDOWS} "
            f"windows fewer than two values had {FEWEST_EVENTS} such outcomes. Larger windows "
            "(window.events) hold more",
            tuple(
                disparity_signal(column, name)
                for name in of.disparities_of([test.rate for test in tests])
            ),
            (FAIRNESS,),
        )


def _followed(detection: Detection, *, whole: bool = False) -> dict[str, tuple[int, float]]:
    """Events that came of each signal that is followed pane by pane, and how many it takes."""
    after = followed_after(detection.plan, SharedTables.of(detection.plan), whole=whole)
    index_of = {signal.name: index for index, signal in enumerate(detection.plan.monitored)}
    seen = {}
    for name, needed in after.items():
        sums = detection.changes.history.of(index_of[name]).sum(axis=0)
        seen[name] = int(sums[0]), needed
    detection.changes.history.release()
    return seen


def _unfilled(detection: Detection, short: list[str], *, everything: bool) -> Untested:
    """No window was filled, and the file is at its end."""
    filling = detection.windows.filling.get("")
    events = 0 if filling is None else filling.events
    needed = detection.windows.rule.events
    said = f"no window was filled: it takes {needed:,} events, and {events:,} came"
    if everything:
        if short:
            said += f"; too few also for the tests without windows ({listed(short)})"
        return Untested("unfilled", said)
    if short:
        said += (
            f". Of {listed(short)} too few values came for the other tests to find even that half "
            "of them had moved"
        )
    return Untested("unfilled", said, (), windowed(detection.plan))


def _sees(detection: Detection, untested: list[Untested]) -> bool:
    """Whether some test of the windows can find something."""
    names = [signal.name for signal in detection.plan.monitored]
    chosen = {(names[i], test) for i, test in SharedTables.of(detection.plan).bank.chosen}
    return bool(
        chosen - {(name, t) for each in untested for name in each.signals for t in each.tests}
    )


def _too_short(short: list[str]) -> Iterator[Untested]:
    if short:
        yield Untested(
            "few_events",
            f"{listed(short)}: too few values came for the tests without windows to find even that "
            "half of them had moved",
            tuple(short),
            ("adwin", "edetector"),
        )


def _tail(detection: Detection) -> Iterator[Untested]:
    """Events after the last window that was tested, if they are many."""
    filling = detection.windows.filling.get("")
    events = (
        int(detection.changes.history.of(0)[:, 0].sum()) if len(detection.changes.history) else 0
    )
    detection.changes.history.release()
    if filling is None or filling.events * _TAIL <= events:
        return
    yield Untested(
        "unfilled",
        f"the last {filling.events:,} events filled no window (of "
        f"{detection.windows.rule.events:,}): tests of windows have not seen them",
        (),
        windowed(detection.plan),
    )
