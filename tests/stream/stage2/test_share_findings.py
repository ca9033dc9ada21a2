"""What the tests that follow every pane say of shares of values and of rates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors import Reference, Seasons, fit_reference
from stream.alerts.finding import Finding
from stream.plans.plan import Plan, SignalOptions
from stream.stage2.detection import Detection
from stream.stage2.panes import Sealed
from tests.detectors.tools import counts_of, window_of

MINUTE = 60_000
PANE = 60 * MINUTE
EVENTS = 60
CHANGE = 100  # the pane of the change


def rows(
    n: int, rng: np.random.Generator, bad: float = 0.1, missing: float = 0.002, city: float = 0.0
) -> dict[str, Any]:
    """A number, an error or not, one of nine cities; a share `city` more is of one of them."""
    number = rng.normal(size=n)
    number[rng.random(n) < missing] = np.nan
    errors = np.where(rng.random(n) < bad, "bad", "ok").tolist()
    cities = np.where(rng.random(n) < city, 1, rng.integers(0, 9, n))
    return {"number": number, "errors": errors, "city": [f"c{i}" for i in cities]}


@pytest.fixture(scope="module")
def reference() -> Reference:
    rng = np.random.default_rng(0)
    return fit_reference(
        rows(10_000, rng),
        model="m",
        roles={"errors": "actual"},
        times_ms=np.arange(10_000) * MINUTE,
    )


def plan_of(reference: Reference, **changes: Any) -> Plan:
    # No windows, so that what is found is found by following the panes.
    return Plan(
        model="m",
        reference=reference,
        pane_ms=PANE,
        window_events=10**6,
        window_max_age_ms=10**12,
        **changes,
    )


def run(
    plan: Plan,
    panes: int = 160,
    *,
    seed: int = 1,
    before: dict[str, float] | None = None,
    **change: float,
) -> list[Finding]:
    """Findings of a stream that changes at pane `CHANGE`, restarted on the way."""
    rng = np.random.default_rng(seed)
    detection = Detection(plan)
    found: list[Finding] = []
    for t in range(panes):
        columns = rows(EVENTS, rng, **(change if t >= CHANGE else before or {}))
        counts = [counts_of(s, columns[s.name]) for s in plan.monitored]
        found += detection.pane(
            Sealed(t * PANE, {"": window_of(plan.layout, counts, EVENTS)}, {})
        ).findings
        if t in (CHANGE - 1, CHANGE + 2):
            state = detection.dump()
            detection = Detection(plan)
            detection.load(state)
            assert detection.dump() == state
    return found


def test_nothing_is_said_where_nothing_changes(reference: Reference) -> None:
    assert not run(plan_of(reference), seed=2)


def test_a_moved_share_of_a_value_is_told(reference: Reference) -> None:
    found = run(plan_of(reference), bad=0.25)
    assert {f.signal for f in found} == {"errors"}
    assert {f.kind for f in found} == {"label_drift"}
    assert {f.test for f in found} == {"edetector", "adwin"}
    first = found[0]
    assert first.end_ms <= (CHANGE + 6) * PANE
    began = first.change_point
    assert began is not None
    assert began.earliest_ms <= CHANGE * PANE <= began.latest_ms
    assert (first.end_ms - first.start_ms) // PANE <= 12  # told is what came since the change
    notes = {f.test: f.note for f in found}
    assert notes["edetector"] == "share of 'bad' above the reference's"
    assert notes["adwin"].startswith("share of 'bad' ")
    assert notes["adwin"].endswith(" % within the stream")
    changes = [f.change for f in found if f.test == "edetector"]
    assert all(change.startswith("'bad' 10.1 % -> ") for change in changes)
    assert "'bad' 10.1 % -> 2" in changes[-1]
    assert {f.severity for f in found if f.test == "edetector"} == {"critical"}


def test_a_fallen_share_is_told(reference: Reference) -> None:
    found = [f for f in run(plan_of(reference), 200, bad=0.0) if f.test == "edetector"]
    assert found
    assert {f.note for f in found} == {"share of 'bad' below the reference's"}


def test_one_of_many_names_is_told_when_it_rises(reference: Reference) -> None:
    found = run(plan_of(reference), city=0.2)
    assert {f.signal for f in found} == {"city"}
    assert {f.test for f in found} == {"edetector"}  # ADWIN follows a few names only
    assert {f.note for f in found} == {"share of 'c1' above the reference's"}


def test_a_raised_rate_is_a_matter_of_quality(reference: Reference) -> None:
    found = run(plan_of(reference), missing=0.04)
    assert {f.signal for f in found} == {"number"}
    assert {f.kind for f in found} == {"data_quality"}
    assert {f.direction for f in found} == {1}
    assert {f.moves for f in found} == {"missing_rate"}
    first = next(f for f in found if f.test == "edetector")
    assert first.note == "missing rate above the reference's"
    assert first.end_ms <= (CHANGE + 12) * PANE
    assert first.change_point is not None
    assert first.change_point.earliest_ms <= CHANGE * PANE <= first.change_point.latest_ms
    assert "missing " in first.change
    assert {f.severity for f in found if f.test == "edetector"} <= {"warning", "critical"}


def test_a_rate_that_falls_is_no_finding() -> None:
    fitted = fit_reference(
        rows(10_000, np.random.default_rng(5), missing=0.1),
        model="m",
        times_ms=np.arange(10_000) * MINUTE,
    )
    plan = plan_of(fitted)
    assert not run(plan, before={"missing": 0.1}, missing=0.0)
    assert run(plan, before={"missing": 0.1}, missing=0.25)


def test_names_of_a_private_plan_are_not_told(reference: Reference) -> None:
    for f in run(plan_of(reference, private=True), bad=0.25):
        assert "category 2" in f.note
        assert "bad" not in f"{f.note} {f.change}"


@pytest.mark.parametrize("tests", [("psi",), ("psi", "missing_rate"), ("edetector", "psi")])
def test_what_the_tests_of_a_signal_do_not_name_does_not_run(
    reference: Reference, tests: tuple[str, ...]
) -> None:
    plan = plan_of(reference, signals={"number": SignalOptions(tests=tests)})
    assert not run(plan, missing=0.3)


HOUR = 3_600_000


def _by_night(n: int, rng: np.random.Generator, hour: int, more: float = 0.0) -> dict[str, Any]:
    """At night a third is missing and errors are rare; by day the other way round."""
    night = hour % 24 < 6 or hour % 24 >= 22
    return rows(n, rng, bad=0.02 if night else 0.3, missing=(0.3 if night else 0.002) + more)


def test_with_slots_every_hour_is_compared_with_itself() -> None:
    rng = np.random.default_rng(8)
    hours = [_by_night(30, rng, hour) for hour in range(28 * 24)]
    columns = {name: np.concatenate([h[name] for h in hours]) for name in hours[0]}
    n = len(columns["number"])
    reference = fit_reference(
        columns, model="m", times_ms=np.arange(n) * (HOUR // 30), seasons=Seasons("auto")
    )
    assert reference.calendar is not None
    assert reference.calendar.slots > 1
    plan = Plan(
        model="m", reference=reference, pane_ms=HOUR, window_events=10**6, window_max_age_ms=10**12
    )
    found: dict[float, list[Finding]] = {0.0: [], 0.15: []}
    for more, findings in found.items():
        detection, drawn = Detection(plan), np.random.default_rng(9)
        for hour in range(28 * 24, 42 * 24):
            sample = _by_night(30, drawn, hour, more if hour >= 35 * 24 else 0.0)
            counts = [counts_of(s, sample[s.name]) for s in plan.monitored]
            sealed = Sealed(hour * HOUR, {"": window_of(plan.layout, counts, 30)}, {})
            findings += detection.pane(sealed).findings
            if hour % 50 == 0:
                state = detection.dump()
                detection = Detection(plan)
                detection.load(state)
    assert not found[0.0]
    first = found[0.15][0]
    assert (first.signal, first.test, first.moves) == ("number", "edetector", "missing_rate")
    assert 35 * 24 <= first.end_ms // HOUR <= 36 * 24
