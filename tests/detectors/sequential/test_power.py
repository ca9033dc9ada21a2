"""Tests that can find nothing are named, and those that can are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors import Reference, WindowBank, fit_reference
from detectors.sequential.adwin import ADWIN
from detectors.sequential.power import adwin_needs
from detectors.windowed.power import powerless

N, ALPHA = 4_000, 1e-4
RNG = np.random.default_rng(7)


def autoregression(rho: float, n: int = N) -> np.ndarray:
    values = np.random.default_rng(1).normal(size=n)
    for i in range(1, n):
        values[i] += rho * values[i - 1]
    return values


def fitted(values: Any, *, timed: bool = True, kind: str = "numeric") -> Reference:
    times = np.arange(len(values), dtype=np.int64) * 1_000 if timed else None
    return fit_reference({"x": values}, model="m", times_ms=times, kinds={"x": kind})


def blind(reference: Reference, events: int = 1_000, **options: Any) -> dict[str, str]:
    bank = WindowBank(reference.signals, **options)
    return {each.test: each.why for each in powerless(bank, reference.events, events, ALPHA)}


NAMES = RNG.choice(["a", "b", "d"], N).tolist()


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (RNG.normal(size=N), "numeric", {}),
        (autoregression(0.9), "numeric", {}),
        (NAMES, "categorical", {}),
        (np.full(N, 3.0), "numeric", {"psi": "constant"}),
        (["a"] * N, "categorical", {"psi": "constant", "name_share": "constant"}),
        (np.full(N, np.nan), "numeric", {"psi": "no_values", "missing_rate": "no_values"}),
        (np.where(np.arange(N) % 500, 0.0, 1.0), "numeric", {"psi": "few_groups"}),
        (autoregression(0.999), "numeric", {"psi": "dependence", "range_rate": "dependence"}),
    ],
    ids=["independent", "AR .9", "names", "a constant", "one name", "nothing", "rare", "AR .999"],
)
def test_why(values: Any, kind: str, expected: dict[str, str]) -> None:
    assert blind(fitted(values, kind=kind)) == expected


def test_a_rare_value_is_tested_in_windows_that_hold_enough_of_it() -> None:
    rare = fitted(np.where(np.arange(N) % 250, 0.0, 1.0))
    assert blind(rare, 1_200) == {"psi": "few_groups"}
    assert blind(rare, 1_300) == {}


def test_a_rate_of_what_is_nearly_everywhere_has_no_room() -> None:
    mostly = np.where(np.arange(N) % 200, np.nan, RNG.normal(size=N))
    assert blind(fitted(mostly))["missing_rate"] == "no_room"
    assert "missing_rate" not in blind(fitted(np.where(np.arange(N) % 3, np.nan, 1.0)))


def test_a_small_reference_is_the_reason_where_dependence_is_not() -> None:
    """At an alpha so small that 300 rows of any sort show nothing."""
    bank = WindowBank(fitted(RNG.normal(size=300), timed=False).signals)
    tiny = {p.test: p.why for p in powerless(bank, 300, 50, 1e-60)}
    assert tiny
    assert set(tiny.values()) <= {"small_reference", "few_values"}
    assert {p.test for p in powerless(bank, 300, 300, 1e-3)} == set()


def test_what_few_events_have_is_told_from_what_is_alike() -> None:
    """An actual comes with one event in ten: windows of 300 hold too few of it."""
    values = [None if i % 10 else float(v) for i, v in enumerate(RNG.normal(size=N))]
    reference = fit_reference(
        {"x": values, "y": RNG.normal(size=N)},
        model="m",
        kinds={"x": "numeric", "y": "numeric"},
        roles={"x": "actual"},
    )
    bank = WindowBank(reference.signals)
    assert [(p.signal, p.why) for p in powerless(bank, N, 300, ALPHA)] == [(0, "few_values")]
    assert powerless(bank, N, 10_000, ALPHA) == []


@pytest.mark.parametrize(
    "name", ["kl", "js", "hellinger", "total_variation", "chi2", "g", "wasserstein", "ks"]
)
def test_every_distance_has_power_on_what_is_independent(name: str) -> None:
    assert blind(fitted(RNG.normal(size=N)), tests={"x": (name,)}) == {}


def test_adwin_cuts_when_it_is_said_to() -> None:
    needs = adwin_needs(1e-4, 1.0)
    half = int(needs / 2)
    rng = np.random.default_rng(1)

    def cuts(n: int) -> bool:
        moved = np.where(rng.random(n) < 0.5, rng.random(n), 1.0)
        return bool(ADWIN(delta=1e-4).update_many([*rng.random(n), *moved]).size)

    assert cuts(2 * half)
    assert not cuts(half // 4)
    assert adwin_needs(1e-4, 10.0) == pytest.approx(10.0 * needs, rel=0.1)
