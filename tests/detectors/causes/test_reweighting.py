"""What a feature explains of a prediction's move, against a naive twin and by its laws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from detectors import Reference, fit_reference
from detectors.causes import expected_errors, explained
from detectors.references.joint import FeatureTable
from tests.oracles import reweighting as oracle

BINS, GROUPS = 6, 5


def counts(*shape: int, most: int = 300) -> Any:
    return hnp.arrays(np.int64, shape, elements=st.integers(0, most))


TABLES = counts(BINS, GROUPS)
MARGINS = counts(BINS).filter(np.any)


@settings(max_examples=300, deadline=None)
@given(TABLES, MARGINS, MARGINS, counts(GROUPS), counts(GROUPS))
def test_it_is_its_naive_twin(rows: Any, usual: Any, now: Any, before: Any, after: Any) -> None:
    assume(before.any() and after.any() and rows[usual > 0].any())
    found = explained(FeatureTable.of(rows, None), usual, now, before, after)
    naive = oracle.explained(*(part.tolist() for part in (rows, usual, now, before, after)))
    assert (found is None) == (naive is None)
    if found is not None and naive is not None:
        assert found == pytest.approx(naive, abs=1e-9)
        assert 0.0 <= found.share <= 1.0
        assert 0.0 <= found.unknown <= 1.0 + 1e-12


@settings(max_examples=200, deadline=None)
@given(TABLES, MARGINS, counts(GROUPS))
def test_what_did_not_move_explains_nothing(rows: Any, usual: Any, after: Any) -> None:
    before = rows.sum(axis=0)
    assume(before.any() and after.any() and rows[usual > 0].any())
    found = explained(FeatureTable.of(rows, None), usual, 3 * usual, before, after)
    assert found is None or found.share == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=200, deadline=None)
@given(counts(BINS, GROUPS, most=20), counts(BINS, most=5).filter(np.any))
def test_a_window_that_is_the_reweighted_reference_is_explained(rows: Any, times: Any) -> None:
    rows = rows + np.eye(BINS, GROUPS, dtype=np.int64)
    rows[-1, 0] += 1  # no bin is empty
    usual, before = rows.sum(axis=1), rows.sum(axis=0)
    now, after = times * usual, times @ rows
    found = explained(FeatureTable.of(rows, None), usual, now, before, after)
    assert found is None or found.share == pytest.approx(1.0, abs=1e-9)
    assert found is None or found.unknown == 0.0


def test_values_without_a_row_explain_nothing() -> None:
    rows = np.array([[90, 10], [10, 90], [0, 0]])
    table, usual = FeatureTable.of(rows, None), np.array([100, 100, 0])
    before, after = np.array([100, 100]), np.array([100, 900])
    whole = explained(table, usual, np.array([0, 1_000, 0]), before, after)
    half = explained(table, usual, np.array([0, 500, 500]), before, after)
    none = explained(table, usual, np.array([0, 0, 1_000]), before, after)
    assert whole == (pytest.approx(1.0), 0.0)
    assert half is not None
    assert half.unknown == 0.5
    assert 0.3 < half.share < 0.95
    assert none == (0.0, 1.0)


def test_a_move_that_chance_makes_is_not_explained() -> None:
    table, usual = FeatureTable.of(np.array([[50, 50], [50, 50]]), None), np.array([100, 100])
    said = np.array([100, 100])
    assert explained(table, usual, usual, said, np.array([52, 48])) is None
    assert explained(table, usual, usual, said, np.array([0, 0])) is None


def fitted(seed: int, n: int = 10_000) -> Reference:
    return fit_reference(rows(seed, n), model="m", roles={"score": "score", "actual": "actual"})


def rows(seed: int, n: int, *, x: float = 0.0, idle: float = 0.0) -> dict[str, Any]:
    """The score follows x and a hidden cause, and is wrong more often where x is high."""
    rng = np.random.default_rng(seed)
    value, hidden = rng.normal(x, 1.0, n), rng.normal(size=n)
    score = 1.0 / (1.0 + np.exp(-value - 0.3 * hidden))
    came = rng.random(n) < np.where(value > 1.0, 0.5, score)
    return {
        "x": value,
        "idle": rng.normal(idle, 1.0, n),
        "score": score,
        "actual": np.where(came, "yes", "no"),
    }


def of_window(reference: Reference, data: dict[str, Any], name: str) -> tuple[Any, ...]:
    """What `explained` takes, of one feature of a window of these rows."""
    signals = {signal.name: signal for signal in reference.signals}
    joint = reference.joint
    assert joint is not None
    feature, said = signals[name], signals[joint.said]
    groups = said.calibration.groups

    def binned(signal: Any) -> Any:
        at = signal.binning.bin(np.asarray(data[signal.name], np.float64))
        return np.bincount(at, minlength=signal.binning.n_bins)

    return (
        joint.features[name],
        feature.counts,
        binned(feature),
        np.bincount(groups, said.counts).astype(np.int64),
        np.bincount(groups, binned(said)).astype(np.int64),
    )


@pytest.mark.parametrize("window", [300, 1_000, 5_000])
def test_the_input_that_moved_the_score_explains_it_and_others_do_not(window: int) -> None:
    """Both moved, and the score follows one of them: over twenty references and windows."""
    shares: dict[str, list[float]] = {"x": [], "idle": []}
    for seed in range(20):
        reference = fitted(seed)
        data = rows(seed + 100, window, x=0.8, idle=0.8)
        for name, found in shares.items():
            result = explained(*of_window(reference, data, name))
            assert result is not None
            found.append(result.share)
    assert np.mean(shares["x"]) > 0.93
    assert min(shares["x"]) > 0.8
    assert np.mean(shares["idle"]) < 0.02
    assert max(shares["idle"]) < 0.1


def test_of_a_move_that_another_cause_makes_an_input_explains_its_part() -> None:
    reference, data = fitted(1), rows(2, 4_000, x=0.4)
    data["score"] = 1.0 / (1.0 + np.exp(-np.log(data["score"] / (1.0 - data["score"])) - 0.8))
    found = explained(*of_window(reference, data, "x"))
    assert found is not None
    assert 0.2 < found.share < 0.7


@settings(max_examples=200, deadline=None)
@given(counts(BINS, 2), MARGINS, MARGINS)
def test_expected_errors_are_their_naive_twin(table: Any, usual: Any, now: Any) -> None:
    table[:, 1] = np.minimum(table[:, 0], table[:, 1])  # no more are wrong than known
    found = expected_errors(FeatureTable.of(np.ones((BINS, 2), np.int64), table), usual, now)
    assert (found is None) == (not table[:, 1].any())
    if found is not None:
        assert found.before == pytest.approx(oracle.errors(table.tolist(), usual.tolist()))
        assert found.after == pytest.approx(oracle.errors(table.tolist(), now.tolist()))
        assert not (found.more and found.after <= found.before)


def test_errors_to_expect_are_those_that_come() -> None:
    reference, data = fitted(3, 20_000), rows(4, 20_000, x=0.8)
    table, usual, now, *_ = of_window(reference, data, "x")
    found = expected_errors(table, usual, now)
    assert found is not None
    wrong = (data["score"] >= 0.5) != (data["actual"] == "yes")
    assert found.after == pytest.approx(float(np.mean(wrong)), abs=0.015)
    assert found.more


def test_an_input_that_errors_do_not_follow_lets_expect_no_more() -> None:
    for seed in range(20):
        table, usual, now, *_ = of_window(fitted(seed), rows(seed + 50, 1_000, idle=1.0), "idle")
        found = expected_errors(table, usual, now)
        assert found is not None
        assert not found.more


def test_values_whose_truth_is_not_known_count_with_the_mean() -> None:
    errors = np.array([[100, 10], [0, 0]])
    table = FeatureTable.of(np.ones((2, 2), np.int64), errors)
    found = expected_errors(table, np.array([1, 0]), np.array([0, 1]))
    assert found is not None
    assert (found.before, found.after, found.unknown, found.more) == (0.1, 0.1, 1.0, False)
    assert expected_errors(FeatureTable.of(errors, None), np.ones(2, int), np.ones(2, int)) is None
