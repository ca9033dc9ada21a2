"""The sample of docker-compose.yml, with its commands, on a real broker and without containers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from detectors import Reference
from stream.client.alert_log import latest_alerts
from stream.config.load import load_config
from stream.contracts.alert_event import decode_alert
from stream.devbroker.broker import Broker, find_broker, free_port
from tests.warm_start import WarmProcess, run_warm

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "deploy" / "sample"
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
INSIDE = "/etc/driftstream/"
LIMIT_S = 180
ALERTMANAGER = shutil.which("prometheus-alertmanager")


def test_the_sample_is_sound() -> None:
    done = run_warm(["check", "-c", str(SAMPLE / "driftstream.toml"), "--offline", "--strict"])
    assert done.returncode == 0, done.stdout
    assert "note: " not in done.stdout


def test_the_sample_fits_what_is_around_it() -> None:
    """Addresses in it are those of services, and of ports that they publish."""
    text = (SAMPLE / "driftstream.toml").read_text()
    for host, port in re.findall(r"(?:\"|//)([a-z]+):(\d+)", text):
        assert host in SERVICES
        assert port in {"kafka": "9092", "alertmanager": "9093"}[host]
    for url, service in (("127.0.0.1:9464/runbooks/", "worker"), ("127.0.0.1:3000/", "grafana")):
        assert f"http://{url}" in text
        (published,) = SERVICES[service]["ports"]
        first, _, last = published.split(":")[1].partition("-")
        assert int(first) == int(re.split(r"[:/]", url)[1])
        assert (
            service != "worker" or int(last) - int(first) >= SERVICES[service]["deploy"]["replicas"]
        )
    default = re.match(r"\$\{DRIFTSTREAM_CONFIG_DIR:-(.+?)\}:", SERVICES["worker"]["volumes"][0])
    assert default is not None
    assert (ROOT / default[1]).resolve() == SAMPLE
    uid = re.search(r"/d/([\w-]+)", text)
    assert uid is not None
    assert json.loads((ROOT / "deploy/grafana/dashboards/model.json").read_text())["uid"] == uid[1]


def test_the_sample_is_as_generated(tmp_path: Path) -> None:
    runpy.run_path(str(SAMPLE / "generate.py"))["main"](tmp_path)
    files = sorted(tmp_path.iterdir())
    assert [made.name for made in files] == ["changed.csv", "demo.csv", "fraud.json"]
    for made in files:
        assert (SAMPLE / made.name).read_bytes() == made.read_bytes(), (
            f"{made.name} is not as generated: run python deploy/sample/generate.py"
        )


@pytest.mark.parametrize(
    ("data", "told"), [("demo.csv", set()), ("changed.csv", {"amount", "score", "label"})]
)
def test_round_after_round_only_what_was_changed_is_told(
    tmp_path: Path, data: str, told: set[str]
) -> None:
    """Twenty minutes of it, in which its rows come 120 times."""
    head, *rows = (SAMPLE / data).read_text().splitlines()
    with (tmp_path / "sent.csv").open("w") as out:
        out.write(f"at,{head}\n")
        out.writelines(
            f"{1_772_000_000 + i / 100:.2f},{rows[i % len(rows)]}\n" for i in range(120_000)
        )
    reference = Reference.from_json((SAMPLE / "fraud.json").read_bytes())
    timed = replace(reference, columns=replace(reference.columns, timestamp="at"))
    (tmp_path / "fraud.json").write_bytes(timed.to_json())
    shutil.copy(SAMPLE / "driftstream.toml", tmp_path)
    sent, config, alerts_file = (
        str(tmp_path / name) for name in ("sent.csv", "driftstream.toml", "alerts.jsonl")
    )
    done = run_warm(["replay", sent, "-c", config, "--alerts", alerts_file])
    assert "120,000 events" in done.stderr, done.stderr
    alerts = map(decode_alert, (tmp_path / "alerts.jsonl").read_bytes().splitlines())
    assert {signal.name for alert in alerts for signal in alert.data.signals} == told


@pytest.fixture
def broker() -> Iterator[Broker]:
    """One of its own, as the sample has topics of fixed names."""
    own = {k: v for k, v in os.environ.items() if k != "KAFKA_BOOTSTRAP_SERVERS"}
    found = find_broker(light=True, env=own)
    if found.broker is None:
        pytest.skip(found.sentence)
    yield found.broker
    found.broker.stop()


class Running:
    """The services of ours as processes: their commands, with addresses of this machine."""

    def __init__(self, folder: Path, bootstrap: str) -> None:
        self.folder = folder
        shutil.copytree(SAMPLE, folder / "config")
        self.config = folder / "config" / "driftstream.toml"
        self.ports = {"9464": free_port(), "9465": free_port(), "9093": free_port()}
        text = self.config.read_text()
        for inside, here in (
            ("kafka:9092", bootstrap),
            ("0.0.0.0:9464", f"127.0.0.1:{self.ports['9464']}"),
            ("alertmanager:9093", f"127.0.0.1:{self.ports['9093']}"),
            ('pane = "10s"', 'pane = "2s"'),  # so that it takes a fifth of the time
        ):
            assert inside in text
            text = text.replace(inside, here)
        self.config.write_text(text)
        self.processes: dict[str, WarmProcess | subprocess.Popen[bytes]] = {}

    def command(self, name: str, **env: str) -> list[str]:
        """A service's own arguments of `driftstream`, with the files and ports of here."""
        words = []
        for word in SERVICES[name]["command"]:
            word = re.sub(r"\$\{(\w+):-(.*?)\}", lambda m: env.get(m[1], m[2]), word)
            word = word.replace(INSIDE, f"{self.config.parent}/")
            words.append(word.replace("0.0.0.0:9465", f"127.0.0.1:{self.ports['9465']}"))
        return words

    def start(self, name: str, command: list[str]) -> None:
        """A service of ours."""
        self.processes[name] = WarmProcess(command, self.folder / f"{name}.log")

    def start_program(self, name: str, command: list[str]) -> None:
        """Another program."""
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    def stop(self, name: str) -> None:
        process = self.processes.pop(name)
        process.terminate()
        process.wait(30)

    def healthy(self, name: str) -> bool:
        """The service's own health check."""
        check = SERVICES[name]["healthcheck"]["test"]
        assert check[:2] == ["CMD", "python"]
        script = check[-1]
        for inside, here in self.ports.items():
            script = script.replace(f":{inside}/", f":{here}/")
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
        return done.returncode == 0

    def wait_for(self, what: Callable[[], object]) -> None:
        end = time.monotonic() + LIMIT_S
        while True:
            with contextlib.suppress(OSError):
                if what():
                    return
            logs = {log.name: log.read_text()[-1500:] for log in self.folder.glob("*.log")}
            assert time.monotonic() < end, logs
            assert all(each.poll() is None for each in self.processes.values()), logs
            time.sleep(0.2)

    def get(self, port: str, path: str) -> Any:
        url = f"http://127.0.0.1:{self.ports[port]}{path}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)


@pytest.fixture
def running(tmp_path: Path, broker: Broker) -> Iterator[Running]:
    services = Running(tmp_path, broker.bootstrap)
    yield services
    for name in list(services.processes):
        services.stop(name)


@pytest.mark.broker
@pytest.mark.skipif(ALERTMANAGER is None, reason="Alertmanager is not installed")
def test_the_sample_is_quiet_and_then_tells_of_the_change(running: Running) -> None:
    assert ALERTMANAGER is not None
    assert run_warm(running.command("topics")).returncode == 0
    assert not running.healthy("worker")
    running.start("worker", running.command("worker"))
    running.start("notify", running.command("notify"))
    running.start_program(
        "alertmanager",
        [
            ALERTMANAGER,
            f"--config.file={ROOT / 'deploy/alertmanager/alertmanager.yml'}",
            f"--storage.path={running.folder / 'alertmanager'}",
            "--cluster.listen-address=",
            f"--web.listen-address=127.0.0.1:{running.ports['9093']}",
        ],
    )
    running.wait_for(lambda: running.healthy("worker") and running.healthy("notify"))
    running.start("producer", faster(running.command("producer")))
    config = load_config(running.config)

    def judged() -> bool:
        models = running.get("9464", "/api/v1/state")["models"]
        return bool(models) and models[0]["worst"] > 0

    running.wait_for(judged)
    assert latest_alerts(config.kafka, config.topics.alerts) == {}
    running.stop("producer")
    running.start("producer", faster(running.command("producer", DEMO_DATA="changed.csv")))
    running.wait_for(lambda: running.get("9093", "/api/v2/alerts"))
    (alert, *_) = running.get("9093", "/api/v2/alerts")
    assert alert["labels"]["model"] == "fraud"
    assert alert["labels"]["environment"] == "sample"
    path = alert["annotations"]["runbook_url"].removeprefix("http://127.0.0.1:9464")
    with urllib.request.urlopen(f"http://127.0.0.1:{running.ports['9464']}{path}") as page:
        assert b"First look" in page.read()


def faster(command: list[str]) -> list[str]:
    """Ten times the events a second: the same panes, full sooner."""
    at = command.index("--rate") + 1
    return [*command[:at], str(10 * int(command[at])), *command[at + 1 :]]
