"""What a plan will not test, by its reference and the rate of events in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from detectors import WINDOWED_TESTS
from detectors.outcomes.fairness import FEWEST_EVENTS
from detectors.references.slots import LEAST_ROWS
from detectors.sequential.power import adwin_needs, edetector_needs
from detectors.sequential.slot_days import LEAST_VALUES
from detectors.windowed.coarsening import MOST_BY_BIN
from detectors.windowed.power import OF_VALUES, Powerless, known_values, moved_windows
from stream.alerts.sizes import FAIRNESS, RELATION
from stream.plans.plan import AnyPlan, LearningPlan, Plan
from stream.plans.slots import DAY
from stream.stage2.delay import delay_words, told_within
from stream.stage2.powerless import MONDAY_MS, Fill, fill_of
from stream.stage2.shared_tables import SharedTables
from stream.stage2.untested.parts import parts_by_plan
from stream.stage2.untested.reasons import (
    Reason,
    Untested,
    days,
    listed,
    tests_named,
)
from stream.stage2.windows import MAX_CYCLES
from stream.text.counted import counted
from stream.text.durations import DAY_MS, HOUR_MS, WEEK_MS, short_duration
from stream.text.fairness_words import disparity_signal, rate_name

__all__ = ["followed_after", "untested_by_plan"]

#: What is found this late is as good as not tested, so it is reported.
_LATE_MS: Final = 14 * DAY_MS
_SOONER: Final = "More events, fewer signals or a larger false_alarms_per_week make it sooner"
#: What sees the same change where a test cannot be made.
_INSTEAD: Final[Mapping[Reason, tuple[str, ...]]] = {
    "constant": ("unseen_rate", "range_rate"), "few_groups": ("name_share", "edetector", "adwin"),
}  # fmt: skip
#: Events of the panes that follow a change, until it is found.
_PANES: Final = tuple(10 * 2**i for i in range(22))
_KNOWN: WeakKeyDictionary[SharedTables, list[Untested]] = WeakKeyDictionary()


def untested_by_plan(plan: AnyPlan) -> list[Untested]:
    """What will not be tested, before the first event."""
    if isinstance(plan, LearningPlan):
        least = short_duration(max(plan.calibrate_ms, 5 * plan.cycle_ms, 50 * plan.pane_ms))
        return [
            Untested(
                "learning",
                "nothing is tested while the reference is learned: for "
                f"{plan.learn.warm_up:,} events and at least {least} of event time",
            )
        ]
    found = []
    if plan.calibrate_ms:
        found.append(
            Untested(
                "calibrating",
                f"nothing is tested for {short_duration(plan.calibrate_ms)} of event time, while "
                "dependence is measured (calibrate)",
            )
        )
    shared_tables = SharedTables.of(plan)
    if shared_tables not in _KNOWN:
        _KNOWN[shared_tables] = [
            *_of_windows(plan, shared_tables),
            *_of_slots(plan),
            *_of_days(plan, shared_tables),
            *_of_tests(plan, shared_tables),
            *_of_outcomes(plan),
            *_of_fairness(plan),
            *parts_by_plan(plan),
            *_of_causes(plan),
        ]
    return found + _KNOWN[shared_tables]


def _of_outcomes(plan: Plan) -> Iterator[Untested]:
    """Whether predictions are right, where events have both but nothing is counted of them."""
    of_role = {signal.role: signal.name for signal in plan.reference.signals}
    if "actual" not in of_role or not of_role.keys() & {"label", "score"}:
        return
    known, actual = plan.reference.outcome, of_role["actual"]
    tests = (RELATION,)
    if known is None:
        yield Untested(
            "outcomes",
            f"whether predictions are right by {actual}: the reference has no outcomes, and the "
            "warnings of fit say why; one that was learned or fitted before there were has none",
            (actual,),
            tests,
        )
    elif plan.outcome is None:
        off = sorted(known.signals - {signal.name for signal in plan.monitored})
        yield Untested(
            "outcomes",
            f"whether predictions are right: {listed(off)} is not monitored. Monitor it",
            (actual,),
            tests,
        )
    elif known.cells.task == "regression" and not known.cells.score_bins:
        yield Untested(
            "outcomes",
            f"whether {actual} still follows what the regression says: the reference was fitted "
            "before that was counted. Fit it again; larger errors are found",
            (actual,),
            tests,
            is_gap=False,
        )


def _of_fairness(plan: Plan) -> Iterator[Untested]:
    """Disparities that are never found: growth since the reference takes two values of it."""
    for of in plan.fairness:
        few = [rate for rate in of.rates if of.reference.judged(rate) < 2]
        if few:
            yield Untested(
                "fairness",
                f"{listed([rate_name(rate) for rate in few])} by {of.column}: the reference has "
                f"fewer than two values with {FEWEST_EVENTS} such outcomes. Fit it on more rows",
                tuple(disparity_signal(of.column, name) for name in of.disparities_of(few)),
                (FAIRNESS,),
            )


def _of_causes(plan: Plan) -> Iterator[Untested]:
    """Which input explains a move of the prediction, where the reference cannot tell."""
    roles = {signal.role for signal in plan.reference.signals}
    if "feature" not in roles or not roles & {"label", "score"}:
        return
    joint, what = plan.reference.joint, "which input explains a move of the prediction"
    if joint is None:
        words = (
            f"{what} is not known: the reference has no counts of inputs by prediction, as one "
            "that was learned, made of production or fitted before they were kept; fit again"
        )
    elif joint.said not in {signal.name for signal in plan.monitored}:
        words = f"{what} is not known: {joint.said} is not monitored"
    elif joint.left_out:
        words = (
            f"{what} is not known of {counted(joint.left_out, 'input')}: the reference has counts "
            f"of the {len(joint.features)} that go most closely with it"
        )
    else:
        return
    yield Untested("causes", words, is_gap=False)


def followed_after(
    plan: Plan, shared_tables: SharedTables, *, whole: bool = False
) -> dict[str, float]:
    """Events after which a large change of a signal is found by the tests that follow every pane.

    Half of its values went to one place, or with `whole` all of them: no change is larger.

    To within a factor of two, of the signals that have one and values that can move; infinite
    where it never is.
    """
    signals, rows = plan.monitored, plan.reference.events
    tried = [moved_windows(signals, plan.layout, rows, n, whole=whole) for n in _PANES]
    changes = [[_pane(plan, one) for one in panes] for panes in zip(*tried, strict=True)][
        :OF_VALUES
    ]
    needs = edetector_needs(shared_tables.edetector(), shared_tables.shares, changes, len(signals))
    after = {}
    for i, signal in enumerate(signals):
        if known_values(signal) < 2:
            continue
        if shared_tables.edetector_on[i]:
            after[signal.name] = float(needs[i])
        elif shared_tables.adwin_on[i]:
            effect = signal.calibration.effect(signal.counts)
            after[signal.name] = adwin_needs(shared_tables.budget.adwin_delta(2.0), effect)
    return after


def _pane(plan: Plan, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The counts with what a calendar tells of a pane."""
    if (calendar := plan.reference.calendar) is None:
        return counts
    place = calendar.place(MONDAY_MS, calendar.longest_pane_ms)
    return np.append(counts, calendar.told(place, MONDAY_MS, int(counts[0])))


def _of_tests(plan: Plan, shared_tables: SharedTables) -> Iterator[Untested]:
    """Tests that can find nothing in windows of the size that is expected."""
    events = fill_of(plan, shared_tables.budget).tested
    groups: dict[tuple[Reason, tuple[str, ...], str], list[int]] = {}
    blind: dict[int, list[Powerless]] = {}
    for each in shared_tables.powerless:
        blind.setdefault(each.signal, []).append(each)
    chosen: dict[int, set[str]] = {}
    for index, test in shared_tables.bank.chosen:
        chosen.setdefault(index, set()).add(test)
    for index, found in blind.items():
        able = {*chosen[index], *_sequential(shared_tables, index)} - {each.test for each in found}
        for why in dict.fromkeys(each.why for each in found):
            tests = tuple(each.test for each in found if each.why == why)
            instead = next((test for test in _INSTEAD.get(why, ()) if test in able), "")
            groups.setdefault((why, tests, instead), []).append(index)
    for (reason, tests, instead), indices in groups.items():
        names = tuple(plan.monitored[i].name for i in indices)
        words = _words(plan, reason, tests, indices, events)
        if instead:
            words += f"; {instead} finds what changes there"
        yield Untested(reason, words, names, tests, is_gap=not instead)


def _of_slots(plan: Plan) -> Iterator[Untested]:
    """Slots that hold too few rows of a signal to be compared with."""
    found: dict[int, list[str]] = {}
    for signal in plan.monitored:
        if signal.slots is not None:
            rows = signal.slots.counts.sum(axis=1)
            if few := int((rows < LEAST_ROWS).sum()):
                found.setdefault(few, []).append(signal.name)
    for few, names in found.items():
        slots = "1 slot" if few == 1 else f"{few:,} slots"
        yield Untested(
            "few_in_slot",
            f"{listed(names)}: {slots} of the week hold fewer than {LEAST_ROWS} rows of the "
            "reference: those hours are compared with all hours, not with themselves. Fit on more "
            "weeks",
            tuple(names),
        )


def _of_days(plan: Plan, shared_tables: SharedTables) -> Iterator[Untested]:
    """Signals of which a usual day holds too few values to be tested by itself."""
    if shared_tables.days is None:
        return
    of_days = zip(plan.layout.numeric.tolist(), shared_tables.days.values.tolist(), strict=True)
    few = [i for i, values in of_days if values < LEAST_VALUES and shared_tables.day_on[i]]
    if few:
        names = tuple(plan.monitored[i].name for i in few)
        yield Untested(
            "few_values",
            f"{listed(names)}: a usual day holds fewer than {LEAST_VALUES} values, too few to be "
            "tested by itself: a single odd day is not told, what lasts is found by other tests",
            names,
            (DAY,),
            is_gap=False,
        )


def _sequential(shared_tables: SharedTables, index: int) -> tuple[str, ...]:
    """Names of the tests of a signal that follow every pane."""
    adwin, edetector = shared_tables.adwin_on[index], shared_tables.edetector_on[index]
    return ("adwin",) * bool(adwin) + ("edetector",) * bool(edetector)


def _words(plan: Plan, why: Reason, tests: tuple[str, ...], indices: list[int], events: int) -> str:
    signals = [plan.monitored[i] for i in indices]
    names, which = listed([s.name for s in signals]), tests_named(tests)
    if why == "no_values":
        return (
            f"{names}: the reference has no value, so nothing can be compared with it ({which}). "
            "Fit on data that has values, or leave it out"
        )
    if why == "constant":
        return f"{names}: the reference has one value only: {which} has nothing to compare"
    if why == "few_groups":
        enough = max(_for_two_groups(plan, i) for i in indices)
        more = f" with window.events below {enough:,}" if enough <= MOST_BY_BIN else ""
        return (
            f"{names}: nearly all rows of the reference are alike, and a window of {events:,} "
            f"events is expected to hold fewer than 5 others: {which} cannot be made{more}"
        )
    if why == "few_values":
        return (
            f"{names}: few events have it, and a window of {events:,} events holds too few for "
            f"{which}. Raise window.events"
        )
    if why == "no_room":
        return f"{names}: most rows of the reference are counted by {which}, which cannot rise much"
    if why == "dependence":
        return (
            f"{names}: depends on its past for so long that {which} would not find in a window of "
            f"{events:,} events that half of all values had moved. Raise window.events"
        )
    return (
        f"{names}: {plan.reference.events:,} rows of the reference are too few for {which} to find "
        f"in a window of {events:,} events that half of all values had moved. Fit on more rows"
    )


def _for_two_groups(plan: Plan, index: int) -> int:
    """Events of a window that is expected to hold 5 that are not like most."""
    counts = plan.monitored[index].counts
    others = int(counts.sum() - counts.max())
    return -(-5 * int(counts.sum()) // max(1, others))


def _of_windows(plan: Plan, shared_tables: SharedTables) -> Iterator[Untested]:
    """Windows that hold too few events to be tested, or take weeks to hold enough."""
    fill = fill_of(plan, shared_tables.budget)
    if not fill.ms:
        return
    weekly = plan.reference.events_per_week
    windowed = tuple(
        t for t in WINDOWED_TESTS if any(t == test for _, test in shared_tables.bank.chosen)
    )
    after = {} if plan.cycle_ms else followed_after(plan, shared_tables)
    late = {n: e * WEEK_MS / weekly for n, e in after.items() if np.isfinite(e)}
    if fill.events < fill.min_events:
        tests = windowed if late else ()
        yield Untested("few_events", _too_few(plan, fill, weekly, list(late)), (), tests)
    elif fill.ms > _LATE_MS:
        yield Untested(
            "slow",
            f"a window of {fill.events:,.0f} events fills in {days(fill.ms)} at the "
            "reference's rate: what windows alone find, such as a change of shape, is told that "
            "late. Lower window.events to find it sooner, and larger changes only",
            (),
            windowed,
        )
    yield from _late(plan, {name: ms for name, ms in late.items() if ms > _LATE_MS})


def _late(plan: Plan, slow: Mapping[str, float]) -> Iterator[Untested]:
    """Signals of which panes find even a large change only after so many ms: when it is found."""
    tests = ("adwin", "edetector")
    weekly = plan.reference.events_per_week
    foretold = told_within(plan, 1.0) if slow and plan.reference.calendar is None else {}
    late = [name for name in slow if foretold.get(name, 0.0) * WEEK_MS > _LATE_MS * weekly]
    if late:
        words = "; ".join(delay_words(plan, late))
        yield Untested("slow", f"{listed(late)}: {words}. {_SOONER}", tuple(late), tests)
    if rest := [name for name in slow if name not in foretold]:
        most = days(max(slow[name] for name in rest))
        yield Untested(
            "slow",
            f"{listed(rest)}: it may take up to {most} at the reference's rate until even that "
            f"half of all values moved is told. {_SOONER}",
            tuple(rest),
            tests,
        )


def _too_few(plan: Plan, fill: Fill, weekly: int, followed: list[str]) -> str:
    span_ms = plan.cycle_ms or plan.window_max_age_ms
    events = weekly * span_ms / WEEK_MS
    what = "a cycle" if plan.cycle_ms else "a window"
    key = "" if plan.cycle_ms else " (window.max_age)"
    said = (
        f"{what} of {short_duration(span_ms)}{key} holds about {events:,.0f} events at the "
        f"reference's rate, and tests need {fill.min_events:,} (window.min_events)"
    )
    if plan.cycle_ms:
        return (
            f"{said}, more than {MAX_CYCLES} cycles hold: nothing will be tested. Lower "
            "window.min_events, or watch without a cycle."
        )
    least_ms = -(-span_ms * fill.min_events // max(1, round(events)))
    unit = DAY_MS if least_ms > DAY_MS else HOUR_MS
    remedy = f"Set max_age to {short_duration(-(-least_ms // unit) * unit)} or more."
    if not followed:
        return f"{said}: nothing will be tested. {remedy}"
    return (
        f"{said}: no window will be tested, {listed(followed)} only by what follows every pane "
        f"(adwin, edetector). {remedy}"
    )
