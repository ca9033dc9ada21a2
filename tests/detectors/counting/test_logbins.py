from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from detectors.counting.log_histogram import MOST_BINS, MOST_LEVELS, LogCounts

values = hnp.arrays(np.float64, st.integers(0, 1200), elements=st.floats())


def same(a: LogCounts, b: LogCounts) -> bool:
    return (
        (a.level, a.zero, a.skipped) == (b.level, b.zero, b.skipped)
        and a.keys.tolist() == b.keys.tolist()
        and a.counts.tolist() == b.counts.tolist()
    )


@given(values, st.integers(0, 1200), st.booleans())
def test_any_partition_merges_to_the_same_sketch(
    sample: np.ndarray, cut: int, other_way: bool
) -> None:
    whole = LogCounts().add(sample)
    parts = [LogCounts().add(sample[:cut]), LogCounts().add(sample[cut:])]
    if other_way:
        parts.reverse()
    assert same(LogCounts().merge(parts[0]).merge(parts[1]), whole)
    assert same(LogCounts().add(sample[:cut]).add(sample[cut:]), whole)
    assert whole.keys.size <= MOST_BINS
    assert whole.numbers + whole.skipped == sample.size


def test_wide_samples_merge_bins_and_still_merge_in_any_order() -> None:
    rng = np.random.default_rng(0)
    sample = rng.normal(size=20_000) * 10.0 ** rng.integers(-200, 200, 20_000)
    whole = LogCounts().add(sample)
    assert whole.level > 5
    merged = LogCounts()
    for part in np.array_split(sample, 37)[::-1]:
        merged.merge(LogCounts().add(part))
    assert same(merged, whole)


@pytest.mark.parametrize("q", [0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0])
def test_quantiles_are_within_the_published_error(q: float) -> None:
    rng = np.random.default_rng(1)
    for sample in (rng.lognormal(size=5_001), rng.normal(size=5_001) * 1e-5):
        sketch = LogCounts().add(sample)
        exact = float(np.sort(sample)[min(int(q * sample.size), sample.size - 1)])
        assert sketch.quantile(q) == pytest.approx(exact, rel=sketch.relative_error + 1e-9)
        assert sketch.relative_error < 0.05


def test_values_that_are_no_number_are_counted_apart() -> None:
    sketch = LogCounts().add(np.array([math.nan, math.inf, -math.inf, 0.0, -0.0, 2.0]))
    assert (sketch.skipped, sketch.zero, sketch.numbers) == (3, 2, 3)
    assert sketch.quantile(0.1) == 0.0
    assert math.isnan(LogCounts().quantile(0.5))


def test_the_smallest_and_greatest_floats() -> None:
    sketch = LogCounts().add(np.array([5e-324, np.finfo(float).max, -np.finfo(float).max]))
    assert sketch.quantile(1.0) > 1e307
    assert sketch.quantile(0.0) < -1e307
    assert np.isfinite(sketch.bins().lower).all()
    assert np.isfinite(sketch.bins().upper).all()


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(finite, max_size=50), st.integers(0, MOST_LEVELS))
def test_every_number_is_in_its_bin_at_every_level(sample: list[float], level: int) -> None:
    """The naive twin: look for the bin of each value among the edges."""
    bins = LogCounts().add(np.array(sample, np.float64)).at_level(level).bins()
    assert (bins.lower[1:] >= bins.upper[:-1]).all()
    largest = np.finfo(float).max  # has no number above it to be the edge
    naive = [
        sum(low <= v < high or v == high == largest for v in sample)
        for low, high in zip(bins.lower, bins.upper, strict=True)
    ]
    assert naive == bins.counts.tolist()
    assert sum(naive) == len(sample)


def test_few_values_keep_bins_of_their_own() -> None:
    sketch = LogCounts().add(np.repeat(np.arange(-200.0, 201.0), 3))
    assert sketch.level == 0
    assert sketch.bins().counts.tolist() == [3] * 401
    assert sketch.bins().lower[250:].tolist() == list(range(50, 201))


def test_values_far_from_zero_are_told_apart() -> None:
    """Where all have one exponent, the bins are used for what lies behind it."""
    sample = np.random.default_rng(0).normal(1_013, 10, 10_000)
    assert LogCounts().add(sample).keys.size > 25
