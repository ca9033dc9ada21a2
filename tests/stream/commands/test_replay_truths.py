"""Truths that come after their predictions, in files of events: as if they had come at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from stream.cli import cli

N = 8_000
START = 1_700_006_400  # midnight
STEP = 25
DAY = 86_400


def written(path: Path, seed: int, *, turned: bool, nightly: bool = False) -> None:
    """Two days of predictions, their truths six hours later or all at once in the next night."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=N)
    score = 1 / (1 + np.exp(-1.5 * x))
    truth = (rng.random(N) < score) ^ (turned & (np.arange(N) >= N // 2))
    events: list[tuple[float, dict[str, Any]]] = []
    for i in range(N):
        at = START + i * STEP
        head = {"model": {"name": "churn"}, "prediction_id": f"p{i}"}
        said = {"score": round(float(score[i]), 5)}
        features = {"x": round(float(x[i]), 4)}
        events.append((at, {**head, "timestamp": at, "features": features, "prediction": said}))
        known = (at // DAY + 1) * DAY + 7_200 + i * 1e-3 if nightly else at + 6 * 3_600
        actual = {"label": "yes" if truth[i] else "no"}
        events.append((
            known,
            {
                **head, "timestamp": known, "prediction": said, "actual": actual,
                "prediction_timestamp": at,
            },
        ))  # fmt: skip
    events.sort(key=lambda pair: pair[0])
    path.write_text("".join(json.dumps(event) + "\n" for _, event in events))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("truths")
    written(folder / "ref.jsonl", 0, turned=False)
    out = folder / "ref.json"
    arguments = ["fit", str(folder / "ref.jsonl"), "--model", "churn", "-o", str(out)]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    assert f"{N:,} truths came later and were joined to the row" in done.output
    assert f"{N:,} of {N:,} rows have a truth" in done.output
    return out


def episodes(data: Path, reference: Path) -> list[dict[str, Any]]:
    out = data.with_suffix(".alerts")
    arguments = ["replay", str(data), "--reference", str(reference), "--alerts", str(out)]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in out.read_text().splitlines()]


@pytest.mark.parametrize("nightly", [False, True], ids=["six hours", "nightly"])
def test_labels_that_turn_are_found_and_those_that_do_not_are_silent(
    tmp_path: Path, reference: Path, nightly: bool
) -> None:
    written(tmp_path / "same.jsonl", 1, turned=False, nightly=nightly)
    assert episodes(tmp_path / "same.jsonl", reference) == []
    written(tmp_path / "turned.jsonl", 1, turned=True, nightly=nightly)
    found = episodes(tmp_path / "turned.jsonl", reference)
    worst = {(alert["data"]["labels"]["kind"], alert["data"]["severity"]) for alert in found}
    assert ("performance", "critical") in worst
    assert ("concept_drift", "critical") in worst
    assert {kind for kind, _ in worst} == {"performance", "concept_drift"}


def test_windows_hold_each_prediction_once(tmp_path: Path, reference: Path) -> None:
    written(tmp_path / "now.jsonl", 2, turned=False)
    metrics = tmp_path / "m.jsonl"
    arguments = ["replay", str(tmp_path / "now.jsonl"), "--reference", str(reference)]
    done = CliRunner().invoke(cli, [*arguments, "--metrics", str(metrics)])
    assert done.exit_code == 0, done.output
    assert "truths in" in done.output
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    windows = {x["time"]: x["n"] for x in lines if x.get("signal") == "x"}
    assert 0.8 * N < sum(windows.values()) <= N
