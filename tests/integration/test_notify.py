"""`driftstream notify` between a real broker, a real Alertmanager and a real webhook."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stream.client.records import publish
from stream.contracts.alert_event import AlertEvent, encode_alert
from stream.devbroker.broker import free_port
from stream.kafka.topics import WantedTopic, create_topics
from tests.integration.worker_kit import installer, make_events
from tests.stream.notify_tools import Hook, alert, hook
from tests.warm_start import WarmProcess

ROOT = Path(__file__).parents[2]
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")

pytestmark = [
    pytest.mark.broker,
    pytest.mark.skipif(
        ALERTMANAGER is None,
        reason="Alertmanager is not installed (Debian's package prometheus-alertmanager)",
    ),
]


def wait_for(
    what: Callable[[], object], words: Callable[[], str] = str, timeout: float = 180
) -> None:
    end = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < end, words()
        time.sleep(0.1)


class Alertmanager:
    """Debian's Alertmanager, which tells a webhook what it would tell people."""

    def __init__(self, folder: Path, pager: Hook) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = folder / "alertmanager.yml"
        self.config.write_text(
            "route: {receiver: pager, group_by: ['...'], group_wait: 0s, group_interval: 1s}\n"
            f"receivers: [{{name: pager, webhook_configs: [{{url: '{pager.url}'}}]}}]\n"
        )
        self.log = folder / "alertmanager.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert ALERTMANAGER is not None
        command = [
            ALERTMANAGER,
            f"--config.file={self.config}",
            "--cluster.listen-address=",
            f"--storage.path={self.config.parent / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(self.is_ready, self.log.read_text)

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def firing(self) -> dict[tuple[str, str], dict[str, Any]]:
        """(model, severity) -> what it shows as active."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts?active=true", timeout=5) as answer:
            alerts = msgspec.json.decode(answer.read())
        return {(a["labels"]["model"], a["labels"]["severity"]): a for a in alerts}


class Notify:
    """The command in a process of its own."""

    def __init__(self, config: Path) -> None:
        self.log = config.parent / "notify.log"
        self.address = f"127.0.0.1:{free_port()}"
        arguments = ["notify", "-c", str(config), "--metrics-address", self.address]
        self.process = WarmProcess(arguments, self.log)

    def page(self, path: str) -> str:
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=5) as answer:
            text: str = answer.read().decode()
            return text

    def metric(self, name: str, target: str) -> float:
        line = f'driftstream_notify_{name}{{target="{target}"}} '
        return next(
            float(row.removeprefix(line))
            for row in self.page("/metrics").splitlines()
            if row.startswith(line)
        )

    def end(self, number: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture
def pager() -> Iterator[Hook]:
    with hook() as here:
        yield here


@pytest.fixture
def alertmanager(tmp_path: Path, pager: Hook) -> Iterator[Alertmanager]:
    server = Alertmanager(tmp_path, pager)
    server.start()
    yield server
    server.stop()


def told(pager: Hook) -> list[tuple[str, str, str]]:
    """(status, model, severity) of every notification of Alertmanager's, in order."""
    return [
        (a["status"], a["labels"]["model"], a["labels"]["severity"])
        for _, _, body in list(pager.requests)
        for a in msgspec.json.decode(body)["alerts"]
    ]


def test_an_episode_reaches_alertmanager_and_resolves(
    kafka: dict[str, object],
    topic_prefix: str,
    tmp_path: Path,
    alertmanager: Alertmanager,
    pager: Hook,
) -> None:
    topic = f"{topic_prefix}alerts"
    create_topics(kafka, [WantedTopic(topic, 1, {"cleanup.policy": "delete"})])

    def say(*events: AlertEvent) -> None:
        publish(kafka, topic, [(e.data.fingerprint.encode(), encode_alert(e), ()) for e in events])

    def shows(*expected: tuple[str, str]) -> Callable[[], bool]:
        return lambda: alertmanager.is_ready() and set(alertmanager.firing()) == set(expected)

    with hook() as team:
        config = tmp_path / "config.toml"
        config.write_text(
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
[[notify]]
type = "alertmanager"
url = "{alertmanager.url}"
timeout = "2s"
[[notify]]
type = "webhook"
url = "{team.url}"
"""
        )
        log = tmp_path / "notify.log"
        first = [alert("fraud"), alert("old"), alert("old", revision=2, status="resolved")]
        say(*first)
        notify = Notify(config)
        try:
            # Firing: what was on the topic before the first start, but not what had ended.
            wait_for(shows(("fraud", "warning")), log.read_text)
            shown = alertmanager.firing()["fraud", "warning"]
            assert shown["annotations"]["summary"] == first[0].data.annotations.summary
            assert shown["startsAt"] == first[0].data.starts_at
            wait_for(lambda: team.taken == [first[0].id], log.read_text)

            assert (notify.page("/healthz"), notify.page("/readyz")) == (
                "alive\n",
                "1 open episodes\n",
            )
            assert notify.metric("delivered_total", "webhook") == 1
            assert notify.metric("failed_total", "alertmanager") == 0
            wait_for(lambda: notify.metric("lag_records", "webhook") == 0)

            # Update: another severity is another alert, and the former one ends.
            worse = alert("fraud", revision=2, severity="critical")
            say(worse)
            wait_for(shows(("fraud", "critical")), log.read_text)
            wait_for(lambda: ("resolved", "fraud", "warning") in told(pager), log.read_text)

            # Alertmanager goes away, forgets, and the notifier is killed in the meantime.
            alertmanager.stop()
            churn = alert("churn")
            say(churn)
            wait_for(lambda: "notify alertmanager: not delivered" in log.read_text())
            wait_for(lambda: team.taken[-1] == churn.id, log.read_text)  # the others do not wait
            assert notify.metric("failed_total", "alertmanager") >= 1
            wait_for(lambda: notify.metric("lag_records", "alertmanager") == 1)
            assert "trying again: alertmanager" in notify.page("/readyz")
            time.sleep(1)  # a commit
            notify.end(signal.SIGKILL)
            notify = Notify(config)
            wait_for(lambda: log.read_text().count("ready: ") == 2, log.read_text)
            alertmanager.start()
            wait_for(shows(("fraud", "critical"), ("churn", "warning")), log.read_text)

            # Resolved, explicitly, at once; a copy of an old revision changes nothing.
            say(alert("fraud", revision=3, status="resolved", severity="critical"), worse)
            wait_for(shows(("churn", "warning")), log.read_text)
            wait_for(lambda: ("resolved", "fraud", "critical") in told(pager), log.read_text)

            # Ended properly and started again: nothing is told twice.
            said = list(team.taken)
            assert notify.end(signal.SIGTERM) == 0, log.read_text()
            notify = Notify(config)
            last = alert("churn", revision=2, status="resolved")
            say(last)
            wait_for(shows(), log.read_text)
            wait_for(lambda: last.id in team.taken, log.read_text)
            assert team.taken == [*said, last.id]
            assert said == [first[0].id, worse.id, churn.id, alert("fraud", revision=3).id]
            assert notify.end(signal.SIGTERM) == 0, log.read_text()
        finally:
            notify.end(signal.SIGKILL)
    assert ("firing", "old", "warning") not in told(pager)


def test_a_drift_travels_from_the_worker_to_alertmanager(
    kafka: dict[str, object],
    topic_prefix: str,
    tmp_path: Path,
    alertmanager: Alertmanager,
    pager: Hook,
) -> None:
    changed, back = make_events(30_000, 8_000)[:14_000], make_events(30_000, None, seed=2)[14_000:]
    with installer(kafka, topic_prefix, tmp_path, {"snapshot_interval": "500ms"}) as make:
        site = make()
        expected = site.expected_alerts([*changed, *back])
        assert [status for _, _, status in expected][-1] == "resolved"
        assert len({episode for episode, _, _ in expected}) == 1
        worker = site.start()
        config = tmp_path / "config.toml"
        config.write_text(
            f'{config.read_text()}[[notify]]\ntype = "alertmanager"\nurl = "{alertmanager.url}"\n'
        )
        notify = Notify(config)
        log = tmp_path / "notify.log"
        try:
            site.wait_ready(worker)
            site.produce(changed, close=False)
            wait_for(lambda: alertmanager.firing(), log.read_text)
            (shown,) = alertmanager.firing().values()
            assert shown["labels"]["alertname"] == "DataDrift"
            assert {"f1", "f2"} & set(shown["annotations"]["signals"].split(", "))
            assert shown["annotations"]["episode"] == expected[0][0]
            site.produce(back)
            site.wait_for(lambda: len(site.alerts()) >= len(expected))
            wait_for(lambda: not alertmanager.firing(), log.read_text)
            wait_for(lambda: told(pager) and told(pager)[-1][0] == "resolved", log.read_text)
            assert site.alerts() == expected
            assert notify.end(signal.SIGTERM) == 0, log.read_text()
        finally:
            notify.end(signal.SIGKILL)
