"""The README's own steps, followed to the last line: what `replay` said is what the worker says."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream.contracts.alert_event import parse_time
from stream.devbroker.broker import free_port

README = Path(__file__).parents[2] / "README.md"
STEPS = re.compile(r"## Your own model in ten lines\n.*?```sh\n(.*?)```", re.S)
#: What is after the frontier of a partition that got no later event waits for more.
SEALED_S = 12 * 3600
pytestmark = [
    pytest.mark.broker,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]
WAIT = """
import json, sys, time
from stream.contracts.alert_event import encode_alert
from stream.client.alert_log import read_alerts
from stream.config.load import load_config

config = load_config("driftstream.toml")
wanted = {one["id"] for one in map(json.loads, open("wanted.jsonl"))}
end = time.monotonic() + 90
while time.monotonic() < end:
    alerts = list(read_alerts(config.kafka, config.topics.alerts))
    if wanted <= {alert.id for alert in alerts}:
        break
    time.sleep(1)
open("seen.jsonl", "wb").writelines(encode_alert(alert) + b"\\n" for alert in alerts)
"""


def write_month(path: Path, start: str, n: int, *, changed_at: int, seed: int) -> None:
    """One prediction a minute; from a row on amounts are larger and scores follow.

    As `df.to_csv()` writes it: with the index, gaps, whole numbers that gaps made floats, a column
    of booleans and none, one of numbers and texts, one of nothing, and one of free text.
    """
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(seed)
    amount = rng.lognormal(3, 1, n) * np.where(np.arange(n) < changed_at, 1.0, 1.6)
    score = 1 / (1 + np.exp(4 - amount / 20 + rng.normal(size=n)))
    shop = rng.choice(np.array([101, 102, "web", "phone"], object), n)
    frame = pandas.DataFrame(
        {
            "ts": pandas.date_range(start, periods=n, freq="min"),
            "amount": amount.round(2),
            "items": rng.integers(1, 9, n),
            "country": rng.choice(["DE", "FR", "US"], n, p=[0.5, 0.3, 0.2]),
            "member": rng.choice(np.array([True, False, None], object), n),
            "shop": shop,
            "empty": None,
            "comment": [f"order {seed} {i}, thank you" for i in range(n)],
            "label": np.where(score > 0.5, "fraud", "ok"),
            "p": score.round(4),
        }
    )
    for column in ("amount", "items", "country"):
        frame[column] = frame[column].mask(rng.random(n) < 0.03)
    frame.to_csv(path)


SETTINGS = """
import sys
from pathlib import Path

path, *pairs = sys.argv[1:]
text = Path(path).read_text()
for pair in pairs:
    written, ours = pair.split("=>")
    assert written in text, f"{path} no longer holds {written!r}"
    text = text.replace(written, ours)
Path(path).write_text(text)
"""


def script(bootstrap: str, prefix: str) -> str:
    """The block as a script, on a broker and topics of the tests."""
    found = STEPS.search(README.read_text())
    assert found, "the README no longer has its ten lines"
    text = found[1]
    address = f"127.0.0.1:{free_port()}"
    ours = shlex.join(
        [
            f"127.0.0.1:9092=>{bootstrap}",
            f"127.0.0.1:9464=>{address}",
            f'topic = "predictions"=>topic = "{prefix}predictions"',
            f'#prefix = ""=>prefix = "{prefix}"',
        ]
    )
    for written, instead in (
        ("replay february.csv ", "replay february.csv --alerts replayed.jsonl "),
        ("driftstream broker start --port 9092", "true"),
        ("driftstream worker -c", "python wanted.py\ndriftstream worker -c"),
        ("driftstream alerts -c driftstream.toml --follow --all ", "python wait.py "),
        ("driftstream ack 4f6988d8", "driftstream ack $(head -c8 episode)"),
        ("127.0.0.1:9464", address),
        ("driftstream replay", f"python settings.py driftstream.toml {ours}\ndriftstream replay"),
    ):
        assert written in text, f"the README no longer holds {written!r}"
        text = text.replace(written, instead)
    return f"set -eux\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{text}"


WANTED = f"""
import json
from stream.contracts.alert_event import parse_time
lines = [json.loads(line) for line in open("replayed.jsonl")]
end = parse_time(open("february.csv").readlines()[-1].split(",")[1].replace(" ", "T") + "Z")
wanted = [one for one in lines if parse_time(one["time"]) < end - {SEALED_S} * 1000]
assert wanted, "replay found nothing"
open("wanted.jsonl", "w").writelines(json.dumps(one) + "\\n" for one in wanted)
open("episode", "w").write(wanted[0]["data"]["episode"])
"""


def test_the_ten_lines(kafka: dict[str, object], topic_prefix: str, tmp_path: Path) -> None:
    january, february = tmp_path / "january.csv", tmp_path / "february.csv"
    write_month(january, "2024-01-01T00:00:00", 31 * 1440, changed_at=10**9, seed=1)
    write_month(february, "2024-02-01T00:00:00", 9_000, changed_at=3_000, seed=2)
    (tmp_path / "settings.py").write_text(SETTINGS)
    (tmp_path / "wait.py").write_text(WAIT)
    (tmp_path / "wanted.py").write_text(WANTED)
    (tmp_path / "steps.sh").write_text(script(str(kafka["bootstrap_servers"]), topic_prefix))
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "steps.sh"],
        cwd=tmp_path,
        env={**os.environ, "PATH": places},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    wanted = read(tmp_path / "wanted.jsonl")
    seen = read(tmp_path / "seen.jsonl")
    until = max(parse_time(alert["time"]) for alert in wanted)
    early = [alert for alert in seen if parse_time(alert["time"]) <= until]
    assert sorted(map(decision, early), key=str) == sorted(map(decision, wanted), key=str)
    assert any(alert["data"]["status"] == "firing" for alert in wanted)
    assert {"data_drift", "prediction_drift"} <= {
        alert["subject"].split("/")[-1] for alert in wanted
    }
    assert re.search(r'driftstream_drift_score\{.*signal="amount"', done.stdout)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def decision(alert: dict[str, Any]) -> tuple[object, ...]:
    """What was decided, in the words in which it was told."""
    data = alert["data"]
    return (
        alert["id"],
        alert["time"],
        data["episode"],
        data["status"],
        data["severity"],
        data["annotations"]["summary"],
    )
