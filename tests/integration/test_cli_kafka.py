"""The walk-through of the README on a real broker, command by command."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stream.cli import cli
from stream.config.load import load_config
from stream.contracts.alert_event import decode_alert
from stream.devbroker.broker import free_port
from tests.stream.commands.test_cli_files import FIT, write_rows

LIMIT_S = 180


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments])


def must(*arguments: object) -> Result:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def config(tmp_path: Path, kafka: dict[str, object], topic_prefix: str) -> Path:
    """A config on the shared broker, with topics of this test's own."""
    write_rows(tmp_path / "january.csv", 6000, start="2026-01-01T00:00:00")
    write_rows(tmp_path / "changed.csv", 4000, start="2026-02-01T00:00:00", seed=2, shift=0.6)
    must("fit", tmp_path / "january.csv", *FIT, "-o", tmp_path / "fraud.json")
    names = "\n".join(
        f'{name} = "{topic_prefix}{name}"'
        for name in ("summaries", "plans", "alerts", "dead_letter", "state")
    )
    path = tmp_path / "driftstream.toml"
    path.write_text(
        f"""
[kafka]
bootstrap_servers = "{kafka["bootstrap_servers"]}"
[worker]
group = "{topic_prefix}group"
metrics_address = "127.0.0.1:{free_port()}"
[topics]
partitions = 2
prediction_partitions = 3
{names}
[[models]]
name = "fraud"
topic = "{topic_prefix}predictions"
reference = "fraud.json"
pane = "1m"
[[silences]]
kinds = ["prediction_drift"]
start = "2026-01-01T00:00:00Z"
end = "2100-01-01T00:00:00Z"
reason = "a new cut-off"
"""
    )
    return path


@contextlib.contextmanager
def worker(config: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "stream.cli", "worker", "-c", str(config)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def page(config: Path, name: str) -> str:
    address = load_config(config).worker.metrics_address
    with urllib.request.urlopen(f"http://{address}/{name}", timeout=5) as answer:
        text: str = answer.read().decode()
        return text


def wait_for(what: str, done: object) -> None:
    assert callable(done)
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if done():
                return
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {LIMIT_S} s")


def test_walk_through(config: Path, tmp_path: Path) -> None:
    before = run("topics", "-c", config)
    assert before.exit_code == 1
    assert "does not exist. Create it: driftstream topics --create." in before.stderr
    assert run("check", "-c", config).exit_code == 1
    created = must("topics", "-c", config, "--create")
    assert created.stderr.count("created ") == 6
    assert "6 topics" in must("check", "-c", config).stdout

    assert "published, in force from the beginning" in must("plan", "publish", "-c", config).stdout
    assert "already there" in must("plan", "publish", "-c", config).stdout
    assert "fraud" in must("plan", "list", "-c", config).stdout
    assert "amount, age, country, label, p" in must("plan", "show", "fraud", "-c", config).stdout
    whole = json.loads(must("plan", "show", "fraud", "-c", config, "--json").stdout)
    assert whole["settings"]["pane_ms"] == 60_000
    assert run("plan", "show", "other", "-c", config).exit_code == 1
    assert "no alerts on" in must("alerts", "-c", config).stderr

    out = tmp_path / "replayed.jsonl"
    must("replay", tmp_path / "changed.csv", "-c", config, "--alerts", out)
    replayed = {decode_alert(line).id for line in out.read_bytes().splitlines()}
    with worker(config) as process:
        wait_for("ready", lambda: "5 partitions" in page(config, "readyz"))
        address = load_config(config).worker.metrics_address
        assert process.stderr is not None
        first = process.stderr.readline()
        assert first.endswith(f": page http://{address}/, metrics at http://{address}/metrics\n")
        sent = must("produce", tmp_path / "changed.csv", "-c", config, "--model", "fraud")
        assert "4,000 events to" in sent.stderr
        counted = 'driftstream_events_total{model="fraud",outcome="counted"} 4000.0'
        wait_for("events", lambda: counted in page(config, "metrics"))
        wait_for("alerts", lambda: run("alerts", "-c", config).stdout.count("firing") == 2)
        wait_for("gauge", lambda: "driftstream_alert_active{" in page(config, "metrics"))
        metrics = page(config, "metrics")
        assert page(config, "healthz") == "alive\n"
        assert '<main id="content">' in page(config, "")
        shown = json.loads(page(config, "api/v1/state?model=fraud"))
        assert {row["kind"] for row in shown["episodes"]} == {"data_drift", "prediction_drift"}
        assert shown["detail"]["signals"][0]["bars"]["window"]
        assert [each["reason"] for each in shown["silences"]] == ["a new cut-off"]
        quiet = {row["kind"]: row["silence"] for row in shown["episodes"]}
        assert quiet["data_drift"] is None
        assert quiet["prediction_drift"]["reason"] == "a new cut-off"
        (drift,) = (row["id"] for row in shown["episodes"] if row["kind"] == "data_drift")
        must("ack", drift[:12], "-c", config, "--by", "anna", "--note", "known")
        wait_for("ack", lambda: '"by":"anna"' in page(config, "api/v1/state"))
        acks = {r["id"]: r["ack"] for r in json.loads(page(config, "api/v1/state"))["episodes"]}
        assert [id_ for id_, ack in acks.items() if ack is not None] == [drift]
        assert acks[drift]["note"] == "known"
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0
    assert 'driftstream_drift_score{model="fraud",model_version="3",segment="",signal="amount"' in (
        metrics
    )
    if shutil.which("promtool"):
        lint = subprocess.run(
            ["promtool", "check", "metrics"], input=metrics, capture_output=True, text=True
        )
        assert (lint.returncode, lint.stdout + lint.stderr) == (0, "")

    lines = must("alerts", "-c", config, "--json", "--all").stdout.splitlines()
    assert {decode_alert(line.encode()).id for line in lines} <= replayed
    sentences = must("alerts", "-c", config).stdout
    assert "Data drift: " in sentences
    assert "'amount'" in sentences
    assert "Prediction drift: " in sentences
    assert "no alerts" in must("alerts", "-c", config, "--model", "other").stderr
    episode = decode_alert(lines[0].encode()).data.episode
    must("report", "--episode", episode[:12], "-c", config, "-o", tmp_path / "report.html")
    report = (tmp_path / "report.html").read_text()
    assert episode in report
    assert "Is it the right reference?" in report
    assert "what limits its reference is not known" not in report, "its plan is on its topic"
    check_kcat(
        must("report", "--episode", episode, "-c", config, "--format", "md", "-o", "-").stdout
    )


def check_kcat(ticket: str) -> None:
    """The commands of a ticket read as many events as their offsets say."""
    commands = [shlex.split(line) for line in ticket.splitlines() if line.startswith("kcat ")]
    asked = [int(command[command.index("-c") + 1]) for command in commands]
    assert len(asked) > 1
    assert 1_000 < sum(asked) <= 4_000
    if shutil.which("kcat") is None:
        pytest.skip("no kcat: all else of this test was made")
    for command, n in zip(commands, asked, strict=True):
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
        read = [json.loads(line)["model"]["name"] for line in done.stdout.splitlines()]
        assert read == ["fraud"] * n, done.stderr


def test_produce_at_a_rate_and_wrong_model(config: Path, tmp_path: Path) -> None:
    must("topics", "-c", config, "--create")
    write_rows(tmp_path / "few.csv", 50, start="2026-02-01T00:00:00")
    sent = must("produce", tmp_path / "few.csv", "-c", config, "--model", "fraud", "--rate", 500)
    assert "50 events to" in sent.stderr
    wrong = run("produce", tmp_path / "few.csv", "-c", config, "--model", "fraude")
    assert wrong.exit_code == 2
    assert "there is no model 'fraude'. It has: fraud." in wrong.stderr


def test_a_worker_without_topics_says_so(config: Path) -> None:
    with worker(config) as process:
        _, words = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 1
    assert "driftstream.toml" not in words
    assert "driftstream topics --create" in words
    assert "Traceback" not in words


def test_rebase_makes_the_last_events_the_reference(config: Path, tmp_path: Path) -> None:
    must("topics", "-c", config, "--create")
    must("plan", "publish", "-c", config)
    nothing = run("plan", "rebase", "-c", config, "--model", "fraud")
    assert nothing.exit_code == 1
    assert "has no counts of fraud against a reference" in nothing.stderr
    with worker(config) as process:
        wait_for("ready", lambda: "5 partitions" in page(config, "readyz"))
        must("produce", tmp_path / "changed.csv", "-c", config, "--model", "fraud")
        wait_for("alerts", lambda: run("alerts", "-c", config).stdout.count("firing") == 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0
    rebase = ("plan", "rebase", "-c", config, "--model", "fraud", "--last", "30d")
    before = (tmp_path / "fraud.json").read_bytes()
    dry = must(*rebase, "--dry-run")
    assert "would be rebased on" in dry.stdout
    assert (tmp_path / "fraud.json").read_bytes() == before
    assert "choose one with --version" in run(*rebase, "--version", "none").stderr
    done = must(*rebase)
    assert "fraud: rebased on 3," in done.stdout
    assert "are few for a reference" in done.stderr
    (kept,) = tmp_path.glob("fraud.*.json")
    assert kept.read_bytes() == before
    assert (tmp_path / "fraud.json").read_bytes() != before
    # What a worker would publish at its start is there already; the data are no drift any more.
    assert "already there" in must("plan", "publish", "-c", config).stdout
    assert must("plan", "list", "-c", config).stdout.count("predictions") == 2
    calm = must("replay", tmp_path / "changed.csv", "-c", config)
    assert "firing" not in calm.stdout
    # Somebody comes with the reference of before: nothing is undone, and it is said.
    (tmp_path / "fraud.json").write_bytes(before)
    older = run("plan", "publish", "-c", config)
    assert older.exit_code == 1
    assert "is an older one and was not published" in older.stderr
    with worker(config) as process:
        wait_for("ready", lambda: "5 partitions" in page(config, "readyz"))
        process.send_signal(signal.SIGTERM)
        _, words = process.communicate(timeout=LIMIT_S)
    assert "warning: fraud: this config's plan" in words
    assert must("plan", "list", "-c", config).stdout.count("predictions") == 2
    assert "published, in force" in must("plan", "publish", "--again", "-c", config).stdout
    assert must("plan", "list", "-c", config).stdout.count("predictions") == 3
