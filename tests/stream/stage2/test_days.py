"""Single days of a stream with slots, through a watch and its episodes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from detectors import Reference, Seasons, fit_reference
from stream.alerts.episodes import Episodes
from stream.alerts.evidence import evidence
from stream.alerts.finding import Finding
from stream.contracts.alert_event import AlertContext, AlertEvent
from stream.plans.plan import (
    DeclaredSignal,
    Learn,
    LearningPlan,
    Plan,
    PlanError,
    SignalOptions,
    Subject,
)
from stream.plans.proposal import propose
from stream.stage2.detection import Detection, Step
from stream.stage2.panes import Sealed
from stream.stage2.shared_tables import SharedTables
from stream.stage2.untested import untested_by_plan

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MONDAY_MS = 1_767_571_200_000  # 2026-01-05
DAYS = 28
ODD = 9  # days after the reference
CONTEXT = AlertContext(
    environment="t", reference="", config="", false_alarms_per_week=1.0, alpha=0.001
)

LASTING = Finding(
    kind="data_drift",
    signal="x",
    role="feature",
    test="psi",
    value=0.06,
    threshold=0.05,
    severity="info",
    start_ms=0,
    end_ms=0,
    events=1000,
    effect=0.06,
    change="mean 1 -> 2",
)


def values(day: int, odd: tuple[int, ...] = ()) -> np.ndarray:
    """Two an hour about a sine, on odd days one too low."""
    rng = np.random.default_rng([4, day])
    level = 0.3 * rng.normal()
    of_day = np.sin(2 * np.pi * np.arange(48) / 48) + level + 0.5 * rng.normal(size=48)
    return np.asarray(of_day - 2.0 * (day in odd))


@pytest.fixture(scope="module")
def reference() -> Reference:
    x = np.concatenate([values(day) for day in range(DAYS)])
    times = MONDAY_MS + np.arange(x.size) * (HOUR_MS // 2)
    return fit_reference(
        {"x": x}, model="m", times_ms=times, kinds={"x": "numeric"}, seasons=Seasons("auto")
    )


def plan_of(reference: Reference, *tests: str) -> Plan:
    pane_ms, max_age_ms = propose(reference)
    assert pane_ms == HOUR_MS
    signals = {"x": SignalOptions(tests=tests)} if tests else {}
    return Plan(
        model="m",
        reference=reference,
        pane_ms=pane_ms,
        window_max_age_ms=max_age_ms,
        signals=signals,
    )


def panes(reference: Reference, days: int, *odd: int) -> Iterator[Sealed]:
    layout = reference.layout()
    for day in range(days):
        x = values(DAYS + day, tuple(DAYS + at for at in odd))
        for hour in range(24):
            counts = np.zeros(layout.width, np.int64)
            counts[0] = 2
            both = x[2 * hour : 2 * hour + 2].reshape(-1, 1)
            for row in both:
                at = layout.positions(row.reshape(1, 1), np.zeros((1, 0), np.int32))
                counts[at.ravel()] += 1
            yield Sealed(MONDAY_MS + (DAYS + day) * DAY_MS + hour * HOUR_MS, {"": counts}, {})


def told(
    detection: Detection, stream: Iterator[Sealed]
) -> tuple[list[Step], list[tuple[int, str]]]:
    episodes, steps, alerts = Episodes(Subject("m", "1")), [], []
    for sealed in stream:
        for step in (*detection.expire(sealed.start_ms), detection.pane(sealed)):
            steps.append(step)
            published = episodes.step(
                step.at_ms,
                step.findings,
                step.window_closed,
                CONTEXT,
                step.segments_closed,
                day_ended=step.day_ended,
            )
            alerts += [(step.at_ms, alert.data.status) for alert in published]
    return steps, alerts


def days_told(
    detection: Detection, stream: Iterator[Sealed], *, lasting: bool = False
) -> list[tuple[int, AlertEvent]]:
    """The days that alerts are about; beside something that lasts, or not."""
    episodes, alerts = Episodes(Subject("m", "1")), []
    for sealed in stream:
        step = detection.pane(sealed)
        lasts = [LASTING] if lasting else []
        for alert in episodes.step(
            step.at_ms, [*step.findings, *lasts], False, CONTEXT, day_ended=step.day_ended
        ):
            if "day" in alert.data.news:
                day = (sealed.start_ms - MONDAY_MS) // DAY_MS - DAYS - 1
                alerts.append((day, alert))
    return alerts


def test_an_odd_day_is_told_the_next_day_and_is_over_two_days_later(reference: Reference) -> None:
    detection = Detection(plan_of(reference, "day"))
    steps, alerts = told(detection, panes(reference, 20, ODD))
    midnight = MONDAY_MS + (DAYS + ODD + 1) * DAY_MS
    found = [(step.at_ms, finding) for step in steps for finding in step.findings]
    assert [at for at, _ in found] == [midnight + HOUR_MS]
    finding = found[0][1]
    assert (finding.test, finding.direction, finding.kind) == ("day", -1, "data_drift")
    assert finding.value > finding.threshold
    assert finding.p_value is not None
    assert finding.p_value <= detection.budget.day_alpha
    assert finding.change_point is not None
    # The history's blocks hold all of the day but for a few hours.
    assert 0 <= finding.change_point.estimate_ms - (midnight - DAY_MS) <= 6 * HOUR_MS
    assert finding.change_point.latest_ms == midnight
    assert finding.end_ms == midnight
    assert finding.note == "unusually low on 2026-02-11"
    opened = midnight + HOUR_MS
    reminder = (opened + DAY_MS, "firing")
    assert alerts == [(opened, "firing"), reminder, (opened + 2 * DAY_MS, "resolved")]
    assert "once in" in evidence(finding, finding.change_point, detection.budget_summary)


def test_days_as_usual_are_not_told(reference: Reference) -> None:
    steps, alerts = told(Detection(plan_of(reference, "day")), panes(reference, 20))
    assert sum(step.day_ended for step in steps) == 19
    assert not alerts


def test_a_run_of_odd_days_is_told_once(reference: Reference) -> None:
    detection = Detection(plan_of(reference, "day"))
    told_days = [day for day, _ in days_told(detection, panes(reference, 24, 5, 6, 7, 9, 17))]
    # Of one opened with its run, the next one comes ten days after it.
    assert told_days == [5, 17]


def test_within_an_open_episode_an_odd_day_is_told_at_once(reference: Reference) -> None:
    """Another test has found something that lasts: that is no reason not to hear of a holiday."""
    detection = Detection(plan_of(reference, "day"))
    alerts = days_told(detection, panes(reference, 24, 9), lasting=True)
    assert [day for day, _ in alerts] == [9]
    data = alerts[0][1].data
    assert (data.news, data.severity) == (["day", "severity"], "critical")
    assert data.revision > 1
    said = "; 'x' unusually low on 2026-02-11; now critical, before info."
    assert said in data.annotations.summary
    assert data.signals[0].test == "psi"  # it outlasts the day


def test_within_an_open_episode_days_as_usual_are_not_told(reference: Reference) -> None:
    assert not days_told(Detection(plan_of(reference, "day")), panes(reference, 24), lasting=True)


def test_a_signal_without_the_test_has_none(reference: Reference) -> None:
    steps, _ = told(Detection(plan_of(reference, "psi")), panes(reference, 20, ODD))
    assert not [f for step in steps for f in step.findings if f.test == "day"]


def test_a_restart_within_the_day_changes_nothing(reference: Reference) -> None:
    plan = plan_of(reference, "day")
    whole, _ = told(Detection(plan), panes(reference, 12, ODD))
    stream = list(panes(reference, 12, ODD))
    cut = ODD * 24 + 13
    first = Detection(plan)
    before, _ = told(first, iter(stream[:cut]))
    second = Detection(plan)
    second.load(first.dump())
    after, _ = told(second, iter(stream[cut:]))
    assert [(s.at_ms, s.findings) for s in before + after] == [(s.at_ms, s.findings) for s in whole]


@pytest.mark.parametrize(
    ("a_day", "tests", "said"), [(12, (), True), (12, ("psi",), False), (24, (), False)]
)
def test_of_days_with_too_few_values_it_is_said_that_they_are_not_tested(
    a_day: int, tests: tuple[str, ...], said: bool
) -> None:
    times = MONDAY_MS + np.arange(56 * a_day) * (DAY_MS // a_day)
    x = 3 * np.sin(2 * np.pi * times / DAY_MS) + np.random.default_rng(2).normal(size=times.size)
    few = fit_reference({"x": x}, model="m", times_ms=times, seasons=Seasons("auto"))
    plan = Plan(
        model="m",
        reference=few,
        pane_ms=HOUR_MS,
        signals={"x": SignalOptions(tests=tests)} if tests else {},
    )
    found = [each for each in untested_by_plan(plan) if each.tests == ("day",)]
    assert [each.signals for each in found] == [("x",)] * said
    assert all("fewer than 20 values" in each.words for each in found)
    # And so it is: a day that is as far off as can be is tested only where nothing is said.
    days = SharedTables.of(plan).days
    assert days is not None
    assert days.test(np.array([float(a_day)]), np.array([[0.99, 0.98]])).tested[0] == (a_day >= 20)


def test_by_default_days_have_a_tenth_of_the_budget(reference: Reference) -> None:
    detection = Detection(plan_of(reference))
    assert detection.budget.day_alpha == 0.01  # of one signal: no test is weaker
    many = Detection(
        Plan(model="m", reference=reference, pane_ms=HOUR_MS, false_alarms_per_week=0.1)
    )
    assert many.budget.day_alpha == pytest.approx(0.1 * 0.1 / 7)


def test_days_of_references_without_slots_and_of_names_are_refused(reference: Reference) -> None:
    rng = np.random.default_rng(1)
    times = MONDAY_MS + np.arange(8_000) * (HOUR_MS // 8)
    columns = {"x": rng.normal(size=8_000), "c": np.where(rng.random(8_000) < 0.5, "a", "b")}
    without = fit_reference(columns, model="m", times_ms=times)
    with pytest.raises(PlanError, match=r"signals\.x\.tests has 'day', which needs .* slots"):
        plan_of(without, "day")
    slots = fit_reference(columns, model="m", times_ms=times, seasons=Seasons("auto"))
    with pytest.raises(PlanError, match="'c' is categorical: test 'day' is not for it"):
        Plan(model="m", reference=slots, signals={"c": SignalOptions(tests=("day",))})
    with pytest.raises(PlanError, match="needs a reference with slots"):
        LearningPlan(
            model="m",
            learn=Learn(2_000, {"x": DeclaredSignal("numeric", "feature")}),
            signals={"x": SignalOptions(tests=("day",))},
        )
