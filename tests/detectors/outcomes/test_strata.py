from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.counting.outcome_cells import OutcomeCells
from detectors.outcomes.strata import ends_of, followed_strata, pool, sides_of, strata_of

FEW = st.integers(0, 60)


@given(FEW, FEW, st.integers(0, 2_000), st.integers(0, 2_000))
def test_moments_are_those_of_the_hypergeometric_law(a: int, b: int, c: int, d: int) -> None:
    pooled = pool(np.array([[a, b]]), np.array([[c, d]]))
    if not (a + b and c + d):
        assert not pooled.known[0]
        assert pooled.variance[0] == 0.0
        assert pooled.expected[0] == b
        return
    n, inside, outside = a + b, b + d, a + c
    k = np.arange(max(0, n - outside), min(n, inside) + 1)
    ways = [math.comb(inside, i) * math.comb(outside, n - i) for i in k.tolist()]
    chance = np.array([way / math.comb(inside + outside, n) for way in ways])
    mean = float(chance @ k)
    moments = [float(chance @ (k - mean) ** power) for power in (2, 3, 4)]
    assert pooled.expected[0] == pytest.approx(mean)
    assert pooled.variance[0] == pytest.approx(moments[0], abs=1e-12)
    if inside + outside > 3:
        cumulant = moments[2] - 3.0 * moments[0] ** 2
        assert pooled.skew[0] == pytest.approx(moments[1], rel=1e-6, abs=1e-6)
        assert pooled.tails[0] == pytest.approx(cumulant, rel=1e-5, abs=1e-5)


def test_a_confusion_becomes_right_or_not_then_which_other() -> None:
    cells = OutcomeCells("multiclass", "actual", predicted="said", classes=("a", "b", "c"))
    counts = np.zeros(cells.width, np.int64)
    counts[:] = np.arange(1, 17)  # rows: said a, b, c, another
    assert strata_of(cells, counts).tolist() == [
        # said a: not a, a; then among b, c, another: not b, b; ...
        [2 + 3 + 4, 1], [5 + 7 + 8, 6], [9 + 10 + 12, 11], [13 + 14 + 15, 16],
        [3 + 4, 2], [7 + 8, 5], [10 + 12, 9], [14 + 15, 13],
        [4, 3], [8, 7], [12, 10], [15, 14],
    ]  # fmt: skip


def test_strata_of_a_regression_are_bins_of_what_it_predicts() -> None:
    cells = OutcomeCells("regression", "actual", predicted="said", score_bins=7)
    counts = np.arange(cells.width)
    assert strata_of(cells, counts).tolist() == np.arange(2, 16).reshape(7, 2).tolist()
    assert followed_strata(cells, counts).tolist() == strata_of(cells, counts).tolist()


def test_groups_are_of_the_least_variance_and_no_more_than_twenty() -> None:
    rng = np.random.default_rng(0)
    for scale in (0.3, 2.0, 100.0):
        variance = rng.exponential(scale, 64)
        ends = ends_of(variance)
        held = np.diff(np.concatenate([[0.0], np.cumsum(variance)])[[0, *ends]])
        assert ends[-1] == 64
        assert len(ends) <= 20
        assert (held >= max(5.0, variance.sum() / 20) - 1e-9).all()
    assert ends_of(np.full(64, 0.01)).tolist() == [64]


@pytest.mark.parametrize("falling", [False, True])
def test_one_cut_parts_where_a_class_mostly_comes(falling: bool) -> None:
    rng = np.random.default_rng(1)
    share = np.clip(np.linspace(0.02, 0.98, 64) + rng.normal(0, 0.05, 64), 0, 1)
    side = np.where(np.arange(64) < 32, 1.0, -1.0)
    if falling:
        share, side = share[::-1], -side
    sides = sides_of(np.full(64, 100), share, ordered=True)
    assert np.count_nonzero(sides != side) <= 3
    assert np.count_nonzero(np.diff(sides)) == 1
    assert (sides_of(np.full(64, 100), share * 0.1, ordered=True) == 1.0).all()
    assert (sides_of(np.full(64, 100), 1 - share * 0.1, ordered=True) == -1.0).all()
