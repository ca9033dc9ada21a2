"""A memory without end is told of, and none that ends is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from benchmarks.gates.g10_memory import NULLS
from detectors import fit_reference
from detectors.fitting.long_memory import long_memory
from tests.oracles.whittle import naive_ratio

SECOND = 1_000
ENDING = [
    name
    for name, null in NULLS.items()
    if not name.startswith(("fractional", "names")) and null.rows >= 1_000
]


def ratios(name: str, seeds: int) -> np.ndarray:
    """Ratio and order of streams of a kind."""
    null = NULLS[name]
    found = [
        long_memory(np.asarray(null.make(np.random.default_rng([41, k]), null.rows), np.float64))
        for k in range(seeds)
    ]
    return np.array(found)


@pytest.mark.parametrize("name", ENDING)
def test_what_ends_is_not_told_of(name: str) -> None:
    assert (ratios(name, 10)[:, 1] > 3.5).sum() <= 1


def test_a_daily_season_is_no_memory() -> None:
    season = np.sin(2 * np.pi * np.arange(20_160) / 1_440)
    noise = np.random.default_rng(1).normal(size=season.size)
    assert long_memory(season + noise)[1] < 3.5


@pytest.mark.parametrize(
    ("name", "d", "least"), [("fractional d = .1", 0.1, 8), ("fractional d = .2", 0.2, 10)]
)
def test_what_does_not_end_is_found(name: str, d: float, least: int) -> None:
    found = ratios(name, 10)
    assert (found[:, 1] > 3.5).sum() >= least
    assert found[:, 0].mean() == pytest.approx(d, abs=0.04)


@pytest.mark.parametrize("name", ["AR .9", "AR .99", "fractional d = .2"])
@pytest.mark.parametrize("rows", [1_000, 9_973])
def test_the_ratio_is_that_of_the_plain_likelihood(name: str, rows: int) -> None:
    values = np.asarray(NULLS[name].make(np.random.default_rng(rows), rows), np.float64)
    assert long_memory(values) == pytest.approx(naive_ratio(rankdata(values).tolist()), abs=1e-6)


def test_fit_says_so_of_rows_in_any_order() -> None:
    rng = np.random.default_rng(5)
    n = 10_000
    columns = {
        "long": np.asarray(NULLS["fractional d = .2"].make(rng, n)),
        "short": rng.normal(size=n),
    }
    times = SECOND * np.arange(n, dtype=np.int64)
    shuffled = rng.permutation(n)
    reference = fit_reference(
        {name: values[shuffled] for name, values in columns.items()},
        model="m",
        times_ms=times[shuffled],
    )
    (said,) = [w for w in reference.warnings if "long ago still shows" in w]
    assert said.startswith("long: ")


def test_too_little_says_nothing() -> None:
    rng = np.random.default_rng(5)
    assert long_memory(rng.normal(size=999)) == (0.0, 0.0)
    assert long_memory(np.ones(2_000)) == (0.0, 0.0)
    assert long_memory(np.full(2_000, np.nan)) == (0.0, 0.0)
