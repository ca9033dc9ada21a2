"""Shares of values and rates, followed pane by pane."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from detectors import (
    AdwinBank,
    CategoricalBinning,
    EDetectorBank,
    EvidenceBank,
    Reference,
    ShareGrowth,
    ShareTable,
    fit_reference,
)
from detectors.null_distributions.special import binomial_upper
from detectors.references.calibration import Calibration, share_effect
from detectors.sequential.shares import Share
from tests.detectors.sequential.test_edetector import twin_of
from tests.detectors.tools import counts_of, window_of
from tests.oracles.edetector import NaiveShares

N = 4_000


def few(n: int, rng: np.random.Generator, missing: float = 0.02, bad: float = 0.1) -> dict:
    """A number, two values, five, and ten names."""
    number = rng.normal(size=n)
    number[rng.random(n) < missing] = np.nan
    names = [f"n{i}" for i in rng.integers(0, 10, n)]
    for i in np.flatnonzero(rng.random(n) < missing):
        names[i] = None  # type: ignore[call-overload]
    return {
        "number": number,
        "two": np.where(rng.random(n) < bad, "bad", "ok").tolist(),
        "five": rng.choice(list("abcde"), n, p=[0.4, 0.3, 0.2, 0.05, 0.05]).tolist(),
        "names": names,
    }


@pytest.fixture(scope="module")
def reference() -> Reference:
    return fit_reference(few(N, np.random.default_rng(0)), model="m")


@pytest.fixture(scope="module")
def ordered() -> Reference:
    columns = few(N, np.random.default_rng(1))
    columns["two"] = np.repeat(columns["two"][: N // 10], 10).tolist()  # each value ten times
    return fit_reference(columns, model="m", times_ms=np.arange(N))


def bank_of(reference: Reference, threshold: float = 1e4, z: float = 3.0) -> EvidenceBank:
    layout = reference.layout()
    table = ShareTable(reference.signals, layout)
    ranks = EDetectorBank(reference.signals, layout, threshold=threshold, z=z)
    return EvidenceBank(ranks, ShareGrowth(table, z, reference.signals, layout))


def pane_of(reference: Reference, columns: dict, n: int) -> np.ndarray:
    counts = [counts_of(s, columns[s.name]) for s in reference.signals]
    return window_of(reference.layout(), counts, n)


def by_name(reference: Reference) -> dict[str, list[Share]]:
    shares: dict[str, list[Share]] = {s.name: [] for s in reference.signals}
    for share in ShareTable(reference.signals).shares:
        shares[reference.signals[share.signal].name].append(share)
    return shares


def test_what_is_followed(reference: Reference) -> None:
    found = by_name(reference)
    assert [s.rate for s in found["number"]] == ["missing_rate", "invalid_rate", "range_rate"]
    rates = ["unseen_rate", "missing_rate", "invalid_rate"]
    assert [s.rate for s in found["two"]] == ["", *rates]
    assert [s.rate for s in found["five"]] == [""] * 5 + rates
    assert [s.rate for s in found["names"]] == [""] * 10 + rates
    assert [s.both for s in found["five"]] == [True] * 5 + [False] * 3
    assert not any(s.both for s in found["names"])  # of many names a rise alone
    # Of two values the rarer one says all, but either may be off by chance.
    (two,) = (s for s in found["two"] if not s.rate)
    binning = reference.signals[1].binning
    assert binning.label(int(two.bins[0])) == "bad"
    assert two.looks == 2
    assert 0.08 < two.reference < 0.12


def test_names_of_the_tail_are_followed_by_bins() -> None:
    rng = np.random.default_rng(7)
    names = [f"n{i}" for i in rng.integers(0, 1_000, 10_000)]
    reference = fit_reference({"shop": names}, model="m")
    (signal,) = reference.signals
    binning = signal.binning
    assert isinstance(binning, CategoricalBinning)
    table = ShareTable(reference.signals)
    values = [share for share in table.shares if not share.rate]
    assert len(values) == binning.other + binning.tail
    assert not any(share.both for share in values)
    assert sum(share.inside for share in values) == 10_000
    assert not table.adwin.size
    taken = ["n7"] * 30 + ["never seen"] * 20
    total, held = table.counts(window_of(None, [counts_of(signal, taken)], 50))  # type: ignore[arg-type]
    known, new = (b - binning.other for b in map(binning.bin, ("n7", "never seen")))
    for share, events, inside in zip(values, total, held, strict=False):
        at = int(share.bins[0]) - binning.other
        wanted = 30 * (at == known) + 20 * (at == new - binning.tail) if at >= 0 else 0
        assert (events, inside) == (50, wanted)
    bank = bank_of(reference)
    for t in range(60):
        pane = [f"n{i}" for i in rng.integers(0, 1_000, 20)]
        if t >= 20:
            pane[:4] = ["n7"] * 4
        if bank.update(window_of(None, [counts_of(signal, pane)], 20))[0]:  # type: ignore[arg-type]
            break
    assert 20 < t < 59
    assert binning.bin("n7") in table.shares[bank.lead(0).share].bins


def test_a_rate_that_is_not_among_the_tests_is_not_followed(reference: Reference) -> None:
    table = ShareTable(reference.signals, tests={"number": ("missing_rate",), "two": ("psi",)})
    rates = [(s.signal, s.rate) for s in table.shares if s.signal < 2]
    assert rates == [(0, "missing_rate"), (1, "")]
    assert table.adwin_slots[:2].tolist() == [1, 1]


def test_one_name_or_none_has_no_share() -> None:
    columns = {"same": ["a"] * 500, "none": [None] * 500}
    signals = fit_reference(columns, model="m", kinds={"none": "categorical"}).signals
    table = ShareTable(signals)
    assert all(share.rate for share in table.shares)
    bank = bank_of(Reference("m", "", signals, 500))
    for values, found in (("a", False), ("b", True)):
        counts = [counts_of(signals[0], [values] * 9), counts_of(signals[1], [None] * 9)]
        assert bank.update(window_of(None, counts, 9)).tolist() == [found, False]  # type: ignore[arg-type]


@given(st.integers(0, 50), st.integers(0, 10**6))
def test_counts_are_those_of_the_values(reference: Reference, n: int, seed: int) -> None:
    table = ShareTable(reference.signals)
    columns = few(n, np.random.default_rng(seed), missing=0.3)
    total, held = table.counts(pane_of(reference, columns, n))
    for share, events, inside in zip(table.shares, total, held, strict=True):
        signal = reference.signals[share.signal]
        counts = counts_of(signal, columns[signal.name])
        values = [c for b, c in enumerate(counts) if b not in (counts.size - 2, counts.size - 1)]
        assert events == (sum(values) if share.of_values else n)
        assert inside == sum(counts[b] for b in share.bins)
    moments = table.moments(total, held)
    scored = held[table.adwin] * 65_535
    for got, wanted in zip(moments, (total[table.adwin], scored, scored * 65_535), strict=True):
        assert (got == wanted).all()


@pytest.mark.parametrize("tail", [1e-9, 1e-3, 0.2])
def test_the_bound_is_clopper_and_pearsons(tail: float) -> None:
    for k, n in ((0.0, 300.0), (1.0, 10_000.0), (7.5, 33.3), (9_999.0, 10_000.0)):
        wanted = stats.beta.isf(tail, k + 1, n - k)
        assert binomial_upper(k, n, tail) == pytest.approx(wanted, rel=1e-6)
    assert binomial_upper(5.0, 5.0, tail) == 1.0


@pytest.mark.parametrize("is_ordered", [False, True])
def test_the_bank_equals_its_twin(
    reference: Reference, ordered: Reference, is_ordered: bool
) -> None:
    known = ordered if is_ordered else reference
    threshold, z = 300.0, 1.0
    bank = bank_of(known, threshold, z)
    table = bank.shares.table
    twins = []
    for i, signal in enumerate(known.signals):
        shares = [
            (s.inside, s.total, stats.norm.sf(z) / s.looks, s.cautious_phi, bool(s.rate), s.both)
            for s in table.shares
            if s.signal == i
        ]
        ranks = twin_of(signal, threshold, z) if signal.kind == "numeric" else None
        twins.append(NaiveShares(ranks, shares, binomial_upper, threshold))
    if is_ordered:
        assert max(s.phi for s in table.shares if s.signal == 1) > 3.0
    rng = np.random.default_rng(3)
    alarms = 0
    for t in range(80):
        n = int(rng.integers(0, 60))
        columns = few(n, rng, *((0.02, 0.1) if t < 40 else (0.15, 0.4)))
        flat = pane_of(known, columns, n)
        total, held = table.counts(flat)
        drift = bank.update(flat)
        for i, (signal, twin) in enumerate(zip(known.signals, twins, strict=True)):
            here = [k for k, s in enumerate(table.shares) if s.signal == i]
            values = counts_of(signal, columns[signal.name])[: signal.binning.missing].tolist()
            expected = twin.update(values, [(int(total[k]), int(held[k])) for k in here])
            assert drift[i] == expected, (t, signal.name)
            if twin.mean > 0.0:
                wanted = math.log(twin.mean)
                assert wanted - 0.01 < bank.evidence[i] < wanted + 1e-6
        alarms += int(drift.sum())
    assert alarms > 3


@settings(max_examples=15)
@given(st.integers(0, 30), st.integers(0, 1000))
def test_it_goes_on_from_its_state(reference: Reference, cut: int, seed: int) -> None:
    whole, restarted = bank_of(reference, 30.0, 0.5), bank_of(reference, 30.0, 0.5)
    rng = np.random.default_rng(seed)
    for t in range(30):
        if t == cut:
            state = restarted.dump()
            restarted = bank_of(reference, 30.0, 0.5)
            restarted.load(state)
            assert restarted.dump() == state
        columns = few(20, rng, 0.2, 0.3)
        if t % 7 == 0:
            columns["number"][:] = np.nan  # ranks have nothing to go by in this pane
        counts = pane_of(reference, columns, 20)
        assert (restarted.update(counts) == whole.update(counts)).all()
        assert (restarted.evidence == whole.evidence).all()
        for i in range(4):
            assert restarted.lead(i) == whole.lead(i)
    assert restarted.dump() == whole.dump()


@pytest.mark.parametrize(
    ("column", "change", "rate", "direction"),
    [
        ("two", {"bad": 0.3}, "", 1),
        ("two", {"bad": 0.01}, "", -1),
        ("number", {"missing": 0.2}, "missing_rate", 1),
        ("names", {"missing": 0.2}, "missing_rate", 1),
    ],
)
def test_the_lead_says_what_moved(
    reference: Reference, column: str, change: dict[str, float], rate: str, direction: int
) -> None:
    rng = np.random.default_rng(4)
    i = reference.layout().names.index(column)
    quiet, bank = bank_of(reference), bank_of(reference)
    for _ in range(100):
        assert not quiet.update(pane_of(reference, few(20, rng), 20)).any()
    for _ in range(100):
        if bank.update(pane_of(reference, few(20, rng, **change), 20))[i]:
            break
    assert bank.evidence[i] > math.log(1e4)
    lead = bank.lead(i)
    assert lead.direction == direction
    assert bank.shares.table.shares[lead.share].rate == rate


def test_a_moved_mean_still_leads(reference: Reference) -> None:
    bank = bank_of(reference)
    rng = np.random.default_rng(5)
    for _ in range(100):
        columns = few(20, rng)
        columns["number"] -= 1.0
        if bank.update(pane_of(reference, columns, 20))[0]:
            break
    assert bank.evidence[0] > math.log(1e4)
    assert bank.lead(0) == (-1, -1)


def test_evidence_beyond_what_a_number_holds_stays_a_number(reference: Reference) -> None:
    bank = bank_of(reference)
    columns = {
        "number": [np.nan] * 100,
        "two": ["bad"] * 100,
        "five": ["e"] * 100,
        "names": ["n3"] * 100,
    }
    counts = pane_of(reference, columns, 100) * 10_000
    assert bank.update(counts).all()
    assert np.isfinite(bank.evidence).all()
    assert (bank.evidence > 1e4).all()
    shares = bank.shares.table.shares
    assert shares[bank.lead(0).share].rate == "missing_rate"
    assert [bank.lead(i).direction for i in range(4)] == [1, 1, 1, 1]
    assert not bank.update(counts * 0).any()
    assert np.isneginf(bank.evidence).all()  # all start anew


def test_a_wrong_state_is_refused(reference: Reference) -> None:
    bank = bank_of(reference)
    with pytest.raises(ValueError, match="bytes"):
        bank.load(b"")
    size = len(bank.dump()) // 8
    for at in (0, size - 1):
        state = np.zeros(size)
        state[at] = np.nan
        with pytest.raises(ValueError, match="finite"):
            bank.load(state.tobytes())


def test_a_rare_value_in_few_runs_has_a_margin() -> None:
    known = Calibration(np.zeros(1, np.uint8), batches=50)
    chance = 1.0 + math.sqrt(2.0 / 49)
    assert share_effect(known, chance, 100) == 1.0
    assert share_effect(known, 1.3, 100) == 1.3
    assert share_effect(known, 2.0, 1_000) == 2.0
    assert share_effect(known, 15.0, 100) > 30.0
    assert share_effect(known, 15.0, 0) == 15.0
    assert share_effect(Calibration(np.zeros(1, np.uint8)), 5.0, 10) == 1.0


def test_adwin_takes_a_delta_for_each_slot() -> None:
    n = np.full(2, 1_000)
    found = np.zeros(2, bool)
    bank = AdwinBank(2, np.array([0.5, 1e-12]))
    for held in (100, 100, 145):
        s1 = np.full(2, held * 65_535)
        found |= bank.update(n, s1, s1 * 65_535)
    assert found.tolist() == [True, False]
    for wrong in (np.array([0.1]), np.array([0.1, 1.0])):
        with pytest.raises(ValueError, match="delta must be between"):
            AdwinBank(2, wrong)
