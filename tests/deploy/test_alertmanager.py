"""The Alertmanager config of deploy/, on a real Alertmanager: what is told together."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from stream.notify.open_episodes import OpenEpisodes
from stream.notify.targets.alertmanager import AlertmanagerSink, AlertmanagerTarget
from tests.integration.test_notify import ALERTMANAGER, Alertmanager, wait_for
from tests.stream.notify_tools import Hook, alert, hook

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    ALERTMANAGER is None,
    reason="Alertmanager is not installed (Debian's package prometheus-alertmanager)",
)


@pytest.fixture
def pager() -> Iterator[Hook]:
    with hook() as here:
        yield here


@pytest.fixture
def alertmanager(tmp_path: Path, pager: Hook) -> Iterator[Alertmanager]:
    """One with the routes of deploy/, whose receivers are a hook, and which does not wait long."""
    server = Alertmanager(tmp_path, pager)
    config = yaml.safe_load((ROOT / "deploy/alertmanager/alertmanager.yml").read_text())
    config["route"] |= {"group_interval": "1s"}
    for receiver in config["receivers"]:
        receiver["webhook_configs"] = [{"url": pager.url}]
    server.config.write_text(yaml.safe_dump(config))
    server.start()
    yield server
    server.stop()


def groups(pager: Hook) -> list[dict[str, Any]]:
    """The notifications, in order."""
    return [msgspec.json.decode(body) for _, _, body in list(pager.requests)]


def newest(pager: Hook) -> dict[str, list[str]]:
    """What the newest notification of each group is about."""
    return {
        group["groupLabels"]["model"]: sorted(a["labels"]["alertname"] for a in group["alerts"])
        for group in groups(pager)
    }


def test_one_story_is_one_group_and_a_severity_that_rose_is_told_once(
    alertmanager: Alertmanager, pager: Hook
) -> None:
    drift = alert(beside=[alert(kind="data_quality")])
    quality = alert(kind="data_quality", beside=[alert()])
    sink = AlertmanagerSink(AlertmanagerTarget("am", alertmanager.url), time.time)
    episodes = OpenEpisodes()

    def say(number: int, event: Any) -> None:
        sink.offer(number, episodes.apply(event))

    for number, event in enumerate([drift, quality, alert("churn")]):
        say(number, event)
    assert sink.step() > 0.0
    # An episode began before it is told, so nothing waits for group_wait: the first notification
    # may have one of them, that after group_interval has both.
    wait_for(
        lambda: newest(pager) == {"fraud": ["DataDrift", "DataQuality"], "churn": ["DataDrift"]},
        alertmanager.log.read_text,
    )
    group = next(g for g in groups(pager) if len(g["alerts"]) == 2)
    assert group["groupLabels"] == {
        "environment": "production",
        "model": "fraud",
        "model_version": "3",
    }
    (told,) = (a for a in group["alerts"] if a["labels"]["alertname"] == "DataDrift")
    assert told["annotations"]["related"] == f"data quality problem ({quality.data.episode[:8]})"

    # Worse: told to who is on call, while the former alert's end at its severity is inhibited.
    say(3, alert(revision=2, severity="critical", beside=[quality]))
    assert sink.step() > 0.0
    wait_for(lambda: groups(pager)[-1]["receiver"] == "on-call", alertmanager.log.read_text)
    assert [a["labels"]["severity"] for a in groups(pager)[-1]["alerts"]] == ["critical"]

    # All over: each receiver hears of its own.
    say(4, alert(revision=3, status="resolved", severity="critical"))
    say(5, alert(kind="data_quality", revision=2, status="resolved"))
    assert sink.step() > 0.0
    wait_for(
        lambda: (
            {
                g["receiver"]
                for g in groups(pager)
                if g["status"] == "resolved" and g["groupLabels"]["model"] == "fraud"
            }
            == {"team", "on-call"}
        ),
        alertmanager.log.read_text,
    )
    assert len(groups(pager)) <= 8
