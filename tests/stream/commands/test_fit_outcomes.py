"""What `fit` says of outcomes, and when it asks whether rows are those of the training."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import roc_auc_score

from driftstream import fit_reference
from stream.cli import cli

N = 4_000
ASKED = "trained on?"
Frame = dict[str, Any]


def rows(*, sure: float = 1.0, seed: int = 0) -> Frame:
    """Scores of a logistic model; `sure` shrinks them to a half (below 1) or away from it."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=N)
    truth = rng.random(N) < 1.0 / (1.0 + np.exp(-3.0 * x))
    score = 1.0 / (1.0 + np.exp(-3.0 * sure * x))
    return {"ts": 1_700_000_000 + np.arange(N), "score": score, "truth": np.where(truth, "y", "n")}


def said(tmp_path: Path, frame: Frame, *options: str) -> str:
    path = tmp_path / "rows.csv"
    lines = [",".join(frame), *(",".join(map(str, row)) for row in zip(*frame.values()))]
    path.write_text("\n".join(lines) + "\n")
    arguments = ["fit", str(path), "--model", "m", "--timestamp", "ts", "--actual", "truth", "-o"]
    result = CliRunner().invoke(cli, [*arguments, str(tmp_path / "m.json"), *options])
    assert result.exit_code == 0, result.output
    return result.output


def test_which_outcomes_there_are_and_how_right_the_model_is(tmp_path: Path) -> None:
    frame = rows()
    is_known = np.arange(N) % 4 > 0
    output = said(
        tmp_path,
        {**frame, "truth": np.where(is_known, frame["truth"], "")},
        "--score",
        "score",
    )
    assert "'y' is positive and meant from a score of 0.5 on" in output
    assert "3,000 of 4,000 rows have a truth" in output
    truth, score = frame["truth"][is_known] == "y", frame["score"][is_known]
    number = r"([\d.]+)"
    for words, value, unit in (
        ("accuracy", np.mean((score >= 0.5) == truth), " %"),
        ("AUC", roc_auc_score(truth, score), ""),
    ):
        found = re.search(rf"{words} {number}{unit} \({number} to {number}\)", output)
        assert found is not None, output
        middle, low, high = (float(found[k]) / (100.0 if unit else 1.0) for k in (1, 2, 3))
        assert low < middle < high
        assert middle == pytest.approx(value, abs=2e-3)
    assert ASKED not in output


def test_a_regression_says_its_mean_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(50.0, 10.0, N)
    frame = {**rows(), "said": truth + rng.normal(2.0, 1.0, N), "truth": truth}
    del frame["score"]
    output = said(tmp_path, frame, "--prediction", "said")
    found = re.search(r"\(numbers\): .*mean absolute error ([\d.]+) \(.*bias ([\d.]+) \(", output)
    assert found is not None, output
    errors = frame["said"] - truth
    assert float(found[1]) == pytest.approx(np.abs(errors).mean(), abs=0.01)
    assert float(found[2]) == pytest.approx(errors.mean(), abs=0.01)
    assert "none is wrong" not in output
    assert "none is wrong" in said(tmp_path, {**frame, "said": truth}, "--prediction", "said")


def test_a_model_that_is_better_than_its_own_scores_was_perhaps_trained_on_the_rows() -> None:
    def asked(frame: Frame) -> bool:
        reference = fit_reference(frame, timestamp="ts", score="score", actual="truth")
        return any(ASKED in warning for warning in reference.warnings)

    honest = rows()
    assert not asked(honest)
    assert not asked(rows(sure=0.7))  # less sure than it could be, and no more
    assert not asked(rows(sure=2.0))
    # As a forest does on its own rows: on the right side of a half, and not so sure of it.
    rng = np.random.default_rng(2)
    right = 0.5 + 0.4 * rng.beta(2, 2, N)
    seen = np.where(honest["truth"] == "y", right, 1.0 - right)
    seen = np.where(rng.random(N) < 0.02, 1.0 - seen, seen)
    assert asked({**honest, "score": seen})


def test_no_error_at_all_is_doubted_without_scores_too() -> None:
    frame = {"x": np.arange(N) % 7, "said": rows()["truth"], "truth": rows()["truth"]}
    reference = fit_reference(frame, prediction="said", actual="truth")
    assert any("none is wrong" in warning for warning in reference.warnings)
    frame["said"] = np.where(np.arange(N) == 5, "n", "y")
    reference = fit_reference(frame, prediction="said", actual="truth")
    assert not any("none is wrong" in warning for warning in reference.warnings)


def test_half_is_an_edge_only_where_scores_are_on_both_sides_of_it() -> None:
    frame = rows()
    frame["said"] = np.where(frame["score"] >= 0.5, "y", "n")
    columns = {"prediction": "said", "score": "score", "actual": "truth", "timestamp": "ts"}

    def edges(frame: Frame) -> np.ndarray:
        (score,) = (s for s in fit_reference(frame, **columns).signals if s.name == "score")
        found: np.ndarray = score.binning.edges
        return found

    assert 0.5 in edges(frame)
    low = {**frame, "score": frame["score"] / 4.0}
    assert edges(low)[-1] < 0.26
