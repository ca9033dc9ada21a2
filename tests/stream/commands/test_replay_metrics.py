"""`driftstream replay --metrics`: every test of every window, a line each."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from stream.cli import cli
from stream.contracts.alert_event import decode_alert
from tests.stream.commands.test_cli_files import FIT, write_rows


def test_every_test_of_every_window(tmp_path: Path) -> None:
    write_rows(tmp_path / "january.csv", 6000, start="2026-01-01T00:00:00")
    write_rows(tmp_path / "changed.csv", 4000, start="2026-02-01T00:00:00", seed=2, shift=0.6)
    runner = CliRunner()
    reference = tmp_path / "fraud.json"
    fitted = runner.invoke(cli, ["fit", str(tmp_path / "january.csv"), *FIT, "-o", str(reference)])
    assert fitted.exit_code == 0, fitted.output
    data, alerts, metrics = (str(tmp_path / n) for n in ("changed.csv", "a.jsonl", "m.jsonl"))
    done = runner.invoke(
        cli,
        ["replay", data, "--reference", str(reference), "--alerts", alerts, "--metrics", metrics],
    )
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in Path(metrics).read_text().splitlines()]
    lines = [line for line in lines if "untested" not in line]
    assert all(
        list(line) == ["time", "segment", "signal", "test", "value", "threshold", "n"]
        for line in lines
    )
    psi = [line for line in lines if line["test"] == "psi" and line["signal"] == "amount"]
    assert len(psi) >= 3
    assert [line["time"] for line in psi] == sorted({line["time"] for line in psi})
    assert all(line["value"] > line["threshold"] and line["n"] >= 300 for line in psi)
    quiet = [line for line in lines if line["test"] == "psi" and line["signal"] == "age"]
    assert len(quiet) == len(psi)
    # What an alert says of a window is what stands here of it.
    events = [decode_alert(line) for line in Path(alerts).read_bytes().splitlines()]
    said = {
        (event.data.window.end, signal.name, signal.test, signal.value)
        for event in events
        for signal in event.data.signals[:1]
        if signal.test == "psi"
    }
    assert said
    assert said <= {(x["time"], x["signal"], x["test"], x["value"]) for x in lines}
