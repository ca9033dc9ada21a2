from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from detectors import Change, Reference, SignalReference, describe, fit_reference
from tests.detectors.tools import counts_of


def signal(mixed: Reference, name: str) -> SignalReference:
    return next(s for s in mixed.signals if s.name == name)


def check(change: Change) -> None:
    assert len(change.labels) == len(change.reference) == len(change.window) <= 20
    assert sum(change.reference) == pytest.approx(1, abs=1e-4)


def test_a_moved_normal(mixed: Reference) -> None:
    s = signal(mixed, "normal")
    values = np.random.default_rng(0).normal(2.7, 1, 4_000)
    change = describe(s, counts_of(s, values))
    assert change.mean_before == pytest.approx(4.0, abs=0.05)
    assert change.mean_after == pytest.approx(2.7, abs=0.15)
    assert change.text.startswith(f"mean {s.mean:.4g} -> {change.mean_after:.4g}; ")
    assert "gained" in change.text
    numbers = sum(label not in ("missing", "invalid") for label in change.labels)
    assert len(change.edges) == numbers + 1
    assert list(change.edges) == sorted(change.edges)
    assert len(change.quantiles_before) == len(change.quantiles_after) == 3
    for got, true in zip(change.quantiles_before, (2.355, 4.0, 5.645), strict=True):
        assert got == pytest.approx(true, abs=0.12)
    for got, true in zip(change.quantiles_after, (1.055, 2.7, 4.345), strict=True):
        assert got == pytest.approx(true, abs=0.4)  # the outer bins are wide
    check(change)


def test_a_change_of_spread_is_told_by_its_range(mixed: Reference) -> None:
    s = signal(mixed, "normal")
    values = np.random.default_rng(0).normal(4.0, 0.4, 4_000)
    change = describe(s, counts_of(s, values))
    low, high = change.quantiles_after[0], change.quantiles_after[2]
    assert (low, high) == pytest.approx((3.34, 4.66), abs=0.1)
    assert f" -> {low:.4g} to {high:.4g}; " in change.text
    assert "90 % within" in change.text


def test_quantiles_of_few_values_and_beyond_the_range() -> None:
    s = fit_reference({"x": [0, 1, 2, 3] * 125}, model="m").signals[0]
    change = describe(s, counts_of(s, [1.0] * 60 + [3.0] * 30 + [9.0] * 10))
    assert change.quantiles_after == (1.0, 1.0, 3.0)
    assert change.quantiles_before == (0.0, 1.0, 3.0)
    nothing = describe(s, counts_of(s, [math.nan] * 100))
    assert nothing.quantiles_after == ()


def test_missing_values(mixed: Reference) -> None:
    s = signal(mixed, "poisson")
    change = describe(s, counts_of(s, [math.nan] * 5 + [3.0] * 95))
    assert "missing 0 % -> 5 %" in change.text
    check(change)


def test_shares_of_categories_and_unseen_names(mixed: Reference) -> None:
    s = signal(mixed, "name")
    window = counts_of(s, ["ok"] * 48 + ["bad"] * 40 + ["secret"] * 12)
    change = describe(s, window)
    assert change.text.startswith("'ok' lost 22 points; 'bad' gained 20 points; unseen 0 % -> 12 %")
    assert "secret" not in str(change)
    assert change.mean_after is None
    hidden = describe(s, window, public=False)
    assert "ok" not in str(hidden)
    assert hidden.window == change.window


def test_values_outside_the_reference_have_no_mean() -> None:
    s = fit_reference({"x": [0] * 500}, model="m").signals[0]
    change = describe(s, counts_of(s, [0.0] * 50 + [1.0] * 50))
    assert change.text == "0 lost 50 points; > 0 gained 50 points"
    assert change.mean_after is None


def test_no_change_says_so(mixed: Reference) -> None:
    s = signal(mixed, "name")
    assert describe(s, s.counts).text == "many small changes"


@given(hnp.arrays(np.int64, 68, elements=st.integers(0, 1000)))
def test_any_window_of_a_number_is_described(mixed: Reference, window: np.ndarray) -> None:
    check(describe(signal(mixed, "normal"), window))


@given(hnp.arrays(np.int64, 7, elements=st.integers(0, 1000)))
def test_any_window_of_names_is_described(mixed: Reference, window: np.ndarray) -> None:
    check(describe(signal(mixed, "name"), window))
