from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from detectors import Change, Reference, SignalReference, describe, fit_reference
from detectors.change_points import explain
from detectors.change_points.estimates import Quantile
from detectors.change_points.explain import LEAST_EVENTS
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
    assert change.mean_after is None  # a fifth of the values are in an outer bin: it is wide
    assert change.text.startswith("median 4 -> 2.66; ")
    assert "gained" in change.text
    assert change.direction == -1
    numbers = sum(label not in ("missing", "invalid") for label in change.labels)
    assert len(change.edges) == numbers + 1
    assert list(change.edges) == sorted(change.edges)
    assert len(change.quantiles_before) == len(change.quantiles_after) == 3
    for got, true in zip(change.quantiles_before, (2.355, 4.0, 5.645), strict=True):
        assert got == pytest.approx(true, abs=0.12)
    assert change.quantiles_after[1:] == pytest.approx((2.7, 4.345), abs=0.12)
    assert change.sides_before == (0, 0, 0)
    assert change.sides_after == (-1, 0, 0)
    assert 1.055 < change.quantiles_after[0] < 2.0  # it is so much or less
    check(change)


def test_a_small_move_is_told_by_its_mean(mixed: Reference) -> None:
    s = signal(mixed, "normal")
    values = np.random.default_rng(0).normal(4.4, 1, 4_000)
    values = values[(values > 0.5) & (values < 7.3)]
    change = describe(s, counts_of(s, values))
    assert change.mean_after == pytest.approx(values.mean(), abs=0.02)
    assert change.text.startswith("mean 4 -> 4.39; ")
    assert change.direction == 1


def test_a_change_of_spread_is_told_by_its_range(mixed: Reference) -> None:
    s = signal(mixed, "normal")
    values = np.random.default_rng(0).normal(4.0, 0.4, 4_000)
    change = describe(s, counts_of(s, values))
    low, high = change.quantiles_after[0], change.quantiles_after[2]
    assert (low, high) == pytest.approx((3.34, 4.66), abs=0.1)
    assert " -> 3.34 to 4.66; " in change.text
    assert "90 % within" in change.text


def test_quantiles_of_few_values_and_beyond_the_range() -> None:
    s = fit_reference({"x": [0, 1, 2, 3] * 125}, model="m").signals[0]
    change = describe(s, counts_of(s, [1.0] * 60 + [3.0] * 30 + [9.0] * 10))
    assert change.quantiles_after == (1.0, 1.0, 3.0)
    assert change.sides_after == (0, 0, 1)  # a tenth is beyond 3: that or more
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


def test_values_outside_the_reference_have_no_mean_and_a_share() -> None:
    s = fit_reference({"x": [0] * 500}, model="m").signals[0]
    change = describe(s, counts_of(s, [0.0] * 50 + [1.0] * 50))
    assert change.text == "50 % above 0; 0 lost 50 points; > 0 gained 50 points"
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


def degrees(seed: int, rise: float, codes: int = 0, n: int = 20_000) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.normal(20.0 + rise, 4.0, n).round(2)
    values[rng.choice(n, codes, replace=False)] = 999_999.0
    return values


@pytest.mark.parametrize("codes", [0, 1, 3, 150])
def test_error_codes_in_the_reference_do_not_stand_for_degrees(codes: int) -> None:
    s = fit_reference({"x": degrees(1, 0.0, codes)}, model="m").signals[0]
    change = describe(s, counts_of(s, degrees(2, 2.0)))
    before, after = re.search(r"(?:mean|median) (\S+) -> ([\d.]+)", change.text).groups()
    assert float(before) == pytest.approx(20.0, abs=0.15)
    assert float(after) == pytest.approx(22.0, abs=0.3)
    assert "e+" not in change.text
    assert change.direction == 1
    assert max(change.quantiles_after) < 40.0
    high, side = change.quantiles_after[2], change.sides_after[2]
    assert high == pytest.approx(28.6, abs=0.3) if not side else (side > 0 and high <= 28.6)


def test_euros_that_became_cents_are_over_the_most_that_was_known() -> None:
    euros = np.random.default_rng(3).exponential(30.0, 10_000).round(2)
    s = fit_reference({"x": euros}, model="m").signals[0]
    change = describe(s, counts_of(s, 100.0 * euros[:2_000] + 400.0))
    assert re.search(r"^median 2\d\.?\d* -> over (\d+)", change.text)
    assert re.search(r"90 % within 1\.\d+ to \d\d\.?\d* -> 95 % over \d+; ", change.text)
    assert "100 % above" in change.text
    assert change.mean_after is None
    assert change.sides_after == (1, 1, 1)


def test_one_in_a_hundred_far_beyond_is_not_in_the_mean(mixed: Reference) -> None:
    s = fit_reference({"x": np.random.default_rng(4).uniform(0, 1, 5_000)}, model="m").signals[0]
    values = np.concatenate([np.random.default_rng(5).uniform(0.1, 0.9, 1_980), np.full(20, 1e12)])
    change = describe(s, counts_of(s, values))
    assert re.match(
        r"mean 0\.\d+ -> 0\.\d+ without what is beyond 0\.?\S* to (1|0\.9+);", change.text
    )
    assert change.mean_after == pytest.approx(values[:1_980].mean(), abs=0.01)
    assert "; 1 % above " in change.text


def test_a_handful_of_values_has_no_shares(mixed: Reference) -> None:
    s = signal(mixed, "normal")
    one = describe(s, counts_of(s, [6.0]))
    assert not re.search("points|%", one.text)
    assert one.text.endswith("1 value is too few to tell shares")
    assert "points" in describe(s, counts_of(s, [6.0] * LEAST_EVENTS)).text


@given(
    st.sampled_from(["normal", "heavy", "counts", "codes", "constant", "tiny"]),
    st.lists(
        st.floats(-1e6, 1e6) | st.sampled_from([0.0, -0.0, 5e-324, 999_999.0, 1e12, -1e300, 7.0]),
        min_size=30,
        max_size=200,
    ),
)
def test_what_is_told_of_any_values_is_so(kind: str, values: list[float]) -> None:
    """Mean within its bounds, quantiles on the side that is told, no number that misleads."""
    rng = np.random.default_rng(9)
    known = {
        "normal": rng.normal(0, 1, 2_000),
        "heavy": rng.lognormal(0, 3, 2_000),
        "counts": rng.poisson(1.0, 2_000).astype(float),
        "codes": np.where(rng.random(2_000) < 0.002, 999_999.0, rng.normal(20, 4, 2_000)),
        "constant": np.zeros(2_000),
        "tiny": rng.normal(0, 1e-9, 2_000),
    }[kind]
    s = fit_reference({"x": known}, model="m").signals[0]
    change = describe(s, counts_of(s, values))
    assert not re.search(r"e[+-]\d|-0(?![.\d])|nan|inf\b", change.text)
    inside = [v for v in values if known.min() <= v <= known.max()]
    if change.mean_after is not None:
        spread = float(np.quantile(known, 0.95) - np.quantile(known, 0.05))
        assert change.mean_after == pytest.approx(np.mean(inside), abs=0.1 * spread + 1e-9)
    ordered = sorted(values)
    for q, told, side in zip(
        (0.05, 0.5, 0.95), change.quantiles_after, change.sides_after, strict=True
    ):
        true = ordered[max(0, math.ceil(q * len(ordered)) - 1)]
        if side:
            assert side * (true - told) >= 0.0
    ranked = np.searchsorted(np.sort(known), values).mean() - len(known) / 2
    if abs(ranked) > 0.05 * len(known) and kind != "constant" and kind != "counts":
        assert change.direction == np.sign(ranked)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ((33.5, 0, 66.3, 0), (71.2, 1, 90.6, 1), "90 % within 33.5 to 66.3 -> 95 % over 71.2"),
        ((33.5, 0, 66.3, 0), (90.6, 1, 90.6, 1), "90 % within 33.5 to 66.3 -> 95 % over 90.6"),
        ((33.5, 0, 66.3, 0), (1.5, -1, 9.5, -1), "90 % within 33.5 to 66.3 -> 95 % under 9.5"),
        ((33.5, 0, 66.3, 0), (1.5, -1, 9.5, 0), "90 % within 33.5 to 66.3 -> under 1.5 to 9.5"),
        ((33.5, 0, 66.3, 0), (40.0, 0, 90.6, 1), "90 % within 33.5 to 66.3 -> 40 to over 90.6"),
        ((10.5, 1, 20.5, 1), (1.5, 0, 3.5, 0), "95 % over 10.5 -> 90 % within 1.5 to 3.5"),
        ((33.5, 0, 66.3, 0), (35.5, 0, 66.3, 0), None),
    ],
)
def test_where_most_values_are_in_words(
    before: tuple[float, int, float, int], after: tuple[float, int, float, int], words: str | None
) -> None:
    """An end that is only known to be over something says how much is over it."""

    def quantiles(low: float, side: int, high: float, other: int) -> tuple[Quantile, ...]:
        return Quantile(low, side), Quantile((low + high) / 2, 0), Quantile(high, other)

    assert explain._spread(quantiles(*before), quantiles(*after)) == ([words] if words else [])
