from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from detectors import fit_reference
from detectors.null_distributions.special import chi2_tail
from detectors.null_distributions.total_variation import (
    _faddeeva,
    total_variation_chi,
    total_variation_moments,
    total_variation_quantiles,
)
from detectors.windowed.coarsening import coarsen, norm_law
from tests.detectors.tools import binomial_interval

TAILS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
SHARES = {
    "equal": np.full(10, 0.1),
    "many": np.full(20, 0.05),
    "three": np.full(3, 1 / 3),
    "one large": np.array([0.9, 0.05, 0.05]),
    "one very large": np.array([0.985, 0.01, 0.005]),
    "two large": np.r_[0.45, 0.45, np.full(10, 0.01)],
    "falling": 1 / np.arange(1, 11) ** 2 / np.sum(1 / np.arange(1, 11) ** 2),
}


def draws(shares: np.ndarray, n: int) -> np.ndarray:
    normal = np.random.default_rng(3).standard_normal((n, shares.size)) * np.sqrt(shares)
    normal -= normal.sum(axis=1, keepdims=True) * shares
    return 0.5 * np.abs(normal).sum(axis=1)


def test_the_complex_error_function_is_scipys() -> None:
    z = np.array([0j, 0.1 + 0.2j, 3 + 1j, -2 + 0.01j, 40j, -30 + 1j])
    assert np.allclose(_faddeeva(z), special.wofz(z), rtol=1e-6)


def test_two_shares_are_half_a_normal() -> None:
    for share in (0.5, 0.2, 0.01):
        exact = np.sqrt(share * (1 - share)) * stats.norm.isf(np.array(TAILS) / 2)
        assert total_variation_quantiles(np.array([share, 1 - share]), TAILS) == pytest.approx(
            exact, rel=3e-3
        )


@pytest.mark.parametrize("name", SHARES)
def test_tails_are_those_of_draws(name: str) -> None:
    shares = SHARES[name]
    t = draws(shares, 400_000)
    mean, second = total_variation_moments(np.diag(shares) - np.outer(shares, shares))
    assert t.mean() == pytest.approx(mean, rel=5e-3)
    assert np.square(t).mean() == pytest.approx(second, rel=1e-2)
    quantiles = total_variation_quantiles(shares, TAILS)
    for tail, quantile in zip(TAILS[:3], quantiles, strict=False):
        low, high = binomial_interval(int((t > quantile).sum()), t.size)
        assert low / 1.05 <= tail <= high * 1.05
    scale, dimension = total_variation_chi(tuple(shares.tolist()))
    for tail, quantile in zip(TAILS, quantiles, strict=True):
        assert chi2_tail((quantile / scale) ** 2, dimension) == pytest.approx(tail, rel=0.15)


def test_total_variation_of_unequal_categories_keeps_to_its_level() -> None:
    rng = np.random.default_rng(4)
    law = np.r_[0.45, 0.45, np.full(10, 0.01)]
    names = np.array([f"c{i}" for i in range(law.size)])
    column = names[rng.choice(law.size, 20_000, p=law)]
    signal = fit_reference({"x": column}, model="m", kinds={"x": "categorical"}).signals[0]
    coarse = coarsen(signal, 10)
    found = norm_law(coarse)
    shares = coarse.reference / coarse.reference.sum()
    windows = rng.multinomial(2_000, shares, 300_000) / 2_000
    t = 0.5 * np.abs(windows - shares).sum(axis=1) * np.sqrt(2_000)
    for tail, factor in ((1e-2, 1.1), (1e-3, 1.25)):
        threshold = found.scale * np.sqrt(stats.chi2.isf(tail, found.dimension))
        low, high = binomial_interval(int((t > threshold).sum()), t.size)
        assert low <= factor * tail
        assert high >= tail / factor
