"""`driftstream replay` ends with how right the model was in the last full window."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from stream.cli import cli

N = 6_000


def write(path: Path, seed: int, *, turned: bool) -> None:
    rng = np.random.default_rng(seed)
    score = rng.random(N)
    truth = (rng.random(N) < score) ^ (turned & (np.arange(N) >= N // 2))
    rows = [
        f"{1_700_000_000 + i},{s:.5f},{'yes' if t else 'no'},{'eu' if i % 3 else 'us'}"
        for i, (s, t) in enumerate(zip(score, truth))
    ]
    path.write_text("\n".join(["ts,score,truth,region", *rows]) + "\n")


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    write(tmp_path / "ref.csv", 0, turned=False)
    out = tmp_path / "ref.json"
    columns = ["--timestamp", "ts", "--score", "score", "--actual", "truth", "--segment", "region"]
    arguments = ["fit", str(tmp_path / "ref.csv"), "--model", "churn", *columns, "-o", str(out)]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    return out


def test_metrics_at_the_end_of_the_file(tmp_path: Path, reference: Path) -> None:
    write(tmp_path / "now.csv", 1, turned=True)
    metrics, report = tmp_path / "m.jsonl", tmp_path / "r.md"
    arguments = ["replay", str(tmp_path / "now.csv"), "--reference", str(reference)]
    done = CliRunner().invoke(cli, [*arguments, "--metrics", str(metrics), "--report", str(report)])
    assert done.exit_code == 0, done.output
    said = re.search(
        r"outcomes in the last full window: ([\d,]+) truths in ([\d,]+) events; accuracy "
        r"([\d.]+) % \([\d.]+ to [\d.]+\), usually ([\d.]+) %; AUC",
        done.output,
    )
    assert said is not None, done.output
    assert float(said[3]) < 35 < 70 < float(said[4])
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    found = {(x["segment"], x["metric"]): x for x in lines if "metric" in x}
    assert {segment for segment, _ in found} == {"", "region=eu", "region=us"}
    accuracy = found["", "accuracy"]
    assert accuracy["value"] == pytest.approx(float(said[3]) / 100.0, abs=1e-3)
    assert accuracy["low"] < accuracy["value"] < accuracy["high"] < accuracy["estimated_low"]
    assert found["", "calibration_error"]["low"] is None
    assert "## Outcomes" in report.read_text()
