"""Metrics that are expected from scores alone, against those of the rows once labels are there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from detectors.counting.outcome_cells import OutcomeCells
from detectors.outcomes.estimate import estimated_metrics
from detectors.outcomes.metrics import outcome_metrics
from tests.census import census_or_skip
from tests.detectors.outcomes import rows

COST = {"false_positive": 1.0, "false_negative": 6.0}


def scores_of(by, scores: np.ndarray) -> np.ndarray:
    return np.bincount(by.bin(scores), minlength=by.n_bins).astype(np.int64)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(1, 300))
def test_it_is_the_sum_over_rows(seed: int, n_reference: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    known = rng.random(n_reference)
    came = (rng.random(n_reference) < known**2).astype(int)
    cells, reference, by = rows.binary(known, came)
    new = rng.uniform(-0.2, 1.2, n)  # beyond the reference's range too
    found = estimated_metrics(cells, reference, scores_of(by, new), edges=by.edges, cost=COST)
    assert found is not None

    tp = fp = fn = tn = 0.0
    for score in new:  # row by row
        apart = np.abs(by.bin(known) - by.bin(np.array([score])))
        near = came[apart <= 1]
        p = (came[apart == 0].sum() + (near.sum() + 0.5) / (near.size + 1)) / (
            (apart == 0).sum() + 1
        )
        if score >= 0.5:
            tp, fp = tp + p, fp + 1 - p
        else:
            fn, tn = fn + p, tn + 1 - p
    expected = {
        "accuracy": (tp + tn) / n,
        "error_rate": (fp + fn) / n,
        "selection_rate": (tp + fp) / n,
        "positive_rate": (tp + fn) / n,
        "f1": 2 * tp / (2 * tp + fp + fn) if 2 * tp + fp + fn >= 1 else None,
        "precision": tp / (tp + fp) if tp + fp > 0.5 else None,
        "recall": tp / (tp + fn) if tp + fn >= 1 else None,
        "specificity": tn / (tn + fp) if tn + fp >= 1 else None,
        "cost_per_event": (fp + 6 * fn) / n,
    }
    assert {name: metric.value for name, metric in found.items()} == {
        name: pytest.approx(value, abs=1e-9)
        for name, value in expected.items()
        if value is not None
    }
    assert all(metric.low <= metric.value <= metric.high for metric in found.values())


def test_realised_metrics_are_in_the_interval() -> None:
    """95 % of them, with a small reference as well: without its error 77 % of accuracies are."""
    rng = np.random.default_rng(21)
    by = rows.score_binning(rng.beta(1, 2, 50_000))
    inside: dict[str, int] = {}
    runs, drifted = 1_000, 0
    for _ in range(runs):
        known, new = rng.beta(1, 2, 1_500), rng.beta(1.3, 1.6, 1_500)  # inputs move
        cells, reference, _ = rows.binary(
            known, (rng.random(1_500) < known).astype(int), binning=by
        )
        found = estimated_metrics(cells, reference, scores_of(by, new), edges=by.edges, cost=COST)
        assert found is not None
        _, counts, _ = rows.binary(new, (rng.random(1_500) < new).astype(int), binning=by)
        realised = outcome_metrics(cells, counts, cost=COST)
        for name, metric in found.items():
            # The whole metric of a window is a whole number of events: half of one is no error.
            inside[name] = inside.get(name, 0) + (
                metric.low - 1e-9 <= realised[name].value <= metric.high + 1e-9
            )
        _, counts, _ = rows.binary(new, (rng.random(1_500) < 0.8 * new).astype(int), binning=by)
        drifted += not (
            found["positive_rate"].low
            <= outcome_metrics(cells, counts)["positive_rate"].value
            <= found["positive_rate"].high
        )
    assert inside.pop("selection_rate") == runs
    assert len(inside) == 8
    assert all(925 <= hits <= 980 for hits in inside.values()), inside
    assert drifted > 900, "where the relation changed it shows"


def test_several_classes_by_confidence() -> None:
    rng = np.random.default_rng(22)
    inside = 0
    for _ in range(300):
        sides = []
        for alpha in (4.0, 2.0):
            confidence = rng.beta(alpha, 2.0, 2_000)
            actual = rng.integers(0, 3, 2_000)
            right = rng.random(2_000) < confidence
            sides.append((confidence, actual, np.where(right, actual, (actual + 1) % 3)))
        confidence, actual, predicted = sides[0]
        cells, reference, by = rows.multiclass(predicted, actual, 3, confidence)
        assert by is not None
        confidence, actual, predicted = sides[1]
        found = estimated_metrics(cells, reference, scores_of(by, confidence), edges=by.edges)
        assert found is not None
        assert found.keys() == {"accuracy", "error_rate"}
        assert found["accuracy"].value == pytest.approx(1.0 - found["error_rate"].value)
        realised = float((predicted == actual).mean())
        inside += found["accuracy"].low <= realised <= found["accuracy"].high
    assert 270 <= inside <= 296


def test_the_threshold_of_a_prediction_beside_its_score() -> None:
    rng = np.random.default_rng(23)
    score = rng.random(5_000)
    actual = (rng.random(5_000) < score).astype(int)
    by = rows.score_binning(score, 0.7)
    window = scores_of(by, rng.random(1_000))
    by_score, reference, _ = rows.binary(score, actual, threshold=0.7, binning=by)
    expected = estimated_metrics(by_score, reference, window, edges=by.edges)

    beside, reference, _ = rows.binary(score, actual, (score >= 0.7).astype(int), binning=by)
    assert estimated_metrics(beside, reference, window, edges=by.edges) == expected
    # A rule over the score: the score alone does not tell what is predicted.
    ruled = ((score >= 0.7) & (rng.random(5_000) < 0.97)).astype(int)
    beside, reference, _ = rows.binary(score, actual, ruled, binning=by)
    assert estimated_metrics(beside, reference, window, edges=by.edges) is None


def test_no_estimate_where_scores_do_not_tell() -> None:
    score = np.linspace(0.0, 1.0, 100)
    cells, reference, by = rows.binary(score, (score > 0.3).astype(int))
    window = scores_of(by, score)
    assert estimated_metrics(cells, reference, window, edges=by.edges) is not None
    assert estimated_metrics(cells, np.zeros_like(reference), window, edges=by.edges) is None
    unscored = np.zeros_like(window)
    unscored[by.missing] = 100
    assert estimated_metrics(cells, reference, unscored, edges=by.edges) is None
    with pytest.raises(ValueError, match="score must be"):
        estimated_metrics(cells, reference, window[1:], edges=by.edges)
    number = OutcomeCells("regression", actual="a", predicted="p")
    none = np.zeros(0, np.int64)
    assert estimated_metrics(number, np.ones(6, np.int64), none, edges=np.zeros(0)) is None


def test_design_effect_widens() -> None:
    score = np.linspace(0.0, 1.0, 1_000)
    cells, reference, by = rows.binary(score, (score > 0.3).astype(int))
    one, four = (
        estimated_metrics(cells, reference, scores_of(by, score), edges=by.edges, phi=phi)
        for phi in (1.0, 4.0)
    )
    assert one is not None
    assert four is not None
    wide = four["accuracy"].high - four["accuracy"].low
    assert wide == pytest.approx(2 * (one["accuracy"].high - one["accuracy"].low))


def test_census_accuracy_is_known_before_its_labels() -> None:
    """208,892 rows: to four digits as by rows, each of which gets the share of the rows like it.

    An isotonic fit, which gives each row a share of its own, says so to three.
    """
    data = census_or_skip()
    found = estimated_metrics(
        data.cells, data.known, data.scores(data.later), edges=data.binning.edges
    )
    assert found is not None
    known, later = data.reference, data.later
    isotonic = IsotonicRegression(out_of_bounds="clip").fit(known.score, known.employed)
    p = isotonic.predict(later.score)
    by_rows = float(np.where(later.score >= 0.5, p, 1.0 - p).mean())
    assert found["accuracy"].value == pytest.approx(by_rows, abs=5e-4)
    edges = data.binning.edges
    alike = [np.searchsorted(edges, rows.score, "right") for rows in (known, later)]
    share = np.zeros(edges.size + 1)
    for like in np.unique(alike[0]).tolist():
        share[like] = np.asarray(known.employed)[alike[0] == like].mean()
    p = share[alike[1]]
    by_rows = float(np.where(later.score >= 0.5, p, 1.0 - p).mean())
    assert found["accuracy"].value == pytest.approx(by_rows, abs=5e-5)
    realised = outcome_metrics(data.cells, data.outcomes(later))
    for name in ("accuracy", "precision", "recall", "f1"):
        assert found[name].value == pytest.approx(realised[name].value, abs=0.01)
