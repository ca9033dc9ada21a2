"""Reports of a model with limits, outcomes, fairness and combinations of segments."""

from __future__ import annotations

import pytest

from stream.alerts.sizes import over_threshold
from stream.commands.replay_tests import each_pane
from stream.contracts.alert_event import AlertEvent
from stream.replay import Replay
from stream.report import ReplayRecorder, Report, render, render_markdown, report_of_episode
from stream.report.from_alerts import leading_signals
from tests.stream import all_kinds
from tests.stream.harness import replayed

Run = tuple[ReplayRecorder, Replay]


@pytest.fixture(scope="module")
def run() -> Run:
    return replayed(all_kinds.plan(), all_kinds.events())


@pytest.fixture(scope="module")
def report(run: Run) -> Report:
    recorder, replay = run
    (monitor,) = replay.monitor.subjects.values()
    assert monitor.detection is not None
    tests = each_pane(monitor.detection, 100)
    return recorder.report(all_kinds.plan(), "june.csv", all_kinds.EVENTS, 0, 0, (), tests)


@pytest.fixture(scope="module")
def alerts() -> list[AlertEvent]:
    return all_kinds.alerts()


def of_kind(alerts: list[AlertEvent], kind: str) -> list[AlertEvent]:
    """The last episode of a kind."""
    last = [alert for alert in alerts if alert.data.labels.kind == kind][-1]
    return [alert for alert in alerts if alert.data.episode == last.data.episode]


def test_an_episode_says_its_state(alerts: list[AlertEvent]) -> None:
    made = report_of_episode(of_kind(alerts, "fairness"))
    assert made.facts[0] == ("State", "resolved", "peak critical")
    for text in (render(made, ""), render_markdown(made)):
        assert "1 false alarm a week for this model" in text


def test_a_ratio_of_rates_is_loud_below_its_limit(alerts: list[AlertEvent]) -> None:
    signals = report_of_episode(of_kind(alerts, "fairness")).signals
    ratios = [signal for signal in signals if " ratio by " in signal.name]
    assert ratios
    assert len(ratios) < len(signals)
    assert min(signal.ratio for signal in signals) > 1.0
    assert over_threshold("fairness", 0.64, 0.8) == pytest.approx(2.0)
    assert 10.0 < over_threshold("fairness", 0.0, 0.8) < 100.0
    assert over_threshold("fairness", 0.2, 0.1) == 2.0


def test_a_level_is_told_of_the_tests_that_have_it(alerts: list[AlertEvent]) -> None:
    """The event has that of the whole stream's windows, and of no other test."""
    of = {kind: report_of_episode(of_kind(alerts, kind)) for kind in ("fairness", "concept_drift")}
    assert [row.alpha for row in of["fairness"].tests] == [None]
    levels = {(row.test, row.scope): row.alpha for row in of["concept_drift"].tests}
    assert levels["relation", "whole stream"] is not None
    assert levels["relation", "segments"] is None


def test_a_signal_changed_before_it_was_worst(alerts: list[AlertEvent]) -> None:
    """Some leave, and come again with another change: that one is not of the window shown."""
    signals = leading_signals(alert for alert in alerts if alert.data.status == "firing")
    known = [signal for signal in signals if signal.change_point is not None]
    assert len(known) > 20
    for signal in known:
        assert signal.change_point is not None
        assert signal.change_point[1] < signal.at_ms, signal


def test_a_replay_names_what_drifted_and_how_it_was_tested(report: Report) -> None:
    assert report.lead.startswith("7 episodes opened, 3 still firing. Drift in 'error'")
    assert report.lead.count("'") == 10
    assert report.budget.startswith("1 false alarm a week is allowed for this model.")
    assert {"limit", "relation", "fairness"} <= {row.test for row in report.tests}
    for text in (render(report, ""), render_markdown(report)):
        assert "log10 of evidence" in text
        assert "chi² given the prediction" in text
        assert "disparity" in text
