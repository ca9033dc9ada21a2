"""One name that became frequent or rare: exact tails, levels, what is found, and its words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from detectors import Reference, SignalReference, WindowBank, WindowResult, describe, fit_reference
from detectors.null_distributions.fisher import fisher_tail
from detectors.windowed.rates import LEAST_RISE
from tests.detectors.tools import binomial_interval, counts_of, window_of
from tests.oracles import names as naive


def look_at(
    signal: SignalReference, values: list[str] | np.ndarray, alpha: float = 1e-4
) -> tuple[WindowResult, int]:
    """The result of one window, and the row of the test of names."""
    bank = WindowBank([signal])
    result = bank.test(window_of(bank.layout, [counts_of(signal, values)], len(values)), alpha)
    return result, result.tests.index("name_share")


def booleans(rate: float, n: int, seed: int) -> list[str]:
    drawn = np.random.default_rng(seed).random(n) < rate
    return np.where(drawn, "true", "false").tolist()


@pytest.mark.parametrize(("n", "of"), [(300, 300), (300, 1_000), (1_000, 10_000), (2_000, 50_000)])
@pytest.mark.parametrize("share", [0.002, 0.01, 0.1, 0.5])
def test_the_tail_is_fishers(n: int, of: int, share: float) -> None:
    rng = np.random.default_rng([n, of])
    seen = 0
    for _ in range(200):
        a = int(rng.binomial(of, share))
        rise = (2.0 + 6.0 * rng.random()) * np.sqrt(n * share * (1.0 - share))
        b = int(n * share + rise) + 2
        exact = float(stats.hypergeom.sf(b - 1, n + of, a + b, n))
        if 1e-12 < exact < 0.01:
            seen += 1
            ours = fisher_tail(float(b), float(n), float(a), float(of), 1.0)
            assert 0.93 * exact < ours < 1.05 * exact
    assert seen > 10


def test_the_oracle_is_fishers_too() -> None:
    assert naive.fisher(7, 50, 3, 200) == pytest.approx(
        stats.fisher_exact([[7, 43], [3, 197]], "greater")[1]
    )


@given(seed=st.integers(0, 10_000), names=st.integers(2, 12), n=st.integers(50, 400))
def test_the_share_that_moved_most_clearly_equals_its_twin(seed: int, names: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.full(names, 0.5))
    drawn = [f"n{i}" for i in rng.choice(names, 500, p=share)]
    signal = fit_reference({"x": drawn}, model="m", kinds={"x": "categorical"}).signals[0]
    if len(signal.binning.categories) < 2:  # type: ignore[union-attr]
        return
    moved = rng.dirichlet(np.full(names, 0.5))
    values = [f"n{i}" for i in rng.choice(names, n, p=moved)]
    counts = counts_of(signal, values)
    own = len(signal.binning.categories)  # type: ignore[union-attr]
    known = int(counts[:own].sum())
    if not known:
        return
    looks = range(1 if own == 2 else 0, own)
    result, row = look_at(signal, values)
    tails = {
        look: naive.tail(int(counts[look]), known, int(signal.counts[look]), 500)
        for look in looks
        if abs(counts[look] / known - signal.counts[look] / 500) >= LEAST_RISE
    }
    if not tails:
        assert not result.found[row]
        return
    look = int(result.look[row])
    assert tails[look] <= 1.2 * min(tails.values()) + 1e-15
    assert result.value[row] == pytest.approx(abs(counts[look] / known - signal.counts[look] / 500))
    p = min(1.0, 2 * len(looks) * min(tails.values()))
    if 1e-12 < p < 0.01:
        assert result.p_value[row] == pytest.approx(p, rel=0.12)
    assert bool(result.found[row]) == bool(result.value[row] >= result.threshold[row] * (1 - 1e-12))


@pytest.mark.parametrize(("n", "rows"), [(300, 1_000), (300, 10_000), (1_000, 50_000)])
@pytest.mark.parametrize("rate", [0.05, 0.3, 1.0])
def test_a_rare_class_that_grows_is_found(n: int, rows: int, rate: float) -> None:
    """From 3 in 1,000; PSI has no bin for it."""
    signal = fit_reference({"x": booleans(0.003, rows, 1)}, model="m").signals[0]
    result, row = look_at(signal, booleans(rate, n, 2))
    assert result.found[row]
    assert result.severity(row) == ("critical" if rate > 0.15 else "warning")
    now = describe(signal, counts_of(signal, booleans(rate, n, 2)), look=int(result.look[row]))
    assert now.text.startswith("'true' 0.")
    same, row = look_at(signal, booleans(0.003, n, 3))
    assert not same.found[row]


def test_a_class_that_goes_away_is_found() -> None:
    signal = fit_reference({"x": booleans(0.02, 10_000, 1)}, model="m").signals[0]
    result, row = look_at(signal, ["false"] * 1_000)
    assert result.found[row]
    text = describe(signal, counts_of(signal, ["false"] * 1_000), look=int(result.look[row])).text
    assert "'true' 1.9" in text
    assert "-> 0 %" in text


def test_one_of_fifty_names_that_grows_is_found_where_psi_is_lost() -> None:
    rng = np.random.default_rng(3)
    names = [f"n{i}" for i in rng.integers(0, 50, 10_000)]
    signal = fit_reference({"x": names}, model="m").signals[0]
    found = {"psi": 0, "name_share": 0}
    for _ in range(20):
        values = [f"n{i}" for i in rng.integers(0, 50, 1_000)]
        values[:40] = ["n7"] * 40
        result, row = look_at(signal, values)
        for r in np.flatnonzero(result.found):
            found[result.test(r)] += 1
        assert result.look[row] == signal.binning.code["n7"]  # type: ignore[union-attr]
    assert found["name_share"] >= 18
    assert found["psi"] <= 8


def test_less_than_half_a_point_is_no_finding_however_clear() -> None:
    signal = fit_reference({"x": booleans(0.001, 100_000, 1)}, model="m").signals[0]
    values = ["true"] * 500 + ["false"] * 99_500
    result, row = look_at(signal, values)
    assert result.p_value[row] < 1e-9
    assert not result.found[row]


def test_private_names_are_not_told(mixed: Reference) -> None:
    signal = mixed.signals[3]
    counts = counts_of(signal, ["bad"] * 900 + ["ok"] * 100)
    for look, name in enumerate(signal.binning.categories):  # type: ignore[union-attr]
        assert f"'{name}'" in describe(signal, counts, look=look).text
        hidden = describe(signal, counts, look=look, public=False).text
        assert "ok" not in hidden
        assert "bad" not in hidden
        assert f"'category {look + 1}'" in hidden


def test_a_column_of_one_name_has_no_such_test() -> None:
    signal = fit_reference({"x": ["a"] * 500}, model="m").signals[0]
    bank = WindowBank([signal])
    result = bank.test(window_of(bank.layout, [counts_of(signal, ["a"] * 400)], 400), 0.01)
    assert "name_share" not in result.tests


@pytest.mark.parametrize("names", [2, 12, 50])
def test_false_alarms_keep_to_the_level(names: int) -> None:
    """Each reference drawn anew: its own chance is in the test."""
    rng = np.random.default_rng(names)
    hits = tests = 0
    for _ in range(30):
        columns = {f"s{i}": [f"n{k}" for k in rng.integers(0, names, 3_000)] for i in range(4)}
        bank = WindowBank(fit_reference(columns, model="m").signals)
        for _ in range(60):
            window = [
                np.append(rng.multinomial(1_000, np.full(names, 1 / names)), np.zeros(4, int))
                for _ in columns
            ]
            result = bank.test(window_of(bank.layout, window, 1_000), 0.01)
            p = result.p_value[np.array(result.tests) == "name_share"]
            hits += int((p <= 0.01).sum())
            tests += p.size
    low, high = binomial_interval(hits, tests)
    assert low <= 0.012
    assert high >= 0.002, "the test is blind"


@pytest.mark.parametrize(("repeat", "names"), [(0.5, 8), (0.9, 8), (0.9, 300)])
def test_names_that_repeat_keep_to_the_level(repeat: float, names: int) -> None:
    """Counts are divided by the design effect; without times they are not, and alarm.

    Of many names those with a bin of their own are by chance more frequent than the choice among
    independent ones allows for, and the tail as a whole is less.
    """
    rng = np.random.default_rng(9)

    def stream(n: int, k: int = names) -> list[str]:
        fresh = rng.random(n) >= repeat
        fresh[0] = True
        drawn = rng.integers(0, k, int(fresh.sum()))
        return [f"n{v}" for v in drawn[np.cumsum(fresh) - 1]]

    hits = {True: 0, False: 0}
    tests = 0
    for _ in range(6):
        columns = {f"s{i}": stream(8_000) for i in range(4)}
        times = np.arange(8_000, dtype=np.int64) * 1_000
        for timed in (True, False):
            reference = fit_reference(columns, model="m", times_ms=times if timed else None)
            bank = WindowBank(reference.signals)
            for _ in range(15):
                window = [counts_of(s, stream(1_000)) for s in reference.signals]
                result = bank.test(window_of(bank.layout, window, 1_000), 0.01)
                p = result.p_value[np.array(result.tests) == "name_share"]
                hits[timed] += int((p <= 0.01).sum())
                tests += p.size if timed else 0
    assert binomial_interval(hits[True], tests)[0] <= 0.01
    if repeat == 0.9:
        assert hits[False] > 0.2 * tests


def test_names_of_a_tail_bin_are_listed_as_far_as_they_can_be_read() -> None:
    short = [f"n{i}" for i in range(2_000)]
    long = [f"{'a long name, ' * 6}{i}" for i in range(2_000)]
    for names in (short, long):
        rng = np.random.default_rng(0)
        signal = fit_reference({"x": rng.choice(names, 10_000).tolist()}, model="m").signals[0]
        binning = signal.binning
        hot = next(name for name in binning.others)  # type: ignore[union-attr]
        window = counts_of(signal, [*rng.choice(names, 900).tolist(), *[hot] * 300])
        bank = WindowBank([signal])
        result = bank.test(window_of(bank.layout, [window], 1_200), 1e-4)
        row = result.tests.index("name_share")
        assert result.found[row]
        text = describe(signal, window, look=int(result.look[row])).text
        here = sorted(n for n, b in binning.code.items() if b == binning.code[hot])  # type: ignore[union-attr]
        assert text.startswith(f"one of {len(here)} names that have no bin of their own (")
        assert " more) " in text
        assert len(text) < 700
        assert text.count("'n") == (24 if names is short else 0)
