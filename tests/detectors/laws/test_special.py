from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from detectors.null_distributions import special
from detectors.null_distributions.weighted_chi2 import form_quantile, weighted_chi2_tail

TAILS = (0.5, 1e-2, 1e-4, 1e-6, 1e-9)
RELATIVE = 1e-6


@pytest.mark.parametrize("df", [1, 2, 7, 19, 65, 400])
@pytest.mark.parametrize("tail", TAILS)
def test_chi2_and_f(df: int, tail: float) -> None:
    x = float(stats.chi2.isf(tail, df))
    assert special.chi2_tail(x, float(df)) == pytest.approx(tail, rel=RELATIVE)
    assert special.chi2_quantile(tail, df) == pytest.approx(x, rel=RELATIVE)
    for other in (7, 49, 1000):
        x = float(stats.f.isf(tail, df, other))
        exact = float(stats.f.sf(x, df, other))
        assert special.f_tail(x, float(df), float(other)) == pytest.approx(exact, rel=RELATIVE)
        assert special.f_quantile(tail, df, other) == pytest.approx(x, rel=RELATIVE)


@pytest.mark.parametrize("mean", [0.01, 1.0, 30.0, 2e4])
def test_poisson(mean: float) -> None:
    for tail in TAILS:
        k = int(stats.poisson.isf(tail, mean)) + 1
        exact = float(stats.poisson.sf(k - 1, mean))
        assert special.poisson_tail(k, mean) == pytest.approx(exact, rel=RELATIVE)


@pytest.mark.parametrize(("n", "p"), [(5, 0.3), (1000, 0.01), (100_000, 0.1)])
def test_binomial(n: int, p: float) -> None:
    for tail in TAILS:
        k = int(stats.binom.isf(tail, n, p)) + 1
        if k <= n:
            exact = float(stats.binom.sf(k - 1, n, p))
            got = special.binomial_tail(float(k), float(n), p)
            assert got == pytest.approx(exact, rel=RELATIVE)


@pytest.mark.parametrize("tail", [*TAILS, 0.9])
def test_normal(tail: float) -> None:
    z = float(stats.norm.isf(tail))
    assert special.normal_tail(z) == pytest.approx(tail, rel=RELATIVE)
    assert special.normal_quantile(tail) == pytest.approx(z, rel=RELATIVE)


@pytest.mark.parametrize("df", [2, 5, 19])
@pytest.mark.parametrize("tail", [1e-2, 1e-3, 1e-6])
def test_forms_with_equal_weights_are_chi2_and_f_within_7_percent(df: int, tail: float) -> None:
    weights = np.ones(df)
    x = float(stats.chi2.isf(tail, df))
    assert weighted_chi2_tail(x, weights, np.inf) == pytest.approx(tail, rel=0.07)
    x = df * float(stats.f.isf(tail, df, 14))
    assert weighted_chi2_tail(x, weights, 14.0) == pytest.approx(tail, rel=0.07)


def test_forms_with_unequal_weights_against_simulation() -> None:
    rng = np.random.default_rng(0)
    weights = np.array([5.0, 2.0, 1.0, 0.2])
    draws = rng.chisquare(1, (400_000, 4)) @ weights / (rng.chisquare(14, 400_000) / 14)
    for tail in (1e-2, 1e-3):
        share = float((draws > form_quantile(tail, weights, 14.0)).mean())
        assert share == pytest.approx(tail, rel=0.05 + 4 / np.sqrt(400_000 * tail))


@pytest.mark.parametrize("tail", [0.0, 1.0, -1.0, np.nan])
def test_quantiles_refuse_what_is_no_tail(tail: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        special.chi2_quantile(tail, 3)
