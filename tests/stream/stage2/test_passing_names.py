"""Names that come and go for longer than the reference shows: what is untested raises no alarm."""

from __future__ import annotations

import numpy as np
import pytest

from detectors import Reference, fit_reference
from stream.plans.plan import Plan
from stream.stage2.detection import Detection
from stream.stage2.panes import Sealed
from stream.stage2.shared_tables import SharedTables
from stream.stage2.untested import untested_by_plan
from tests.detectors.tools import counts_of, window_of

MINUTE, DAY = 60_000, 1_440
WEEKS = 3 * 7 * DAY
#: The days that a name stays in each of so many places: the reference holds two such stays.
STAYS, PLACES = 8, 20


def passing(first: int, n: int) -> list[str]:
    """Names of n minutes from `first` on."""
    rng = np.random.default_rng(first)
    since = np.random.default_rng(1).random(PLACES)
    place = rng.integers(0, PLACES, n)
    visit = np.floor((first + np.arange(n)) / (STAYS * DAY) + since[place]).astype(int)
    return [f"{p} {v}" for p, v in zip(place, visit, strict=True)]


def lasting(first: int, n: int) -> list[str]:
    return [f"n{i}" for i in np.random.default_rng(first).integers(0, 20, n)]


@pytest.fixture(scope="module")
def reference() -> Reference:
    columns = {"visitor": passing(0, WEEKS), "shop": lasting(0, WEEKS)}
    return fit_reference(columns, model="m", times_ms=np.arange(WEEKS) * MINUTE)


@pytest.fixture(scope="module")
def plan(reference: Reference) -> Plan:
    return Plan(
        model="m", reference=reference, pane_ms=60 * MINUTE, window_max_age_ms=2 * DAY * MINUTE
    )


def found(plan: Plan, visitor: list[str], shop: list[str]) -> dict[str, set[str]]:
    """What tests found of the new names of each signal, in panes of an hour."""
    detection, tests = Detection(plan), {signal.name: set[str]() for signal in plan.monitored}
    names = {"visitor": visitor, "shop": shop}
    for start in range(0, len(visitor), 60):
        counts = [counts_of(s, names[s.name][start : start + 60]) for s in plan.monitored]
        step = detection.pane(
            Sealed((WEEKS + start) * MINUTE, {"": window_of(plan.layout, counts, 60)}, {})
        )
        for finding in step.findings:
            tests[finding.signal].add(finding.test)
    return tests


def test_it_is_said_of_names_that_stay_and_not_of_those_that_last(plan: Plan) -> None:
    said = {(each.signals, test) for each in untested_by_plan(plan) for test in each.tests}
    assert (("visitor",), "unseen_rate") in said
    assert not any("shop" in signals for signals, _ in said)
    rates = {(plan.monitored[s.signal].name, s.rate) for s in SharedTables.of(plan).shares.shares}
    assert ("shop", "unseen_rate") in rates
    assert ("visitor", "unseen_rate") not in rates
    assert ("visitor", "missing_rate") in rates


def test_new_names_that_are_not_tested_raise_no_alarm(plan: Plan) -> None:
    visitor = passing(WEEKS, 28 * DAY)
    assert len({*visitor} - {*passing(0, WEEKS)}) > 40
    assert found(plan, visitor, lasting(WEEKS, 28 * DAY)) == {"visitor": set(), "shop": set()}


def test_new_names_that_are_tested_are_found_pane_by_pane(plan: Plan) -> None:
    """A few in an hour: of too short a time for a window."""
    n = 8 * 60
    shop = lasting(WEEKS, n)
    shop[::6] = ["new"] * len(shop[::6])
    tests = found(plan, passing(WEEKS, n), shop)
    assert "edetector" in tests["shop"]
    assert not tests["visitor"]
