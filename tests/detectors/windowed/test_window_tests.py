"""Windowed tests chosen by name: laws, shares of alpha, false alarms, what each finds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter

from detectors import Reference, WindowBank, fit_reference
from detectors.null_distributions.brownian_bridge import (
    AREA,
    AREA_MEAN,
    MAXIMUM,
    MAXIMUM_MEAN,
    bridge_quantile,
    bridge_tail,
)
from detectors.windowed.catalogue import WINDOWED_TESTS
from detectors.windowed.coarsening import coarsen, norm_law, rank_scales
from tests.detectors.tools import binomial_interval, counts_of, window_of
from tests.oracles.bridge import area_tail

NUMERIC = tuple(t for t, test in WINDOWED_TESTS.items() if test.code >= 0)


# ---- laws


def test_the_area_under_a_bridge_follows_the_formula() -> None:
    for x in np.arange(0.02, 1.6, 0.0131):
        exact = area_tail(float(x))
        relative = 2e-6 if exact < 0.15 else 5e-4
        assert bridge_tail(AREA, x, np.inf) == pytest.approx(exact, rel=relative)


@pytest.mark.parametrize(("tail", "area"), [(1e-2, 0.752), (1e-3, 0.952), (1e-4, 1.122)])
def test_quantiles_of_the_area_are_those_of_a_simulation(tail: float, area: float) -> None:
    assert bridge_quantile(AREA, tail, np.inf) == pytest.approx(area, rel=5e-3)


@pytest.mark.parametrize("tail", [0.1, 1e-3, 1e-7])
def test_quantiles_have_their_tail(tail: float) -> None:
    for law in (AREA, MAXIMUM):
        for df in (14.0, np.inf):
            x = bridge_quantile(law, tail, df)
            assert bridge_tail(law, x, df) == pytest.approx(tail, rel=1e-9)


def test_the_maximum_is_kolmogorovs_and_both_means_are_right() -> None:
    x = np.linspace(0.01, 4, 400)
    ours = np.array([bridge_tail(MAXIMUM, v, np.inf) for v in x])
    assert ours == pytest.approx(stats.kstwobign.sf(x), rel=1e-12)
    areas = np.array([bridge_tail(AREA, v, np.inf) for v in x])
    for tails, mean in ((ours, MAXIMUM_MEAN), (areas, AREA_MEAN)):
        assert np.trapezoid(np.r_[1.0, tails], np.r_[0.0, x]) == pytest.approx(mean, abs=1e-4)


def test_few_batches_are_a_chi2_in_the_denominator() -> None:
    rng = np.random.default_rng(0)
    root = np.sqrt(rng.chisquare(14, 4_000) / 14)
    for law, x in ((AREA, 0.9), (MAXIMUM, 1.8)):
        direct = np.mean([bridge_tail(law, x * s, np.inf) for s in root])
        assert bridge_tail(law, x, 14.0) == pytest.approx(direct, rel=0.2)


def test_total_variation_of_two_bins_is_exact() -> None:
    """With two bins it is |d|, half a normal: a chi of dimension 1."""
    rng = np.random.default_rng(1)
    signal = fit_reference({"x": (rng.random(5_000) < 0.3).astype(float)}, model="m").signals[0]
    law = norm_law(coarsen(signal, 10))
    share = float(signal.counts.max() / 5_000)
    assert law.dimension == pytest.approx(1.0, abs=1e-6)
    assert law.scale == pytest.approx(math.sqrt(share * (1 - share)), rel=1e-6)


def test_ties_and_dependence_scale_the_rank_tests() -> None:
    rng = np.random.default_rng(2)
    columns = {"half": (rng.random(5_000) < 0.5).astype(float), "smooth": rng.random(5_000)}
    half, smooth = fit_reference(columns, model="m").signals
    assert rank_scales(half)[0] == pytest.approx(math.sqrt(3) / 2, rel=1e-3)
    assert rank_scales(smooth) == (pytest.approx(1.0, abs=1e-3), 1.0, math.inf)
    slow = lfilter([1], [1, -0.9], rng.normal(size=20_000))
    signal = fit_reference({"x": slow}, model="m", times_ms=np.arange(20_000)).signals[0]
    area, maximum, df = rank_scales(signal)
    assert area == pytest.approx(math.sqrt(18), rel=0.25)  # (1 + rho) / (1 - rho) = 19
    assert 1.0 < maximum < area
    assert df == signal.calibration.batches - 1


# ---- choice


def test_alpha_is_shared_by_the_tests_that_are_on(mixed: Reference) -> None:
    windows = [counts_of(s, [1.0 if s.kind == "numeric" else "ok"] * 1_000) for s in mixed.signals]
    counts = window_of(mixed.layout(), windows, 1_000)
    alone = WindowBank(mixed.signals, tests={"normal": ["psi"]}).test(counts, 1e-4)
    three = WindowBank(mixed.signals, tests={"normal": ["ks", "psi", "wasserstein"]})
    together = three.test(counts, 3e-4)
    row = together.tests.index("psi")
    assert alone.tests.count("psi") == 4
    assert together.threshold[row] == alone.threshold[alone.tests.index("psi")]
    assert [together.test(r) for r in range(3)] == ["psi", "wasserstein", "ks"]
    own = [t for i, t in zip(together.signal, together.tests, strict=True) if i == 1]
    assert own == ["psi", "missing_rate", "invalid_rate", "range_rate"]


def test_a_signal_may_have_no_test(mixed: Reference) -> None:
    bank = WindowBank(mixed.signals[:1], tests={"normal": []})
    result = bank.test(window_of(bank.layout, [mixed.signals[0].counts], 10_000), 1e-3)
    assert result.tests == ()
    assert not result.found.size
    assert not result.p_value.size


def test_tails_are_made_when_they_are_asked_for(mixed: Reference) -> None:
    """They cost ten times what the decisions do, and few windows have a finding."""
    counts = window_of(mixed.layout(), [s.counts for s in mixed.signals], mixed.events)
    result = WindowBank(mixed.signals).test(counts, 1e-3)
    assert not result.found.any()
    assert not {"p_value", "threshold", "tests"} & set(vars(result))
    assert result.p_value is result.p_value
    assert result.p_value.shape == result.threshold.shape == result.value.shape


@pytest.mark.parametrize(
    ("name", "test"),
    [
        ("name", "wasserstein"),
        ("name", "range_rate"),
        ("normal", "unseen_rate"),
        ("normal", "chi-square"),
    ],
)
def test_a_test_that_is_not_for_a_signal_is_refused(mixed: Reference, name: str, test: str) -> None:
    with pytest.raises(ValueError, match=rf"'{name}' is .*: test '{test}' is not for it. Choose"):
        WindowBank(mixed.signals, tests={name: [test]})


def test_all_tests_find_a_change_and_say_how_large(mixed: Reference) -> None:
    rng = np.random.default_rng(3)
    bank = WindowBank(mixed.signals[:1], tests={"normal": NUMERIC})
    for shift, severity in ((0.2, "info"), (0.42, "warning"), (0.8, "critical")):
        window = counts_of(mixed.signals[0], rng.normal(4 + shift, 1, 20_000))
        result = bank.test(window_of(bank.layout, [window], 20_000), 1e-3)
        assert result.found.all()
        assert {result.severity(r) for r in range(len(NUMERIC))} == {severity}
        assert (result.p_value < 1e-6).all()


def test_wasserstein_finds_a_small_shift_before_psi(mixed: Reference) -> None:
    """All its power is in the order of the bins, PSI's is spread over all of them."""
    rng = np.random.default_rng(4)
    bank = WindowBank(mixed.signals[:1], tests={"normal": ["psi", "wasserstein"]})
    found = {"psi": 0, "wasserstein": 0}
    for _ in range(100):
        window = counts_of(mixed.signals[0], rng.normal(4.12, 1, 1_000))
        result = bank.test(window_of(bank.layout, [window], 1_000), 1e-2)
        for row in np.flatnonzero(result.found):
            found[result.test(row)] += 1
    assert found["wasserstein"] > 2 * found["psi"]


# ---- the published guarantee: false alarms over the nominal level


def tails_of(reference: Reference, windows: list[np.ndarray], n: int) -> dict[str, np.ndarray]:
    """p values of windows, each int64[windows, n_bins] of a signal, by test."""
    tests = NUMERIC
    bank = WindowBank(reference.signals, tests={s.name: tests for s in reference.signals})
    rows: dict[str, list[float]] = {test: [] for test in tests}
    for parts in zip(*windows, strict=True):
        result = bank.test(window_of(bank.layout, parts, n), 1e-3)
        for test, p in zip(result.tests, result.p_value.tolist(), strict=True):
            rows[test].append(p)
    return {test: np.array(p) for test, p in rows.items()}


@pytest.mark.parametrize("law", [stats.norm(), stats.lognorm(1.0), stats.poisson(3)])
def test_false_alarms_of_independent_events_keep_to_the_level(law: object) -> None:
    """60,000 windows of 1,000 events, 100 references; exact intervals at 1e-2 and 1e-3."""
    rng = np.random.default_rng(11)
    p: dict[str, list[np.ndarray]] = {test: [] for test in NUMERIC}
    for _ in range(5):
        columns = {f"s{i}": law.rvs(10_000, random_state=rng).astype(float) for i in range(20)}  # type: ignore[attr-defined]
        reference = fit_reference(columns, model="m")
        windows = []
        for signal in reference.signals:
            at = np.nextafter(signal.binning.edges, -np.inf)  # type: ignore[union-attr]
            share = np.diff(np.r_[0.0, law.cdf(at), 1.0, 1.0, 1.0])  # type: ignore[attr-defined]
            windows.append(rng.multinomial(1_000, share / share.sum(), 600))
        for test, tails in tails_of(reference, windows, 1_000).items():
            p[test].append(tails)
    for level, least, most in ((1e-2, 0.9, 1.1), (1e-3, 0.85, 1.25)):
        for test in NUMERIC:
            tails = np.concatenate(p[test])
            low, high = binomial_interval(int((tails <= level).sum()), tails.size)
            assert low <= (1.0 if test == "ks" else most) * level, (test, level)
            if test not in ("ks", "total_variation"):  # these are cautious
                assert high >= least * level, (test, level)


@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_false_alarms_of_dependent_events_keep_to_the_level(rho: float) -> None:
    rng = np.random.default_rng(12)
    n, windows, signals = 1_000, 30, 60
    noise = rng.normal(size=(8_000 + n * windows, signals))
    x = lfilter([1], [1, -rho], noise, axis=0)[2_000:]
    columns = {f"s{i}": x[:6_000, i].copy() for i in range(signals)}
    reference = fit_reference(columns, model="m", times_ms=np.arange(6_000) * 1_000)
    counts = [
        np.array([counts_of(s, part) for part in x[6_000:, i].reshape(windows, n)])
        for i, s in enumerate(reference.signals)
    ]
    for test, tails in tails_of(reference, counts, n).items():
        for level in (1e-2, 1e-3):
            low, _ = binomial_interval(int((tails <= level).sum()), tails.size)
            assert low <= 1.5 * level, (test, level)
