"""Rates of missing, invalid and new values, against exact tails from scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from detectors import Reference, SignalReference, WindowBank, fit_reference
from tests.detectors.tools import counts_of, window_of

N_REFERENCE = 10_000


@pytest.fixture(scope="module")
def reference() -> Reference:
    """Three names that are all frequent, and no missing value: the reference saw nothing rare."""
    names = np.random.default_rng(3).choice(["a", "b", "c"], N_REFERENCE)
    return fit_reference({"name": names.tolist()}, model="m")


def p_value(signal: SignalReference, test: str, values: list[str | None]) -> float:
    bank = WindowBank([signal])
    window = window_of(bank.layout, [counts_of(signal, values)], len(values))
    result = bank.test(window, 1e-4)
    return float(result.p_value[result.tests.index(test)])


@pytest.mark.parametrize("n", [200, 1_000])
@pytest.mark.parametrize("held", [2, 10, 40])
@pytest.mark.parametrize(
    ("test", "value", "expected"), [("unseen_rate", "new", 1), ("missing_rate", None, 0)]
)
def test_what_the_reference_never_had_is_tested_exactly(
    reference: Reference, n: int, held: int, test: str, value: str | None, expected: int
) -> None:
    """Of new values one is expected all the same: the next row may be the first of its name."""
    (signal,) = reference.signals
    assert signal.calibration.novel == 0
    got = p_value(signal, test, [value] * held + ["a", "b"] * ((n - held) // 2))
    chance = n / (n + N_REFERENCE)
    assert got == pytest.approx(stats.binom.sf(held - 1, held + expected, chance), rel=1e-6)


def test_names_that_come_together_make_a_reference_without_an_order_count_for_less() -> None:
    """Half of its new names came twice: so many fewer independent rows it has for them."""
    rare = [f"once-{i}" for i in range(100)] + [f"twice-{i}" for i in range(100)] * 2
    names = np.random.default_rng(3).choice(["a", "b", "c"], N_REFERENCE).tolist()
    reference = fit_reference({"name": names + rare}, model="m")
    (signal,) = reference.signals
    calibration = signal.calibration
    assert calibration.batches == 0
    assert calibration.phi_novel > 1.5
    n, held = 1_000, 60
    got = p_value(signal, "unseen_rate", ["new"] * held + ["a", "b"] * ((n - held) // 2))
    in_reference = int(signal.counts[signal.binning.unseen]) + calibration.novel + 1
    rows = signal.events / calibration.phi_novel
    exact = stats.beta.cdf(n / (n + rows), held, in_reference / calibration.phi_novel + 1.0)
    assert got == pytest.approx(exact, rel=1e-6)
