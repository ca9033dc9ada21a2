from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from detectors import Reference, WindowBank, fit_reference
from detectors.counting.merge_bins import merge_neighbours
from detectors.synth import autoregressive
from detectors.windowed.bank import LEAST_RISE
from detectors.windowed.coarsening import coarsen
from tests.detectors.tools import binomial_interval, counts_of, window_of
from tests.oracles import bins as naive


def null_window(reference: Reference, n: int, rng: np.random.Generator) -> list[np.ndarray]:
    """One window without change of the signals of the fixture `mixed`."""
    columns = (
        rng.normal(4, 1, n),
        rng.lognormal(size=n),
        rng.poisson(3, n),
        rng.choice(["ok", "bad", "late"], n, p=[0.7, 0.2, 0.1]).tolist(),
    )
    return [counts_of(s, c) for s, c in zip(reference.signals, columns, strict=True)]


def row_of(bank: WindowBank, result: object, name: str, test: str) -> int:
    index = [s.name for s in bank.signals].index(name)
    rows = [r for r, t in enumerate(result.tests) if t == test and result.signal[r] == index]  # type: ignore[attr-defined]
    assert len(rows) == 1
    return rows[0]


@given(
    hnp.arrays(np.int64, st.integers(1, 70), elements=st.integers(0, 60)),
    st.integers(2, 20),
    st.integers(1, 30),
)
def test_merged_neighbours_are_in_order_few_and_large(
    counts: np.ndarray, most: int, least: int
) -> None:
    groups = merge_neighbours(counts, most, least)
    assert groups[0] == 0
    assert set(np.diff(groups)) <= {0, 1}
    assert groups[-1] < most
    if groups[-1] > 0:
        assert np.bincount(groups, counts).min() >= least


@pytest.mark.parametrize("n", [300, 1_000, 5_000])
def test_psi_equals_its_twin(mixed: Reference, n: int) -> None:
    bank = WindowBank(mixed.signals)
    columns = null_window(mixed, n, np.random.default_rng(n))
    result = bank.test(window_of(bank.layout, columns, n), 1e-3)
    level = bank._level(min(20, n // 100))
    for i, signal in enumerate(mixed.signals):
        groups = level.group[bank.layout.slice(i)]
        k = int(groups.max()) + 1
        old, new = (
            [int(c[groups == g].sum()) for g in range(k)] for c in (signal.counts, columns[i])
        )
        assert min(old) * n >= 5 * sum(old)
        row = row_of(bank, result, signal.name, "psi")
        assert result.value[row] == pytest.approx(naive.psi(old, new), rel=1e-12)


def test_rates_are_exact_conditional_tests(mixed: Reference) -> None:
    bank = WindowBank(mixed.signals)
    columns = null_window(mixed, 900, np.random.default_rng(0))
    columns[0][mixed.signals[0].binning.missing] = 7
    result = bank.test(window_of(bank.layout, columns, 907), 1e-3)
    row = row_of(bank, result, "normal", "missing_rate")
    assert result.p_value[row] == pytest.approx(naive.rate_tail(7, 907, 0, 10_000), rel=1e-9)
    assert result.value[row] == 7 / 907
    share = 1e-3 / 3
    least = next(b for b in range(908) if naive.rate_tail(b, 907, 0, 10_000) <= share)
    assert result.threshold[row] == pytest.approx(max(least / 907, LEAST_RISE))
    assert result.found[row]


def test_each_change_is_found_by_its_test(mixed: Reference) -> None:
    rng = np.random.default_rng(1)
    bank = WindowBank(mixed.signals)
    n = 2_000
    columns = (
        rng.normal(5.0, 1, n),
        np.where(rng.random(n) < 0.05, math.nan, rng.lognormal(size=n)),
        np.where(rng.random(n) < 0.15, -math.inf, rng.poisson(3, n)),
        rng.choice(["ok", "bad", "late", "new"], n, p=[0.65, 0.2, 0.1, 0.05]).tolist(),
    )
    window = [counts_of(s, c) for s, c in zip(mixed.signals, columns, strict=True)]
    result = bank.test(window_of(bank.layout, window, n), 1e-5)
    found = {
        (bank.signals[result.signal[r]].name, result.test(r)): result.severity(r)
        for r in np.flatnonzero(result.found)
    }
    assert found == {
        ("normal", "psi"): "critical",
        ("normal", "range_rate"): "info",
        ("lognormal", "missing_rate"): "warning",
        ("poisson", "invalid_rate"): "critical",
        ("name", "unseen_rate"): "warning",
    }
    assert all(not result.severity(r) for r in np.flatnonzero(~result.found))


def test_a_missing_rate_that_falls_is_seen_by_psi() -> None:
    rng = np.random.default_rng(0)
    reference = fit_reference({"x": np.where(rng.random(5_000) < 0.3, math.nan, 1.0)}, model="m")
    bank = WindowBank(reference.signals)
    window = counts_of(reference.signals[0], [1.0] * 1_000)
    result = bank.test(window_of(bank.layout, [window], 1_000), 1e-6)
    assert [result.test(r) for r in np.flatnonzero(result.found)] == ["psi"]


def test_what_cannot_be_tested_has_no_row(mixed: Reference) -> None:
    bank = WindowBank(mixed.signals)
    columns = null_window(mixed, 1_000, np.random.default_rng(0))
    columns[0][:] = 0  # not in these events at all
    columns[1][: mixed.signals[1].binning.missing] = 0  # missing throughout
    columns[1][mixed.signals[1].binning.missing] = 1_000
    result = bank.test(window_of(bank.layout, columns, 1_000), 1e-3)
    tested = {(int(i), t) for i, t in zip(result.signal, result.tests, strict=True)}
    assert not any(i == 0 for i, _ in tested)
    assert (1, "psi") not in tested
    assert (1, "missing_rate") in tested
    assert np.isfinite(result.threshold).all()
    assert np.isfinite(result.value).all()


@pytest.mark.parametrize(("known", "new"), [(7.0, 8.0), (0.0, 1e-9), ("a", "b")])
def test_a_constant_that_changes_for_some_events(known: object, new: object) -> None:
    signal = fit_reference({"x": [known] * 1_000}, model="m").signals[0]
    bank = WindowBank([signal])
    for changed, expected in ((0, []), (2, []), (60, ["range_rate", "unseen_rate"])):
        window = counts_of(signal, [new] * changed + [known] * (1_000 - changed))
        result = bank.test(window_of(bank.layout, [window], 1_000), 1e-5)
        assert {result.test(r) for r in np.flatnonzero(result.found)} <= set(expected)
        assert result.found.any() == bool(expected)


def test_new_names_are_expected_where_names_are_many() -> None:
    """A long tail of names brings new ones all the time: no false alarms, but a jump is found."""
    rng = np.random.default_rng(0)
    names = [f"n{int(z)}" for z in rng.zipf(1.5, 40_000)]
    signal = fit_reference({"x": names[:20_000]}, model="m").signals[0]
    bank = WindowBank([signal])
    hits = 0
    for w in range(20):
        part = names[20_000 + 1_000 * w : 21_000 + 1_000 * w]
        result = bank.test(window_of(bank.layout, [counts_of(signal, part)], 1_000), 1e-3)
        row = row_of(bank, result, "x", "unseen_rate")
        assert result.value[row] > 0.02
        hits += int(result.found[row])
    assert hits == 0
    window = counts_of(signal, [*names[20_000:20_900], *["brand new"] * 100])
    assert bank.test(window_of(bank.layout, [window], 1_000), 1e-3).found.any()


@pytest.mark.parametrize("column", [[7.0] * 500, [None] * 500, ["a"] * 500])
def test_columns_of_one_value(column: list[object]) -> None:
    reference = fit_reference({"x": column}, model="m")
    bank = WindowBank(reference.signals)
    same = counts_of(reference.signals[0], [math.nan if v is None else v for v in column])
    result = bank.test(window_of(bank.layout, [same], 500), 0.01)
    assert not result.found.any()


@pytest.mark.parametrize("alpha", [0.0, 0.5, -1.0, math.nan])
def test_wrong_levels_are_refused(mixed: Reference, alpha: float) -> None:
    bank = WindowBank(mixed.signals)
    with pytest.raises(ValueError, match="alpha must be between"):
        bank.test(np.zeros(bank.layout.width, np.int64), alpha)


def test_a_layout_of_other_signals_is_refused(mixed: Reference) -> None:
    with pytest.raises(ValueError, match="same signals in the same order"):
        WindowBank(mixed.signals[1:], mixed.layout())


# ---- the published guarantee: false alarms over the nominal level


def false_alarms(reference: Reference, draw: object, n: int, windows: int) -> np.ndarray:
    """p values of PSI, [windows, signals]; `draw(i, n)` makes values of signal i."""
    bank = WindowBank(reference.signals)
    p = np.ones((windows, len(reference.signals)))
    streams = [draw(i, n * windows) for i in range(len(reference.signals))]  # type: ignore[operator]
    for w in range(windows):
        part = slice(w * n, (w + 1) * n)
        window = [counts_of(s, v[part]) for s, v in zip(reference.signals, streams, strict=True)]
        result = bank.test(window_of(bank.layout, window, n), 0.01)
        psi = np.array(result.tests) == "psi"
        p[w, result.signal[psi]] = result.p_value[psi]
    return p


@pytest.mark.parametrize("kind", ["normal", "lognormal", "poisson", "category"])
def test_false_alarms_of_independent_events_keep_to_the_level(kind: str) -> None:
    rng = np.random.default_rng(5)

    def draw(_: int, n: int) -> np.ndarray:
        if kind == "normal":
            return rng.normal(size=n)
        if kind == "lognormal":
            return rng.lognormal(size=n)
        if kind == "poisson":
            return rng.poisson(3, n).astype(float)
        return rng.choice(list("abcdefgh"), n, p=np.arange(1, 9) / 36)

    hits = tests = 0
    for _ in range(4):
        reference = fit_reference({f"s{i}": draw(i, 10_000) for i in range(8)}, model="m")
        p = false_alarms(reference, draw, 1_000, 60)
        hits += int((p <= 0.01).sum())
        tests += p.size
    low, high = binomial_interval(hits, tests)
    assert low <= 1.1 * 0.01
    assert high >= 0.9 * 0.01


@pytest.mark.parametrize(("rho", "batches"), [(0.0, 0), (0.5, 0), (0.9, 0), (0.9, 15)])
def test_false_alarms_of_dependent_events_keep_to_the_level(rho: float, batches: int) -> None:
    """At most 1.5 times nominal, also where 15 batches of a cycle are all there is."""
    rng = np.random.default_rng(6)

    def draw(_: int, n: int) -> np.ndarray:
        return autoregressive(n, rho, rng)

    hits = tests = 0
    for _ in range(5):
        reference = fit_reference(
            {f"s{i}": draw(i, 6_000) for i in range(8)},
            model="m",
            times_ms=np.arange(6_000) * 1_000,
            cycle_ms=7 * 6_000_000 // batches if batches else 0,
        )
        assert reference.signals[0].calibration.batches == (batches or 50)
        p = false_alarms(reference, draw, 1_000, 20)
        hits += int((p <= 0.01).sum())
        tests += p.size
    assert binomial_interval(hits, tests)[0] <= 1.5 * 0.01


def test_dependence_ignored_would_break_the_level() -> None:
    """The same stream with a reference without times: why `times_ms` matters."""
    rng = np.random.default_rng(6)

    def draw(_: int, n: int) -> np.ndarray:
        steps = rng.normal(size=n // 20 + 1)
        return np.repeat(steps, 20)[:n]

    reference = fit_reference({f"s{i}": draw(i, 6_000) for i in range(8)}, model="m")
    p = false_alarms(reference, draw, 1_000, 10)
    assert (p <= 0.01).mean() > 0.2


@pytest.mark.parametrize(("rho", "alike"), [(0.0, True), (0.9, False)])
def test_weights_are_one_where_the_batches_show_no_dependence(rho: float, alike: bool) -> None:
    rng = np.random.default_rng(11)
    columns = {f"s{i}": autoregressive(10_000, rho, rng) for i in range(20)}
    times = np.arange(10_000, dtype=np.int64) * 1_000
    fitted = fit_reference(columns, model="m", times_ms=times)
    equal = [np.ptp(coarsen(signal, 10).weights) < 1e-9 for signal in fitted.signals]
    assert np.mean(equal) > 0.8 if alike else not any(equal)


def test_a_distance_has_three_times_the_level_of_a_rate(mixed: Reference) -> None:
    n = 1_000
    counts = window_of(mixed.layout(), null_window(mixed, n, np.random.default_rng(0)), n)
    alone = WindowBank(mixed.signals, tests={s.name: ["psi"] for s in mixed.signals})
    bank = WindowBank(mixed.signals)
    for signal in mixed.signals:
        shared = bank.test(counts, 1e-3)
        parts = 6 if signal.kind == "numeric" else 7  # names have their shares, too
        whole = alone.test(counts, 1e-3 * 3 / parts)
        assert shared.threshold[row_of(bank, shared, signal.name, "psi")] == pytest.approx(
            whole.threshold[row_of(alone, whole, signal.name, "psi")]
        )


def test_a_long_tail_of_names_does_not_move_the_psi() -> None:
    """Most names of a window are new, and no fewer are other: they count as one."""
    rng = np.random.default_rng(4)
    names = [f"n{v}" for v in rng.zipf(1.3, 33_000)]
    reference = fit_reference({"c": names[:3_000]}, model="m")
    bank = WindowBank(reference.signals)
    layout = reference.layout()
    found = 0
    for start in range(3_000, 33_000, 1_000):
        counts = counts_of(reference.signals[0], names[start : start + 1_000])
        result = bank.test(window_of(layout, [counts], 1_000), 1e-2)
        found += int(result.found[row_of(bank, result, "c", "psi")])
    assert found <= 2
    new = counts_of(reference.signals[0], [*names[3_000:3_800], *["fresh"] * 200])
    result = bank.test(window_of(layout, [new], 1_000), 1e-2)
    assert result.found[row_of(bank, result, "c", "psi")]
