"""Metrics from cells are scikit-learn's of the rows, and their intervals cover."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from detectors.counting.outcome_cells import LARGEST_ERROR, OutcomeCells
from detectors.outcomes.metrics import Metric, outcome_metrics
from tests.detectors.outcomes import rows

seeds = st.integers(0, 2**32 - 1)
OFTEN = settings(max_examples=60, deadline=None)


def close(found: Metric, expected: float, rel: float = 1e-9) -> None:
    assert found.value == pytest.approx(float(expected), rel=rel, abs=1e-12)
    if not math.isnan(found.low):
        assert found.low <= found.value <= found.high


@OFTEN
@given(seeds, st.integers(1, 400), st.sampled_from([0.0, 0.02, 0.5, 1.0]), st.booleans())
def test_binary_is_scikit_learns(seed: int, n: int, rate: float, own_prediction: bool) -> None:
    rng = np.random.default_rng(seed)
    actual = (rng.random(n) < rate).astype(int)
    score = np.clip(rng.normal(0.4 + 0.2 * actual, 0.2), 0.0, 1.0)
    predicted = (rng.random(n) < 0.3).astype(int) if own_prediction else (score >= 0.5).astype(int)
    cells, counts, by = rows.binary(score, actual, predicted if own_prediction else None)
    found = outcome_metrics(
        cells, counts, edges=by.edges, cost={"false_positive": 5.0, "false_negative": 120.0}
    )

    wrong = ((predicted == 1) & (actual == 0)).mean(), ((predicted == 0) & (actual == 1)).mean()
    expected = {
        "accuracy": sk.accuracy_score(actual, predicted),
        "error_rate": sk.zero_one_loss(actual, predicted),
        "selection_rate": predicted.mean(),
        "positive_rate": actual.mean(),
        "cost_per_event": 5.0 * wrong[0] + 120.0 * wrong[1],
        "calibration_error": found["calibration_error"].value,  # has a test of its own
    }
    if predicted.any():
        expected["precision"] = sk.precision_score(actual, predicted)
    if actual.any():
        expected["recall"] = sk.recall_score(actual, predicted)
    if not actual.all():
        expected["specificity"] = sk.recall_score(actual, predicted, pos_label=0)
    if predicted.any() or actual.any():
        expected["f1"] = sk.f1_score(actual, predicted)
    for name, value in expected.items():
        close(found[name], value)
    close(found["brier"], sk.brier_score_loss(actual, score, labels=[0, 1]), 1e-6)
    close(found["log_loss"], sk.log_loss(actual, score, labels=[0, 1]), 1e-6)
    named = {*expected, "brier", "log_loss"}

    if actual.any() and not actual.all():
        named.add("auc")
        ties = _tied_pairs(by.bin(score), actual)
        exact = sk.roc_auc_score(actual, score)
        assert abs(found["auc"].value - exact) <= ties / 2 + 1e-12
        # Of the bins themselves it is exact.
        close(found["auc"], sk.roc_auc_score(actual, by.bin(score)))
    assert found.keys() == named, "what is not defined is left out"


def _tied_pairs(bins: np.ndarray, actual: np.ndarray) -> float:
    positive, negative = (np.bincount(bins[actual == c], minlength=80) for c in (1, 0))
    return float(positive @ negative) / float(positive.sum() * negative.sum())


@OFTEN
@given(seeds, st.integers(1, 300), st.integers(2, 6), st.floats(0.0, 1.0))
def test_several_classes_are_scikit_learns(seed: int, n: int, k: int, skill: float) -> None:
    """Class k is any other name: its rows count against the classes, and are none itself."""
    rng = np.random.default_rng(seed)
    actual = rng.choice(k + 1, n, p=rng.dirichlet(np.full(k + 1, 0.5)))
    predicted = np.where(rng.random(n) < skill, actual, rng.integers(0, k + 1, n))
    cells, counts, _ = rows.multiclass(predicted, actual, k)
    found = outcome_metrics(cells, counts)

    named = set()
    sure = ~((actual == k) & (predicted == k))
    if sure.any():
        named |= {"accuracy", "error_rate"}
        close(found["accuracy"], sk.accuracy_score(actual[sure], predicted[sure]))
        close(found["error_rate"], sk.zero_one_loss(actual[sure], predicted[sure]))
    scores = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}
    for name, score in scores.items():
        of = partial(score, actual, predicted, labels=range(k), zero_division=np.nan)
        by_class = np.asarray(of(average=None), float)
        for c, value in enumerate(by_class):
            if not math.isnan(value):
                named.add(f"{name}[c{c}]")
                close(found[f"{name}[c{c}]"], value)
        if not np.isnan(by_class).all():
            named.add(f"{name}_macro")
            close(found[f"{name}_macro"], of(average="macro"))
    assert found.keys() == named


@OFTEN
@given(seeds, st.integers(1, 300), st.sampled_from([1e-6, 1.0, 1e9]))
def test_regression_is_scikit_learns(seed: int, n: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    actual = rng.normal(0.0, scale, n)
    predicted = actual + rng.normal(0.3 * scale, scale, n)
    cells, counts = rows.regression(predicted, actual, unit=scale * 2.0**-22)
    found = outcome_metrics(cells, counts)
    assert found.keys() == {"mae", "rmse", "bias"}
    expected = {
        "mae": sk.mean_absolute_error(actual, predicted),
        "rmse": sk.root_mean_squared_error(actual, predicted),
        "bias": (predicted - actual).mean(),
    }
    for name, value in expected.items():  # an error is rounded to its unit
        assert found[name].value == pytest.approx(float(value), abs=cells.unit * 0.51)
    assert math.isnan(found["rmse"].low)


def test_a_clipped_error_leaves_no_interval() -> None:
    predicted, actual = np.array([1.0, 3.0, 1e12]), np.zeros(3)
    cells, counts = rows.regression(predicted, actual, unit=1.0)
    found = outcome_metrics(cells, counts)
    close(found["mae"], (4.0 + LARGEST_ERROR) / 3.0)
    assert math.isnan(found["mae"].high)
    assert math.isnan(found["bias"].high)


def test_a_known_calibration_error() -> None:
    """Scores .2 and .8, of which .3 and .6 come: |.1| and |.2|, half of the events each."""
    score = np.repeat([0.2, 0.8], 1_000)
    actual = np.concatenate([np.arange(1_000) < 300, np.arange(1_000) < 600]).astype(int)
    cells, counts, by = rows.binary(score, actual)
    found = outcome_metrics(cells, counts, edges=by.edges)["calibration_error"]
    assert found.value == pytest.approx(0.15, abs=1e-7)
    assert math.isnan(found.low)
    assert "calibration_error" not in outcome_metrics(cells, counts)


def test_confidence_of_several_classes_is_calibrated_or_not() -> None:
    rng = np.random.default_rng(3)
    confidence = rng.uniform(0.4, 1.0, 20_000)
    actual = rng.integers(0, 3, 20_000)
    right = rng.random(20_000) < confidence
    predicted = np.where(right, actual, (actual + 1) % 3)
    for claimed, low, high in ((confidence, 0.0, 0.02), (np.sqrt(confidence), 0.12, 0.16)):
        cells, counts, by = rows.multiclass(predicted, actual, 3, claimed)
        assert by is not None
        found = outcome_metrics(cells, counts, edges=by.edges)
        assert low < found["calibration_error"].value < high
        assert "brier" not in found


def test_no_outcome_no_metric() -> None:
    cells, counts, by = rows.binary(np.linspace(0, 1, 50), np.zeros(50))
    assert outcome_metrics(cells, np.zeros_like(counts), edges=by.edges) == {}
    cells, counts, _ = rows.multiclass(np.zeros(1), np.zeros(1), 3)
    assert outcome_metrics(cells, np.zeros_like(counts)) == {}
    cells, counts = rows.regression(np.zeros(1), np.zeros(1), 1.0)
    assert outcome_metrics(cells, np.zeros_like(counts)) == {}


def test_arguments_are_checked() -> None:
    cells, counts, by = rows.binary(np.linspace(0, 1, 50), np.zeros(50))
    with pytest.raises(ValueError, match="counts must be"):
        outcome_metrics(cells, counts[1:])
    with pytest.raises(ValueError, match="edges must be"):
        outcome_metrics(cells, counts, edges=by.edges[1:])
    with pytest.raises(ValueError, match="phi must be"):
        outcome_metrics(cells, counts, phi=0.0)
    with pytest.raises(ValueError, match="cost is that of"):
        outcome_metrics(cells, counts, cost={"false_alarm": 1.0})


def test_design_effect_widens_and_moves_nothing() -> None:
    rng = np.random.default_rng(5)
    score = rng.random(2_000)
    cells, counts, by = rows.binary(score, (rng.random(2_000) < score).astype(int))
    metrics = [
        outcome_metrics(cells, counts, edges=by.edges, phi=phi, cost={"false_negative": 2.0})
        for phi in (1.0, 4.0)
    ]
    for name, one in metrics[0].items():
        four = metrics[1][name]
        assert four.value == one.value
        if name != "calibration_error":
            assert four.high - four.low == pytest.approx(2 * (one.high - one.low), rel=0.05)


@pytest.mark.parametrize("n", [60, 1_000])
def test_intervals_of_a_binary_model_cover(n: int) -> None:
    """95 % of intervals hold the truth; 97 % to 92 % of 1,000 is chance and small samples."""
    rng = np.random.default_rng(11)
    cost = {"false_positive": 1.0, "false_negative": 6.0}
    big = rng.random(400_000) ** 1.5
    by = rows.score_binning(big)

    def draw(score: np.ndarray) -> dict[str, Metric]:
        actual = (rng.random(score.size) < score).astype(int)
        cells, counts, _ = rows.binary(score, actual, binning=by)
        return outcome_metrics(cells, counts, edges=by.edges, cost=cost)

    truth = draw(big)
    names = truth.keys() - {"calibration_error"}
    inside = dict.fromkeys(names, 0)
    for _ in range(1_000):
        found = draw(rng.random(n) ** 1.5)
        for name in names & found.keys():
            inside[name] += found[name].low <= truth[name].value <= found[name].high
    assert all(920 <= hits <= 985 for hits in inside.values()), inside


@pytest.mark.parametrize("skill", [0.7, 0.97])
def test_macro_intervals_cover(skill: float) -> None:
    """Also where all of a class is often right; there Wilson's own interval covers 91 %."""
    rng = np.random.default_rng(12)
    n = 300
    probabilities = [0.6, 0.3, 0.1]

    def draw(n: int) -> dict[str, Metric]:
        actual = rng.choice(3, n, p=probabilities)
        predicted = np.where(rng.random(n) < skill, actual, rng.integers(0, 3, n))
        cells, counts, _ = rows.multiclass(predicted, actual, 3)
        return outcome_metrics(cells, counts)

    truth = draw(1_000_000)
    names = ("recall_macro", "precision_macro", "f1_macro")
    inside = dict.fromkeys(names, 0)
    for _ in range(1_000):
        found = draw(n)
        for name in names:
            inside[name] += found[name].low <= truth[name].value <= found[name].high
    assert all(900 <= hits <= 990 for hits in inside.values()), inside


def test_auc_in_perfect_order_is_not_certain() -> None:
    """7 positives over 1,000 negatives: Wilson's limit of 7 of 7."""
    score = np.append(np.linspace(0.0, 0.4, 1_000), np.full(7, 0.9))
    actual = np.append(np.zeros(1_000), np.ones(7)).astype(int)
    cells, counts, _ = rows.binary(score, actual)
    found = outcome_metrics(cells, counts)["auc"]
    assert found.value == 1.0
    low = stats.binomtest(7, 7).proportion_ci(method="wilson").low
    assert (found.low, found.high) == (pytest.approx(low), 1.0)


def test_a_class_beyond_a_binary_models_two_is_not_positive() -> None:
    cells = OutcomeCells("binary", actual="a", predicted="p", classes=("ok", "fraud"))
    counts = np.array([50, 4, 1, 3, 20, 2, 5, 6, 9], np.int64)
    found = outcome_metrics(cells, counts)
    assert found["accuracy"][::3] == (70 / 91, 91)
    assert found["precision"][::3] == (20 / 25, 25)
    assert found["recall"][::3] == (20 / 30, 30)
    assert found["specificity"][::3] == (65 / 70, 70)
