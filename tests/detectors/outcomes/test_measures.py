"""What limits are put on is what `outcome_metrics` tells, and bins tell of signals."""

from __future__ import annotations

import numpy as np
import pytest

from detectors import fit_reference
from detectors.counting.outcome_cells import OutcomeCells
from detectors.outcomes.measures import (
    OF_CLASS,
    OF_OUTCOMES,
    outcome_measure,
    quantile_measure,
    signal_measure,
)
from detectors.outcomes.metrics import outcome_metrics
from tests.detectors.outcomes import rows

COSTS = 5.0, 120.0


@pytest.mark.parametrize("metric", OF_OUTCOMES["binary"])
@pytest.mark.parametrize("own_prediction", [True, False])
def test_of_two_classes(metric: str, own_prediction: bool) -> None:
    rng = np.random.default_rng(1)
    actual = (rng.random(700) < 0.3).astype(int)
    score = np.clip(rng.normal(0.4 + 0.2 * actual, 0.2), 0.0, 1.0)
    said = (rng.random(700) < 0.3).astype(int) if own_prediction else None
    cells, counts, _ = rows.binary(score, actual, said)
    cost = dict(zip(("false_positive", "false_negative"), COSTS, strict=True))
    known = outcome_metrics(cells, counts, cost=cost)[metric].value
    measure = outcome_measure(cells, metric, costs=COSTS if metric == "cost_per_event" else (0, 0))
    assert measure.metric(counts) == pytest.approx(known, rel=1e-9)
    assert measure.metric_of(measure.mean_of(0.4)) == pytest.approx(0.4)
    assert np.isnan(measure.metric(np.zeros_like(counts)))


@pytest.mark.parametrize("metric", OF_OUTCOMES["multiclass"])
def test_of_several(metric: str) -> None:
    rng = np.random.default_rng(2)
    actual, said = rng.integers(0, 5, (2, 900))  # the last two are names without a class
    said = np.where(rng.random(900) < 0.6, actual, said)
    cells, counts, _ = rows.multiclass(said, actual, 3)
    found = outcome_metrics(cells, counts)
    if metric not in OF_CLASS:
        assert outcome_measure(cells, metric).metric(counts) == found[metric].value
        return
    for name in cells.classes:
        measure = outcome_measure(cells, metric, name)
        assert measure.metric(counts) == pytest.approx(found[f"{metric}[{name}]"].value)
    with pytest.raises(ValueError, match="value must be a class, one of c0, c1, c2"):
        outcome_measure(cells, metric, "c3")


def test_squares_are_those_of_single_events() -> None:
    """Of costs, and of errors of numbers."""
    cells = OutcomeCells(task="binary", actual="a", predicted="p", classes=("0", "1"))
    counts = np.zeros(cells.width, np.int64)
    counts[[1, 3, 4]] = 2, 3, 7  # misses, false positives, hits
    cost = outcome_measure(cells, "cost_per_event", costs=COSTS)
    assert cost.bound == 120.0
    assert cost.squares is not None
    assert cost.squares @ counts == 2 * 120.0**2 + 3 * 5.0**2
    numbers = OutcomeCells(task="regression", actual="a", predicted="p", unit=0.5)
    mae = outcome_measure(numbers, "mae")
    assert mae.squares is not None
    held = np.array([2, 0, 6, 4, 0, 52], np.int64)  # errors of +6 and -4 units
    assert mae.metric(held) == outcome_metrics(numbers, held)["mae"].value == 2.5
    assert mae.squares @ held == 3.0**2 + 2.0**2


def test_of_signals() -> None:
    rng = np.random.default_rng(3)
    n = 4_000
    data = {
        "took": np.where(rng.random(n) < 0.03, np.nan, rng.gamma(4.0, 0.025, n)),
        "city": rng.choice(["bonn", "rome"], n, p=[0.7, 0.3]).tolist(),
    }
    known = fit_reference(data, model="m", version="", roles={}, times_ms=None, segments=()).signals
    took, city = known
    values = data["took"][~np.isnan(data["took"])]
    mean = signal_measure(took, "mean")
    assert mean.metric(took.counts) == pytest.approx(values.mean(), rel=1e-9)
    moved = took.binning.bin(values * 1.1)
    counts = np.bincount(moved, minlength=took.binning.n_bins)
    assert mean.metric(counts) == pytest.approx(1.1 * values.mean(), rel=0.02)
    assert signal_measure(took, "missing_rate").metric(took.counts) == pytest.approx(0.03, abs=0.01)
    share = signal_measure(city, "share", "rome").metric(city.counts)
    assert share == pytest.approx(0.3, abs=0.03)
    above, edge = quantile_measure(took, 0.15, upper=True)
    assert 0.15 < edge < 0.16
    assert above.metric(took.counts) == pytest.approx(np.mean(values >= edge), abs=2e-3)
    below, edge = quantile_measure(took, 0.06, upper=False)
    assert 0.055 < edge <= 0.06
    assert below.metric(took.counts) == pytest.approx(np.mean(values < edge), abs=2e-3)


def test_a_value_at_an_upper_limit_is_within_it() -> None:
    data = {"k": np.repeat([1.0, 2.0, 3.0], 100)}
    (signal,) = fit_reference(
        data, model="m", version="", roles={}, times_ms=None, segments=()
    ).signals
    above, _ = quantile_measure(signal, 2.0, upper=True)
    below, _ = quantile_measure(signal, 2.0, upper=False)
    assert above.metric(signal.counts) == below.metric(signal.counts) == pytest.approx(1 / 3)
