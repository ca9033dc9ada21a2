from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from detectors import EDetectorBank, Reference, SignalReference, fit_reference
from detectors.synth import autoregressive
from tests.detectors.tools import counts_of, window_of
from tests.oracles.edetector import NaiveEDetector


def twin_of(signal: SignalReference, threshold: float, z: float) -> NaiveEDetector:
    missing = signal.binning.missing
    q = signal.binning.scores(signal.counts)[:missing]  # type: ignore[union-attr]
    calibration = signal.calibration
    return NaiveEDetector(
        [(q / 65_535).tolist(), (np.abs(2 * q - 65_535) / 65_535).tolist()],
        signal.counts[:missing].tolist(),
        threshold,
        z,
        [calibration.phi_x, calibration.phi_y],
        calibration.batches > 0,
    )


def pane(signals: tuple[SignalReference, ...], columns: list[np.ndarray]) -> np.ndarray:
    counts = [counts_of(s, c) for s, c in zip(signals, columns, strict=True)]
    return window_of(None, counts, len(columns[0]))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def dependent() -> Reference:
    rng = np.random.default_rng(0)
    return fit_reference(
        {
            "ar": autoregressive(6_000, 0.8, rng),
            "skewed": rng.lognormal(size=6_000),
            "bits": (rng.random(6_000) < 0.1).astype(float),
        },
        model="m",
        times_ms=np.arange(6_000),
    )


@pytest.mark.parametrize("ordered", [False, True])
def test_the_bank_equals_its_twin(mixed: Reference, dependent: Reference, ordered: bool) -> None:
    signals = dependent.signals if ordered else mixed.signals[:3]
    bank = EDetectorBank(signals, threshold=50.0, z=1.0)
    twins = [twin_of(s, 50.0, 1.0) for s in signals]
    rng = np.random.default_rng(1)
    alarms = 0
    for t in range(120):
        n = int(rng.integers(0, 30))
        shift = 0.4 if t > 60 else 0.0
        columns = [
            rng.normal(4 * (not ordered) + shift, 1, n),
            rng.lognormal(shift, 1, n),
            (rng.random(n) < 0.1 + shift).astype(float),
        ]
        flat = pane(signals, columns)
        start = 1
        expected = []
        for signal, twin in zip(signals, twins, strict=True):
            values = flat[start : start + signal.binning.missing].tolist()
            expected.append(twin.update(values))
            start += signal.binning.n_bins
        drift = bank.update(flat)
        assert drift.tolist() == expected
        evidence = [math.log(sum(twin.m) / len(twin.m)) if any(twin.m) else None for twin in twins]
        for got, wanted, alarm in zip(bank.evidence, evidence, drift, strict=True):
            if wanted is not None and not alarm:
                # Growth is rounded down, to one of 65,535 steps: never more evidence.
                assert wanted - 0.01 < got < wanted + 1e-9
        alarms += int(drift.sum())
    assert alarms


def test_the_leading_process_says_what_moved(mixed: Reference) -> None:
    signals = mixed.signals[:1]
    rng = np.random.default_rng(2)
    for shift, factor, axis, direction in (
        (1, 1, "x", 1),
        (-1, 1, "x", -1),
        (0, 2, "y", 1),
        (0, 0.4, "y", -1),
    ):
        bank = EDetectorBank(signals, threshold=1e4)
        for _ in range(60):
            values = rng.normal(4 + shift, factor, 20)
            if bank.update(pane(signals, [values]))[0]:
                break
        assert bank.evidence[0] > math.log(1e4)
        assert (bank.axis(0), bank.direction(0)) == (axis, direction)
        assert bank.effect(0) > 0.03


@settings(max_examples=15)
@given(st.integers(0, 40), st.integers(0, 1000))
def test_it_survives_restarts_and_keeps_signals_apart(
    mixed: Reference, cut: int, seed: int
) -> None:
    signals = mixed.signals[:3]
    whole, restarted = (EDetectorBank(signals, threshold=20.0, z=0.5) for _ in range(2))
    alone = EDetectorBank(signals[1:2], threshold=20.0, z=0.5)
    rng = np.random.default_rng(seed)
    for t in range(40):
        if t == cut:
            state = restarted.dump()
            restarted = EDetectorBank(signals, threshold=20.0, z=0.5)
            restarted.load(state)
            assert restarted.dump() == state
        columns = [rng.normal(4.3, 1, 10), rng.lognormal(0.2, 1, 10), rng.poisson(3, 10)]
        drift = whole.update(pane(signals, columns))
        assert (restarted.update(pane(signals, columns)) == drift).all()
        assert alone.update(pane(signals[1:2], columns[1:2]))[0] == drift[1]
    assert restarted.dump() == whole.dump()


def test_missing_values_and_empty_panes_are_no_evidence(mixed: Reference) -> None:
    signals = mixed.signals[:1]
    bank = EDetectorBank(signals, threshold=10.0)
    bank.update(pane(signals, [np.full(5, 4.0)]))
    state = bank.dump()
    assert not bank.update(pane(signals, [np.full(500, np.nan)]))[0]
    assert bank.dump() == state


def test_evidence_beyond_what_a_number_holds_stays_a_number() -> None:
    signal = fit_reference({"x": np.random.default_rng(0).random(5_000)}, model="m").signals[0]
    same = window_of(None, [signal.counts * 40_000], 0)  # type: ignore[arg-type]
    bank = EDetectorBank((signal,), threshold=1e6)
    assert not bank.update(same)[0]  # every process is all but zero
    assert -1e9 < bank.evidence[0] < -745
    values = counts_of(signal, np.full(1_000_000, 0.9))
    assert bank.update(window_of(None, [values], 0))[0]  # type: ignore[arg-type]
    assert 1e5 < bank.evidence[0] < 1e6
    assert (bank.axis(0), bank.direction(0)) == ("x", 1)


def test_a_signal_without_values_gives_no_evidence() -> None:
    signals = fit_reference({"x": [None] * 500}, model="m").signals
    bank = EDetectorBank(signals, threshold=2.0)
    for _ in range(5):
        assert not bank.update(pane(signals, [np.full(100, 1.0)]))[0]


def test_the_mean_run_length_is_at_least_the_threshold() -> None:
    """The published guarantee, with the exact reference mean and no widening at all."""
    rng = np.random.default_rng(3)
    threshold, n_panes = 200.0, 1_500
    signals = fit_reference({f"s{i}": np.arange(640) % 64 for i in range(40)}, model="m").signals
    bank = EDetectorBank(signals, threshold=threshold, z=0.0)
    alarms = 0
    for _ in range(n_panes):
        alarms += int(bank.update(pane(signals, list(rng.integers(0, 64, (40, 20))))).sum())
    high = stats.chi2.isf(0.0005, 2 * alarms + 2) / 2
    assert alarms <= stats.poisson.isf(0.0005, 40 * n_panes / threshold)
    assert high >= 1


@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_dependent_streams_raise_almost_no_false_alarm(rho: float) -> None:
    """Gate 6: at most .1 a million items, A = 1e6 items; here no alarm in two million."""
    rng = np.random.default_rng(4)
    n = 100
    found = 0
    for _ in range(2):
        reference = fit_reference(
            {f"s{i}": autoregressive(10_000, rho, rng) for i in range(10)},
            model="m",
            times_ms=np.arange(10_000),
        )
        bank = EDetectorBank(reference.signals, threshold=1e6 / n, z=3.0)
        streams = [autoregressive(100_000, rho, rng) for _ in range(10)]
        for at in range(0, 100_000, n):
            counts = pane(reference.signals, [s[at : at + n] for s in streams])
            found += int(bank.update(counts).sum())
    assert found <= 1


@pytest.mark.parametrize("options", [{"threshold": 1.0}, {"threshold": 9.0, "z": -1.0}])
def test_wrong_parameters_are_refused(mixed: Reference, options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        EDetectorBank(mixed.signals, **options)  # type: ignore[arg-type]


def test_a_wrong_state_is_refused(mixed: Reference) -> None:
    bank = EDetectorBank(mixed.signals, threshold=9.0)
    with pytest.raises(ValueError, match="bytes"):
        bank.load(b"")
    with pytest.raises(ValueError, match="finite"):
        bank.load(np.full(60, np.nan).tobytes())
