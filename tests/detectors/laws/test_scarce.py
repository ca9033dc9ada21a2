from __future__ import annotations

import numpy as np
import pytest

from detectors import WINDOWED_TESTS, WindowBank, fit_reference
from detectors.distances import divergences
from detectors.distances.divergences import bin_part
from detectors.null_distributions.small_counts import small_counts_chi2
from detectors.null_distributions.special import chi2_quantile
from tests.detectors.tools import binomial_interval, window_of

CODES = {
    "psi": divergences.PSI, "kl": divergences.KL, "js": divergences.JS,
    "hellinger": divergences.HELLINGER, "chi2": divergences.CHI2, "g": divergences.G,
}  # fmt: skip
#: Null law's factor by code; None where sample sizes are in the distance.
FACTORS = {
    CODES[name]: None if WINDOWED_TESTS[name].pivot else WINDOWED_TESTS[name].factor
    for name in CODES
}
#: Nine categories of ten expected events each in a window of 1,000.
LAW = np.r_[0.91, np.full(9, 0.01)]
NAMES = np.array([f"c{i}" for i in range(LAW.size)])


@pytest.mark.parametrize("test", CODES)
def test_distances_are_sums_over_bins(test: str) -> None:
    a, b = np.array([50, 30, 5, 900]), np.array([4, 0, 1, 95])
    parts = [bin_part(CODES[test], x, y, 985.0, 100.0, 4) for x, y in zip(a, b, strict=True)]
    whole = float(getattr(divergences, test)(a, b))
    assert sum(parts) == pytest.approx(whole**2 if test == "hellinger" else whole)


def test_full_bins_have_a_plain_chi2() -> None:
    for code, factor in FACTORS.items():
        assert small_counts_chi2(code, factor, (500,) * 20, 2_000) == (1.0, 19.0, 1.0)
        assert small_counts_chi2(code, factor, (0, 100), 1_000) == (1.0, 1.0, 1.0)


def test_scarce_bins_raise_thresholds_and_never_lower_them() -> None:
    reference = (9_100, *[100] * 9)
    for code, factor in FACTORS.items():
        scale, dimension, higher = small_counts_chi2(code, factor, reference, 1_000)
        assert higher >= 1.0
        assert scale * chi2_quantile(1e-4, dimension) == pytest.approx(
            higher * chi2_quantile(1e-4, 9.0), rel=1e-3
        )
    assert small_counts_chi2(divergences.PSI, 1.0, reference, 1_000)[2] > 1.1


@pytest.mark.parametrize("ordered", [False, True])
def test_rare_categories_do_not_raise_more_alarms_than_their_level(ordered: bool) -> None:
    """A plain chi2 gives 1.7 to 1.9 times as many at 1e-3, 3 to 4 times at 1e-4."""
    rng = np.random.default_rng(5)
    columns = {f"x{i}": NAMES[rng.choice(LAW.size, 10_000, p=LAW)] for i in range(40)}
    times = np.arange(10_000) * 1_000 if ordered else None
    kinds = dict.fromkeys(columns, "categorical")
    reference = fit_reference(columns, model="m", kinds=kinds, times_ms=times)
    bank = WindowBank(reference, tests=dict.fromkeys(columns, ("psi",)))
    at = [[s.binning.code[name] for name in NAMES] for s in reference.signals]
    windows, small, smaller = 2_500, 0, 0
    for _ in range(windows):
        counts = []
        for signal, place in zip(reference.signals, at, strict=True):
            held = np.zeros(signal.binning.n_bins, np.int64)
            held[place] = rng.multinomial(1_000, LAW)
            counts.append(held)
        p = bank.test(window_of(reference.layout(), counts, 1_000), 1e-3).p_value
        small += int((p <= 1e-3).sum())
        smaller += int((p <= 1e-4).sum())
    tests = windows * len(columns)
    assert binomial_interval(small, tests)[0] <= 1.15e-3
    assert binomial_interval(smaller, tests)[0] <= 1.5e-4
    if not ordered:
        assert binomial_interval(small, tests)[1] >= 0.6e-3
