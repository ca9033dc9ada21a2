"""Each distance equals its twin and keeps to the bounds of its docstring."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import REGISTRY
from detectors.distances import divergences
from tests.oracles import distances as naive

NAMES = [name.split(":")[1] for name in REGISTRY if name.startswith("distance:")]
SMOOTHED = ("psi", "kl", "js", "hellinger")
SYMMETRIC = ("psi", "js", "hellinger", "total_variation", "ks", "chi2", "g")
MOST = {"js": math.log(2), "hellinger": 1.0, "total_variation": 1.0, "ks": 1.0, "wasserstein": 1.0}

histograms = st.integers(1, 12).flatmap(
    lambda k: st.tuples(
        *[st.lists(st.integers(0, 500), min_size=k, max_size=k).filter(any) for _ in range(2)]
    )
)


@pytest.mark.parametrize("name", NAMES)
@given(histograms)
def test_equals_its_twin(name: str, pair: tuple[list[int], list[int]]) -> None:
    a, b = pair
    got = float(getattr(divergences, name)(a, b))
    assert got == pytest.approx(getattr(naive, name)(a, b), rel=1e-9, abs=1e-7)


@pytest.mark.parametrize("name", NAMES)
@given(histograms, st.integers(2, 5))
def test_properties(name: str, pair: tuple[list[int], list[int]], times: int) -> None:
    a, b = (np.array(counts) for counts in pair)
    distance = getattr(divergences, name)
    value = float(distance(a, b))
    assert 0.0 <= value <= MOST.get(name, math.inf) + 1e-12
    assert float(distance(a, a)) == 0.0
    if name not in SMOOTHED:
        assert float(distance(a, a * times)) == pytest.approx(0.0, abs=1e-9)
    if name in SYMMETRIC:
        assert float(distance(b, a)) == pytest.approx(value, rel=1e-9, abs=1e-12)
    different = not np.allclose(naive.shares(pair[0]), naive.shares(pair[1]), atol=1e-6)
    if different and name not in (*SMOOTHED, "wasserstein"):
        assert value > 0.0


@pytest.mark.parametrize("name", ["hellinger", "total_variation", "ks"])
@given(
    st.integers(1, 8).flatmap(
        lambda k: st.tuples(
            *[st.lists(st.integers(0, 50), min_size=k, max_size=k).filter(any) for _ in range(3)]
        )
    )
)
def test_metrics_keep_the_triangle(name: str, three: tuple[list[int], ...]) -> None:
    distance = getattr(divergences, name)
    a, b, c = three
    assert distance(a, c) <= distance(a, b) + distance(b, c) + 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_broadcast(name: str) -> None:
    rng = np.random.default_rng(0)
    reference, windows = rng.integers(1, 90, 7), rng.integers(0, 90, (4, 3, 7))
    distance = getattr(divergences, name)
    rows = distance(reference, windows)
    assert rows.shape == (4, 3)
    assert rows[2, 1] == float(distance(reference, windows[2, 1]))


@pytest.mark.parametrize("name", NAMES)
def test_close_histograms_are_apart_by_a_factor_of_psi(name: str) -> None:
    """JS ~ PSI / 8, KL ~ PSI / 2, H^2 ~ PSI / 8, chi2 and G ~ PSI / (1/N + 1/n)."""
    a = np.array([3_000_000, 2_000_000, 1_000_000])
    b = np.array([3_003_000, 1_998_000, 999_500])
    size = float(divergences.psi(a, b))
    chance = 1 / a.sum() + 1 / b.sum()
    value = float(getattr(divergences, name)(a, b))
    expected = {
        "psi": size,
        "kl": size / 2,
        "js": size / 8,
        "hellinger": math.sqrt(size / 8),
        "chi2": size / chance,
        "g": size / chance,
    }
    assert value == pytest.approx(expected.get(name, value), rel=2e-3)


def test_wasserstein_sees_how_far_and_the_others_do_not() -> None:
    a, near, far = [50] * 10, [100, 0] + [50] * 8, [100] + [50] * 8 + [0]
    assert divergences.wasserstein(a, far) > 5 * divergences.wasserstein(a, near)
    assert divergences.js(a, far) == pytest.approx(divergences.js(a, near))


def test_examples() -> None:
    failed, tried = doctest.testmod(divergences)
    assert tried
    assert not failed


def test_nothing_has_no_distance() -> None:
    for name in NAMES:
        assert math.isnan(float(getattr(divergences, name)([0, 0], [1, 2])))


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([1.5, 2.0], [1, 2], "integer counts"),
        ([1, 2], [1, 2, 3], "same bins"),
        ([1, -2], [1, 2], "reference must be counts >= 0; got -2"),
        (3, 4, "integer counts"),
    ],
)
def test_wrong_counts_are_refused(a: object, b: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        divergences.psi(a, b)  # type: ignore[arg-type]
