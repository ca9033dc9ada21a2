"""The laws that every registered detector keeps; one without a twin fails here.

A detector equals its naive twin, does not depend on how its stream is cut into calls, goes on from
its dumped state as if nothing had happened, skips and counts what is no number, and its slots do
not see each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from detectors import (
    ADWIN,
    CUSUM,
    REGISTRY,
    AdwinBank,
    CategoricalBinning,
    CusumBank,
    EDetectorBank,
    NumericBinning,
    PageHinkley,
    Reference,
    ScoreTable,
    WindowBank,
    fit_reference,
)
from detectors.windowed.coarsening import coarsen
from detectors.windowed.rates import LEAST_RISE
from tests.detectors.tools import window_of
from tests.oracles import bins as naive_bins
from tests.oracles import distances as naive
from tests.oracles.adwin import NaiveAdwin, NaivePaneAdwin
from tests.oracles.edetector import NaiveEDetector
from tests.oracles.sums import NaiveCusum, NaivePageHinkley, NaivePaneCusum


def names(form: str) -> list[str]:
    return [name for name, detector in REGISTRY.items() if detector.form == form]


# ---- items: name -> (detector, twin), settings under which short streams alarm

ITEMS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "ADWIN": (lambda: ADWIN(0.3, clock=1, reset="oldest"), lambda: NaiveAdwin(0.3, 1)),
    "CUSUM": (
        lambda: CUSUM(20, mean=0.4, sd=0.3),
        lambda: NaiveCusum(0.5, CUSUM(20).threshold, 0.4, 0.3),
    ),
    "PageHinkley": (
        lambda: PageHinkley(threshold=1.0, least_items=5),
        lambda: NaivePageHinkley(threshold=1.0, least=5),
    ),
}
numbers = st.floats(0, 1, width=16)
anything = st.one_of(numbers, numbers, st.sampled_from([math.nan, math.inf, -math.inf]))
#: Two stretches of different level, so that there is something to find.
streams = st.tuples(st.lists(anything, max_size=50), st.lists(anything, max_size=50)).map(
    lambda parts: [x * 0.3 for x in parts[0]] + [0.7 + x * 0.3 for x in parts[1]]
)


def test_every_detector_has_a_twin() -> None:
    assert set(names("item")) == set(ITEMS)
    assert set(names("bank")) == set(BANKS)
    assert {n.removeprefix("window:") for n in names("window")} == set(WINDOWS)
    assert all(hasattr(naive, n.removeprefix("distance:")) for n in names("distance"))
    assert {d.form for d in REGISTRY.values()} == {"item", "bank", "window", "distance"}


@pytest.mark.parametrize("name", names("item"))
@given(stream=streams)
def test_an_item_detector_equals_its_twin(name: str, stream: list[float]) -> None:
    detector, twin = (make() for make in ITEMS[name])
    alarms = []
    for i, x in enumerate(stream):
        if twin.update(x):
            alarms.append(i)
        assert detector.update(x) is detector
        assert detector.drift_detected == (i in alarms)
    assert detector.missing == sum(not math.isfinite(x) for x in stream)
    assert ITEMS[name][0]().update_many(np.array(stream)).tolist() == alarms


@pytest.mark.parametrize("name", names("item"))
@given(stream=streams, cuts=st.lists(st.integers(0, 100), max_size=4), data=st.data())
def test_an_item_detector_may_be_cut_and_restored_anywhere(
    name: str, stream: list[float], cuts: list[int], data: st.DataObject
) -> None:
    whole = ITEMS[name][0]()
    expected = whole.update_many(stream)
    detector = ITEMS[name][0]()
    alarms: list[int] = []
    at = 0
    for cut in sorted(min(c, len(stream)) for c in [*cuts, 100]):
        alarms += (at + detector.update_many(stream[at:cut])).tolist()
        at = cut
        if data.draw(st.booleans()):
            state = detector.dump()
            detector = ITEMS[name][0]()
            detector.load(state)
    assert alarms == expected.tolist()
    assert detector.dump() == whole.dump()


@pytest.mark.parametrize("name", names("item"))
def test_a_state_of_another_size_is_refused(name: str) -> None:
    detector = ITEMS[name][0]()
    with pytest.raises(ValueError, match=r"has \d+ bytes; got 3"):
        detector.load(b"abc")


# ---- banks: name -> bank of the signals of a reference, and the twins of its slots


@pytest.fixture(scope="module")
def ordered() -> Reference:
    """Two numeric signals and a name, with design effects above 1."""
    rng = np.random.default_rng(3)
    slow = np.repeat(rng.normal(size=200), 10) + rng.normal(size=2_000)
    return fit_reference(
        {"slow": slow, "count": rng.poisson(3, 2_000).astype(float), "name": ["a", "b"] * 1_000},
        model="m",
        times_ms=np.arange(2_000) * 1_000,
    )


class _Scores:
    """A bank of scores, fed with counts."""

    def __init__(self, reference: Reference, make: Callable[..., Any]) -> None:
        self.table = ScoreTable(reference.signals)
        whole = window_of(reference.layout(), [s.counts for s in reference.signals], 2_000)
        moments = [m.ravel() for m in self.table.moments(whole)]
        self.bank = make(moments, self.table.phi.ravel())
        self.dump, self.load = self.bank.dump, self.bank.load

    def update(self, counts: np.ndarray) -> np.ndarray:
        n, s1, s2 = (m.ravel() for m in self.table.moments(counts))
        second = (s2,) if isinstance(self.bank, AdwinBank) else ()
        return np.asarray(self.bank.update(n, s1, *second))

    def moments(self, counts: np.ndarray, slot: int) -> tuple[int, ...]:
        return tuple(int(m.ravel()[slot]) for m in self.table.moments(counts))


def adwins(reference: Reference) -> tuple[Any, Callable[[np.ndarray], list[bool]]]:
    bank = _Scores(reference, lambda moments, phi: AdwinBank(phi.size, 0.2, phi))
    twins = [NaivePaneAdwin(0.2, phi) for phi in bank.bank.phi]

    def step(counts: np.ndarray) -> list[bool]:
        return [twin.update(*bank.moments(counts, i)) for i, twin in enumerate(twins)]

    return bank, step


def cusums(reference: Reference) -> tuple[Any, Callable[[np.ndarray], list[bool]]]:
    whole: list[np.ndarray] = []

    def make(moments: list[np.ndarray], phi: np.ndarray) -> CusumBank:
        whole.extend(moments)
        return CusumBank(*moments, 20.0, phi=phi)

    bank = _Scores(reference, make)
    cusum = bank.bank
    twins = [
        NaivePaneCusum(*(int(m[i]) for m in whole), cusum.phi[i], 2.0, 0.5, cusum.threshold)
        for i in range(cusum.n_slots)
    ]

    def step(counts: np.ndarray) -> list[bool]:
        return [twin.update(*bank.moments(counts, i)[:2]) for i, twin in enumerate(twins)]

    return bank, step


def edetectors(reference: Reference) -> tuple[Any, Callable[[np.ndarray], list[bool]]]:
    layout = reference.layout()
    bank = EDetectorBank(reference.signals, layout, threshold=30.0, z=1.0)
    twins = []
    for i in layout.numeric:
        signal = reference.signals[i]
        x = signal.binning.scores(signal.counts)[: signal.binning.missing] / 65_535  # type: ignore[union-attr]
        c = signal.calibration
        twins.append(
            (
                int(layout.start[i]),
                x.size,
                NaiveEDetector(
                    [x.tolist(), np.abs(2 * x - 1).tolist()],
                    signal.counts[: x.size].tolist(),
                    30.0,
                    1.0,
                    [c.phi_x, c.phi_y],
                    True,
                ),
            )
        )

    def step(counts: np.ndarray) -> list[bool]:
        return [t.update(counts[start : start + size].tolist()) for start, size, t in twins]

    return bank, step


BANKS = {"AdwinBank": adwins, "CusumBank": cusums, "EDetectorBank": edetectors}


def panes_of(reference: Reference, seed: int, n: int = 40) -> list[np.ndarray]:
    """Panes that change half way, some of them empty."""
    rng = np.random.default_rng(seed)
    panes = []
    for pane in range(n):
        events = int(rng.integers(0, 30)) if rng.random() < 0.9 else 0
        columns = []
        for signal in reference.signals:
            share = signal.counts / signal.events
            if pane > n // 2:
                share = np.roll(share[::-1], int(rng.integers(0, 9)))
            columns.append(rng.multinomial(events, share))
        panes.append(window_of(reference.layout(), columns, events))
    return panes


@pytest.mark.parametrize("name", names("bank"))
def test_a_bank_equals_its_twins(name: str, ordered: Reference) -> None:
    found = 0
    for seed in range(6):
        bank, step = BANKS[name](ordered)
        for pane in panes_of(ordered, seed):
            drift = bank.update(pane)
            assert drift.tolist() == step(pane)
            found += int(drift.sum())
    assert found


@pytest.mark.parametrize("name", names("bank"))
def test_a_bank_may_be_restored_anywhere(name: str, ordered: Reference) -> None:
    panes = panes_of(ordered, 1)
    whole, _ = BANKS[name](ordered)
    alarms = [whole.update(pane).tolist() for pane in panes]
    for cut in (0, 7, 23, 40):
        bank, _ = BANKS[name](ordered)
        first = [bank.update(pane).tolist() for pane in panes[:cut]]
        state = bank.dump()
        bank, _ = BANKS[name](ordered)
        bank.load(state)
        assert first + [bank.update(pane).tolist() for pane in panes[cut:]] == alarms
        assert bank.dump() == whole.dump()
        with pytest.raises(ValueError, match=r".+"):
            bank.load(state[:-1] + b"\xff\xff\xff")


@pytest.mark.parametrize("name", names("bank"))
def test_slots_do_not_see_each_other(name: str, ordered: Reference) -> None:
    """What happens to one signal changes nothing for another."""
    other = ordered.layout().slice(0)
    one, _ = BANKS[name](ordered)
    two, _ = BANKS[name](ordered)
    for pane in panes_of(ordered, 2):
        disturbed = pane.copy()
        disturbed[other] = disturbed[other][::-1]
        first, second = one.update(pane), two.update(disturbed)
        half = first.size // 2
        assert first[half:].tolist() == second[half:].tolist()


# ---- windowed tests: name -> twin of the value, from the reference's and the window's bins


def rate(signal: Any, window: np.ndarray, bins: list[int]) -> float:
    return float(window[bins].sum() / window.sum())


def new_bins(signal: Any) -> list[int]:
    return [b for b in range(signal.binning.missing) if not signal.counts[b]]


RATES: dict[str, Callable[[Any], list[int]]] = {
    "missing_rate": lambda s: [s.binning.missing],
    "invalid_rate": lambda s: [s.binning.invalid],
    "unseen_rate": lambda s: [s.binning.unseen],
    "range_rate": new_bins,
}
WINDOWS = {*(n.removeprefix("distance:") for n in names("distance")), *RATES, "name_share"}


def value_by_twin(test: str, signal: Any, window: np.ndarray, k: int, look: int) -> float:
    if test in RATES:
        return rate(signal, window, RATES[test](signal))
    if test == "name_share":  # tests/detectors/windowed/test_name_share.py has its look
        own = signal.binning.other
        return abs(
            window[look] / window[:own].sum() - signal.counts[look] / signal.counts[:own].sum()
        )
    old, new = signal.counts, window
    if test in ("wasserstein", "ks"):
        old, new = (c[: signal.binning.missing] for c in (old, new))
    else:
        coarse = coarsen(signal, k)
        size = coarse.reference.size
        old, new = ([int(c[coarse.group == g].sum()) for g in range(size)] for c in (old, new))
    return float(getattr(naive, test)([int(c) for c in old], [int(c) for c in new]))


@pytest.mark.parametrize("name", names("window"))
@given(seed=st.integers(0, 10_000), events=st.integers(200, 3_000), alpha=st.floats(1e-7, 0.01))
def test_a_windowed_test_equals_its_twin(
    name: str, ordered: Reference, seed: int, events: int, alpha: float
) -> None:
    """Value by the twin; found if and only if it passes the threshold; p then is small enough."""
    test = name.removeprefix("window:")
    kinds = REGISTRY[name].kinds
    signals = [s for s in ordered.signals if s.kind in kinds]
    companion = "psi" if test != "psi" else "js"
    bank = WindowBank(signals, tests={s.name: (test, companion) for s in signals})
    rng = np.random.default_rng(seed)
    windows = []
    for signal in signals:
        weight = signal.counts + rng.integers(0, rng.choice([2, 60]), signal.counts.size)
        windows.append(rng.multinomial(events, weight / weight.sum()))
    result = bank.test(window_of(bank.layout, windows, events), alpha)
    assert set(result.tests) <= {test, companion}
    k = min(20, max(2, events // 100))
    rows = [r for r in range(len(result.tests)) if result.test(r) == test]
    for row in rows:
        signal = signals[result.signal[row]]
        window = windows[result.signal[row]]
        expected = value_by_twin(test, signal, window, k, int(result.look[row]))
        assert result.value[row] == pytest.approx(expected, rel=1e-9, abs=1e-12)
        if test in RATES or test == "name_share":
            passes = result.value[row] >= result.threshold[row] * (1 - 1e-12)
            assert result.found[row] <= (result.effect[row] >= LEAST_RISE)
        else:
            passes = result.value[row] > result.threshold[row]
            assume(abs(result.p_value[row] / (alpha / 2) - 1) > 1e-3)
            assert passes == (result.p_value[row] < alpha / 2)
        assert bool(result.found[row]) == bool(passes)
        assert bool(result.severity(row)) == bool(passes)
    alone = WindowBank(signals[-1:], tests={signals[-1].name: (test, companion)})
    again = alone.test(window_of(alone.layout, windows[-1:], events), alpha)
    kept = result.signal == len(signals) - 1
    for field in ("value", "threshold", "p_value", "effect", "found"):
        assert getattr(again, field).tolist() == getattr(result, field)[kept].tolist()


def test_binnings_of_both_kinds_are_there(ordered: Reference) -> None:
    """So that each windowed test is tried on what it takes."""
    assert {type(s.binning) for s in ordered.signals} == {NumericBinning, CategoricalBinning}
    assert naive_bins.psi([5, 5], [5, 5]) == 0.0
