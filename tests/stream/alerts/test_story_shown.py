"""Where a person or a program reads it, an alert says what may be why."""

from __future__ import annotations

import msgspec
import pytest

from detectors.causes import Explained
from stream.commands.alerts import _print_revision
from stream.contracts.alert_event import AlertEvent, AlertExpectedErrors
from stream.notify.targets.alertmanager import alertmanager_alert
from stream.notify.targets.slack import slack_message
from stream.page.recent import RecentEpisodes
from stream.report import render, render_markdown, report_of_episode
from tests.stream.alerts.test_story import Line

WHY = "Data drift in 'x' since 2026-03-01 11:59 UTC explains up to 70 % of the prediction's move"
BESIDE = "data drift since 2026-03-01 11:59 UTC: 'x' explains up to 70 %"


@pytest.fixture(scope="module")
def alert() -> AlertEvent:
    line = Line({"x": Explained(0.7, 0.0)})
    return line.window("performance", "data_drift", "prediction_drift")["performance"]


def test_in_slack(alert: AlertEvent) -> None:
    text = msgspec.json.decode(slack_message(alert))["text"]
    drift = alert.data.related[0]
    assert WHY in text
    assert f"Together with {BESIDE} `{drift.episode[:8]}`; prediction drift since" in text


def test_in_alertmanager(alert: AlertEvent) -> None:
    said = alertmanager_alert(alert, 0, 1)["annotations"]
    assert WHY in said["summary"]
    assert said["related"].startswith(f"{BESIDE} ({alert.data.related[0].episode[:8]}); ")


def test_on_the_page_of_a_worker(alert: AlertEvent) -> None:
    recent = RecentEpisodes()
    recent.note(alert)
    (row,) = recent.rows()
    assert WHY in row.summary
    assert row.advice.startswith("Recommended action: investigate")
    assert row.related[0] == (alert.data.related[0].episode, BESIDE)


def test_in_reports(alert: AlertEvent) -> None:
    report = report_of_episode([alert])
    for text in (render(report, ""), render_markdown(report)):
        plain = text.replace("&#39;", "'").replace("&#x27;", "'").replace("\\", "")
        assert WHY in plain
        assert f"Open with it: {BESIDE}; prediction drift" in plain


def test_on_the_command_line(alert: AlertEvent, capsys: pytest.CaptureFixture[str]) -> None:
    signal = msgspec.structs.replace(
        alert.data.signals[0], expected_errors=AlertExpectedErrors("size", 1.61, 2.3)
    )
    data = msgspec.structs.replace(alert.data, signals=[signal])
    _print_revision(msgspec.structs.replace(alert, data=data))
    said = " ".join(capsys.readouterr().out.split())
    assert WHY in said
    assert f"beside it: {BESIDE} ({alert.data.related[0].episode[:8]})" in said
    assert "'error' would raise the mean absolute error from 1.61 to about 2.3, if" in said
