"""How soon a shift is found, as foretold and as simulated."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from detectors import EDetectorBank, Layout, accumulate, fit_reference
from detectors.sequential.delay import events_until_found

ROWS, Z, RUNS = 5_000, 3.0, 60
LAWS = {
    "normal": lambda z: z,
    "lognormal": np.exp,
    "whole": lambda z: stats.poisson.ppf(stats.norm.cdf(z), 3.0),
}


def _found(signal, values: np.ndarray, a_pane: int, threshold: float) -> float:
    """Events until a bank alarms."""
    layout = Layout({signal.name: signal.binning})
    bank = EDetectorBank([signal], layout, threshold=threshold, z=Z)
    panes = values.reshape(-1, a_pane)
    counts = np.zeros((len(panes), layout.width), np.int64)
    places = layout.positions(values[:, None], np.zeros((values.size, 0), np.int32))
    accumulate(places, np.repeat(np.arange(len(panes), dtype=np.int32), a_pane), counts)
    for at, pane in enumerate(counts, 1):
        if bank.update(pane).any():
            return float(at * a_pane)
    return math.inf


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(
    ("sd", "a_pane", "threshold"), [(1.0, 1, 4e3), (0.5, 6, 1e3), (2.0, 6, 1e5)]
)
def test_the_foretold_delay_is_about_the_median(
    law: str, sd: float, a_pane: int, threshold: float
) -> None:
    rng = np.random.default_rng(5)
    make = LAWS[law]
    foretold, found = [], []
    for run in range(RUNS):
        reference = fit_reference({"x": make(rng.normal(size=ROWS))}, model="m")
        signal = reference.signals[0]
        if run < 10:
            foretold.append(
                events_until_found(signal, sd, threshold=threshold, z=Z, events_a_pane=a_pane)
            )
        way = sd if run % 2 else -sd
        found.append(_found(signal, make(rng.normal(size=600) + way), a_pane, threshold))
    ratio = float(np.median(found) / np.median(foretold))
    assert 0.5 < ratio < 1.25, (np.median(found), foretold)
    assert np.quantile(found, 0.9) <= 1.5 * np.median(foretold)


def test_larger_shifts_are_found_sooner_and_none_never() -> None:
    signal = fit_reference({"x": np.random.default_rng(1).normal(size=2_000)}, model="m").signals[0]
    at = [
        events_until_found(signal, sd, threshold=1e4, z=Z, events_a_pane=1)
        for sd in (0.0, 0.02, 0.25, 0.5, 1.0, 2.0)
    ]
    assert at[:2] == [math.inf, math.inf]  # within what the reference itself may be off
    assert at[2:] == sorted(at[2:], reverse=True)
    assert 10 < at[-1] < at[2] < 2_000


def test_a_signal_without_values_is_never_found_to_move() -> None:
    signal = fit_reference({"x": np.full(500, np.nan)}, model="m", kinds={"x": "numeric"})
    got = events_until_found(signal.signals[0], 1.0, threshold=1e4, z=Z, events_a_pane=1)
    assert got == math.inf
