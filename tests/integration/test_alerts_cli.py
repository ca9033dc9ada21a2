"""What people do with alerts: read them, filter them, acknowledge one; on a real broker."""

from __future__ import annotations

import json
import re
import shutil
import signal
import urllib.request
from pathlib import Path

import msgspec
import pytest

from stream.client.alert_log import read_alerts
from stream.client.records import publish
from stream.contracts.alert_event import AlertEvent, encode_alert
from stream.kafka.topics import WantedTopic, create_topics
from tests.integration.test_cli_kafka import must, run
from tests.integration.test_notify import Alertmanager, Notify, wait_for
from tests.stream.notify_tools import alert, hook
from tests.warm_start import WarmProcess

pytestmark = pytest.mark.broker


@pytest.fixture
def config(tmp_path: Path, kafka: dict[str, object], topic_prefix: str) -> Path:
    topic = f"{topic_prefix}alerts"
    create_topics(kafka, [WantedTopic(topic, 2, {"cleanup.policy": "delete"})])
    path = tmp_path / "config.toml"
    path.write_text(
        f"""
[kafka]
bootstrap_servers = "{kafka["bootstrap_servers"]}"
[worker]
group = "{topic_prefix}group"
[topics]
alerts = "{topic}"
[[models]]
name = "fraud"
reference = "not-read.json"
"""
    )
    say(
        kafka,
        topic_prefix,
        alert("fraud"),
        alert("fraud", revision=2, severity="critical"),
        alert("churn", opened=30),
        alert("churn", opened=30, revision=2, status="resolved"),
    )
    return path


def say(kafka: dict[str, object], prefix: str, *events: AlertEvent) -> None:
    publish(
        kafka,
        f"{prefix}alerts",
        [(e.data.fingerprint.encode(), encode_alert(e), ()) for e in events],
    )


def lines(config: Path, *options: str) -> list[str]:
    return must("alerts", "-c", config, *options).stdout.splitlines()


def test_alerts_are_filtered_and_an_incident_is_replayed(config: Path) -> None:
    assert len(lines(config)) == 2
    assert len(lines(config, "--all")) == 4
    (fraud,) = lines(config, "--status", "firing")
    assert "critical" in fraud
    identity = alert("fraud").data.episode[:8]
    assert f" {identity} fraud v3: " in fraud
    assert len(lines(config, "--model", "churn")) == 1
    assert len(lines(config, "--severity", "critical")) == 1
    assert len(lines(config, "--kind", "data_drift")) == 2
    # Every event of the example is of one time; the file says which.
    assert len(lines(config, "--since", "2026-03-01T12:30:00Z")) == 2
    none = run("alerts", "-c", config, "--since", "2026-03-02T00:00:00", "--kind", "system")
    assert none.exit_code == 0
    assert none.stderr.endswith("alerts for system\n")
    assert run("alerts", "-c", config, "--since", "noon").exit_code == 2

    assert lines(config)[0] == fraud, "what fires comes before what ended"
    told = must("alerts", "-c", config, "--episode", identity).stdout
    assert told.rstrip().endswith("what to do: https://wiki.example/driftstream/data_drift")
    assert told.count("fraud v3: Data drift") == 2
    assert "revision 1" in told
    assert "revision 2" in told
    assert "by chance" in told
    assert "2026-03-01 12:07" in told
    assert "churn" not in told


def test_the_severe_comes_first(config: Path, kafka: dict[str, object], topic_prefix: str) -> None:
    late = alert("late", opened=2, severity="critical")
    late = msgspec.structs.replace(late, time="2026-03-01T15:00:00.000Z")
    say(kafka, topic_prefix, alert("low", severity="info"), alert("mild"), late)
    order = [re.findall(r" (firing|resolved) +(\w+) ", line)[0] for line in lines(config)]
    firing = ["critical", "critical", "warning", "info"]
    assert order == [*(("firing", severity) for severity in firing), ("resolved", "warning")]
    assert late.data.episode[:8] in lines(config, "--severity", "critical")[0]


def test_following_begins_now(
    config: Path, kafka: dict[str, object], topic_prefix: str, tmp_path: Path
) -> None:
    """And earlier where it is asked for; an ack of before is known."""
    identity = alert("fraud").data.episode[:8]
    must("ack", identity, "-c", config, "--by", "ann")
    command = ["alerts", "-c", str(config), "--follow"]
    logs = {name: tmp_path / name for name in ("now", "all", "since")}
    more = {"now": [], "all": ["--all"], "since": ["--since", "2026-03-01T00:00:00Z"]}
    running = []
    try:
        for name, log in logs.items():
            running.append(WarmProcess([*command, *more[name]], log))
        for name in ("all", "since"):
            wait_for(lambda log=logs[name]: log.read_text().count(" v3") == 4, logs[name].read_text)
        wait_for(lambda: "from now on; --since" in logs["now"].read_text(), logs["now"].read_text)

        def told() -> bool:
            nonlocal revision
            revision += 1  # what is published before it listens is not of now
            say(kafka, topic_prefix, alert("fraud", revision=revision))
            return " v3" in logs["now"].read_text()

        revision = 2
        wait_for(told, logs["now"].read_text)
        (first, *_) = [line for line in logs["now"].read_text().splitlines() if " v3" in line]
        assert "fraud v3" in first
        assert "[acknowledged by ann" in first
        assert "churn" not in logs["now"].read_text()
        for process in running:
            process.send_signal(signal.SIGINT)
        assert [process.wait(180) for process in running] == [0, 0, 0]
    finally:
        for process in running:  # one that is left would fail the tests after this one, too
            process.kill()
            process.wait()


def test_an_ack_stops_notifications_and_breaks_no_reader(
    config: Path, kafka: dict[str, object], topic_prefix: str, tmp_path: Path
) -> None:
    identity = alert("fraud").data.episode
    wrong = run("ack", "ffff", "-c", config)
    assert wrong.exit_code == 1
    assert "no episodes whose id begins with 'ffff'" in wrong.stderr
    ended = run("ack", alert("churn", opened=30).data.episode, "-c", config)
    assert "ended at" in ended.stderr
    assert run("ack", identity, "-c", config, "--until", "soon").exit_code == 2

    with hook() as team:
        config.write_text(f'{config.read_text()}[[notify]]\ntype = "webhook"\nurl = "{team.url}"\n')
        notify = Notify(config)
        try:
            wait_for(lambda: team.taken == [alert("fraud", revision=2).id], notify.log.read_text)
            done = must("ack", identity[:10], "-c", config, "--by", "ann", "--note", "known")
            assert f"{identity[:8]} fraud/3/data_drift: not notified of until" in done.stdout
            other, worse = alert("other"), alert("fraud", revision=3, severity="critical")
            say(kafka, topic_prefix, worse, other)
            wait_for(lambda: other.id in team.taken, notify.log.read_text)
            end = alert("fraud", revision=4, status="resolved", severity="critical")
            say(kafka, topic_prefix, end)
            wait_for(lambda: end.id in team.taken, notify.log.read_text)
            assert worse.id not in team.taken
            assert notify.end(signal.SIGTERM) == 0, notify.log.read_text()
            assert "ignored" not in notify.log.read_text()
        finally:
            notify.end(signal.SIGKILL)
    assert len(list(read_alerts(kafka, f"{topic_prefix}alerts"))) == 7
    (fraud,) = lines(config, "--model", "fraud")
    assert "[acknowledged by ann until " in fraud
    assert fraud.endswith("UTC: known]")
    assert all(json.loads(line)["type"].endswith("alert.v1") for line in lines(config, "--json"))


@pytest.mark.skipif(
    shutil.which("prometheus-alertmanager") is None,
    reason="Alertmanager is not installed (Debian's package prometheus-alertmanager)",
)
def test_alertmanager_shows_an_acknowledged_alert_as_suppressed(
    config: Path, tmp_path: Path
) -> None:
    with hook() as pager:
        alertmanager = Alertmanager(tmp_path, pager)
        alertmanager.start()
        config.write_text(
            f'{config.read_text()}[[notify]]\ntype = "alertmanager"\nurl = "{alertmanager.url}"\n'
        )
        notify = Notify(config)

        def states() -> list[str]:
            url = f"{alertmanager.url}/api/v2/alerts"
            with urllib.request.urlopen(url, timeout=5) as answer:
                return [a["status"]["state"] for a in json.loads(answer.read())]

        try:
            wait_for(lambda: states() == ["active"], notify.log.read_text)
            must("ack", alert("fraud").data.episode, "-c", config)
            wait_for(lambda: states() == ["suppressed"], notify.log.read_text)
            must("ack", alert("fraud").data.episode, "-c", config, "--until", "now")
            wait_for(lambda: states() == ["active"], notify.log.read_text)
            assert notify.end(signal.SIGTERM) == 0, notify.log.read_text()
        finally:
            notify.end(signal.SIGKILL)
            alertmanager.stop()
