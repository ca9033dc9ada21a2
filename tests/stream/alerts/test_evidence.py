"""Why an alert is to be believed, in words; and sizes of changes that can be compared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import WINDOWED_TESTS, Budget, ChangePoint, WindowBank, fit_reference
from stream.alerts.evidence import evidence
from stream.alerts.sizes import on_one_scale
from stream.contracts.budget_summary import BudgetSummary
from stream.plans.plan import PlanBook
from tests.detectors.tools import counts_of, window_of
from tests.stream.alerts.test_episodes import finding
from tests.stream.harness import make_events, make_plan, run_stages

SUMMARY = BudgetSummary(
    tests=60,
    false_alarms_per_week=1.0,
    windows_per_week=600.0,
    panes_per_week=60_480.0,
    window_alpha=2.8e-5,
    segment_alpha=1e-6,
    share_per_week=1 / 60,
)
BUDGET = (
    " All 60 groups of tests of this model together stay within its budget of 1 false alarm a week."
)


def test_a_windowed_test_says_how_often_chance_would_do_that():
    said = evidence(finding(p_value=8.3e-8, events=5_000), None, SUMMARY)
    assert said == (
        "PSI 0.3, threshold 0.1. "
        "If nothing had changed, a PSI this high would come by chance once in 12 million windows "
        "of 5,000 events, about 385 years of this stream. The window tests of this signal are set "
        "to raise one false alarm in 60 weeks, once in 36,000 windows." + BUDGET
    )


def test_what_was_never_measured_is_not_claimed():
    said = evidence(finding(p_value=0.0), None, SUMMARY)
    assert "chance less than once in a billion windows of 1,000 events. The" in said


def test_a_rate_in_a_segment():
    found = finding(test="missing_rate", p_value=2e-7, segment="region=eu", events=800)
    assert evidence(found, None, SUMMARY) == (
        "missing rate 0.3, threshold 0.1. "
        "If nothing had changed, a missing rate this high would come by chance once in 5 million "
        "windows of 800 events. The tests of this segment's windows alarm from once in 1 million."
        + BUDGET
    )


def test_an_edetector_and_when_it_began():
    found = finding(test="edetector", value=7.1, threshold=6.5, p_value=None)
    began = ChangePoint(1_772_366_400_000, 1_772_366_340_000, 1_772_366_520_000, 0.95)
    assert evidence(found, began, SUMMARY) == (
        "log10 of evidence 7.1, threshold 6.5. "
        "If nothing had changed, so much evidence would build up by chance at most once in 13 "
        "million panes with events, about 4 years of this stream. It alarms from once in 3.2 "
        "million, which chance reaches by measured rates once in 60 weeks or less often."
        + BUDGET
        + " The change began about 2026-03-01 12:00 (95 % sure: "
        "2026-03-01 11:59 to 2026-03-01 12:02)."
    )


def test_a_change_that_came_gradually():
    found = finding(test="edetector", value=7.1, threshold=6.5, p_value=None)
    began = ChangePoint(1_772_366_400_000, 1_772_366_340_000, 1_772_366_520_000, 0.95, "ramp")
    assert evidence(found, began, SUMMARY).endswith(
        BUDGET + " The change came gradually; it began about 2026-03-01 12:00 (95 % sure: "
        "2026-03-01 11:59 to 2026-03-01 12:02)."
    )


def test_adwin_speaks_of_its_measured_rate():
    found = finding(test="adwin", value=0.2, threshold=0.1, p_value=None)
    bounds_only = ChangePoint(0, 0, 10)
    assert evidence(found, bounds_only, SUMMARY) == (
        "ADWIN 0.2, threshold 0.1. "
        "The averages before and after differ 2 times as much as chance is allowed to make them. "
        "By measured rates chance goes beyond what it is allowed once in 60 weeks or less often."
        + BUDGET
    )


def test_what_is_hardly_beyond_chance_is_not_once_as_much():
    found = finding(test="adwin", value=0.102, threshold=0.1, p_value=None)
    assert "before and after differ more than chance is allowed" in evidence(found, None, SUMMARY)


def test_the_pipelines_own_troubles_are_counted():
    found = finding("late_share", test="late_share", kind="system", role="system", p_value=None)
    assert evidence(found, None, SUMMARY).startswith("This was counted, not estimated")
    assert evidence(found, None, None) == ""


@given(
    st.sampled_from([*WINDOWED_TESTS, "adwin", "edetector"]),
    st.floats(0.0, 1.0),
    st.floats(0.0, 2_000.0),
    st.floats(1e-9, 1e4),
)
def test_any_figures_make_words(test: str, p: float, value: float, rate: float) -> None:
    budget_summary = BudgetSummary(3, rate, rate, rate, 0.01, 0.01, rate)
    said = evidence(
        finding(test=test, p_value=p, value=value, threshold=value), None, budget_summary
    )
    assert said.endswith("week.")
    assert "nan" not in said
    assert "inf" not in said


@pytest.mark.parametrize("test", [*WINDOWED_TESTS, "adwin", "edetector"])
def test_the_one_scale_has_the_steps_of_every_test(test: str) -> None:
    warning, critical = WINDOWED_TESTS[test].steps if test in WINDOWED_TESTS else (0.085, 0.14)
    assert on_one_scale(test, warning) == pytest.approx(0.10)
    assert on_one_scale(test, critical) == pytest.approx(0.25)
    assert on_one_scale(test, -1.0) == 0.0
    assert on_one_scale(test, critical * 2) > 0.25


@pytest.mark.parametrize("shift", [0.25, 0.5, 0.8])
def test_one_change_has_one_size_by_every_test(shift: float) -> None:
    """A normal whose mean moved by s standard deviations has a PSI of about s squared."""
    rng = np.random.default_rng(1)
    reference = fit_reference({"x": rng.normal(size=20_000)}, model="m")
    (signal,) = reference.signals
    tests = [name for name, test in WINDOWED_TESTS.items() if test.code >= 0]
    bank = WindowBank(reference.signals, tests={"x": tests})
    window = counts_of(signal, rng.normal(shift, 1.0, 20_000))
    result = bank.test(window_of(reference.layout(), [window], 20_000), 1e-4)
    sizes = {
        name: on_one_scale(name, float(effect))
        for name, effect in zip(result.tests, result.effect, strict=True)
    }
    assert set(sizes) >= set(tests)
    for name in tests:
        assert 0.6 * shift**2 < sizes[name] < 1.5 * shift**2, (name, sizes)


@pytest.mark.parametrize(("segments", "share_of_all"), [(0, 1.0), (2, 0.8)])
def test_the_groups_of_tests_that_are_told_of_share_what_is_spent(
    segments: int, share_of_all: float
) -> None:
    """Of each signal those of ADWIN, of the windows, and of the e-detector."""
    rng = np.random.default_rng(1)
    columns = {name: rng.normal(size=2_000) for name in "xyz"}
    reference = fit_reference(columns, model="m")
    budget = Budget.of(
        reference,
        reference.signals,
        false_alarms_per_week=1.0,
        pane_ms=10_000,
        segments=segments,
        edetector=True,
    )
    told = BudgetSummary.of(budget, len(reference.signals), cycle=False)
    of_values = 0.99 * share_of_all  # a hundredth is for events that come more than once
    assert told.tests * told.share_per_week == pytest.approx(of_values)
    assert told.tests * budget.adwin_alarms * budget.panes_per_week == pytest.approx(of_values)


def test_an_alert_says_it_all() -> None:
    plans = PlanBook()
    plans.add(make_plan())
    alerts, _ = run_stages(plans, make_events(1, 2_400, drift_at=1_200), partitions=2, seed=1)
    drift = [alert["data"] for alert in alerts if alert["data"]["labels"]["kind"] == "data_drift"]
    said = drift[0]["annotations"]["evidence"]
    assert "by chance" in said
    assert "200 false alarms a week" in said
    leading = drift[0]["signals"][0]
    assert leading["name"] == "x"
    assert leading["effect"] > 0.1
    point = leading["change_point"]
    assert point["earliest"] <= "1970-01-12T14:06:40.000Z" <= point["latest"]
    assert leading["quantiles"]["window"][1] > leading["quantiles"]["reference"][1] + 0.5
