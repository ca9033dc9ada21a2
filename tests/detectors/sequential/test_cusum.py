"""CUSUM keeps the run length it was solved for; Page-Hinkley is river's."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from scipy import stats

from detectors import CUSUM, CusumBank, PageHinkley, Reference, ScoreTable
from detectors.sequential import cusum, cusum_run_length, cusum_threshold, page_hinkley
from tests.detectors.tools import counts_of, window_of
from tests.oracles import sums as naive


@pytest.mark.parametrize(
    ("h", "k", "run_length"), [(4, 0.5, 167.7), (5, 0.5, 465.4), (8.01, 0.25, 370.0)]
)
def test_run_lengths_of_the_literature(h: float, k: float, run_length: float) -> None:
    """Montgomery, Introduction to Statistical Quality Control, section 9.1; Hawkins 1993."""
    assert cusum_run_length(h, k) == pytest.approx(run_length, rel=2e-3)


@pytest.mark.parametrize(("h", "k"), [(3.0, 0.5), (8.0, 0.25), (2.0, 1.5)])
def test_run_lengths_equal_those_of_the_markov_chain(h: float, k: float) -> None:
    assert cusum_run_length(h, k) == pytest.approx(naive.brook_evans(h, k), rel=1e-3)


@pytest.mark.parametrize("run_length", [100.0, 1e3, 1e6, 1e10])
@pytest.mark.parametrize("shift", [0.5, 1.0, 5.0])
def test_thresholds_have_their_run_length(run_length: float, shift: float) -> None:
    h = cusum_threshold(run_length, shift / 2)
    # The equations are as ill-conditioned as the run is long: BLAS kernels differ in that.
    tolerance = 1e-6 + 100 * np.finfo(float).eps * run_length
    assert cusum_run_length(h, shift / 2) == pytest.approx(run_length, rel=tolerance)


@pytest.mark.parametrize("shift", [0.5, 1.0, 2.0])
def test_false_alarms_are_as_many_as_said(shift: float) -> None:
    """An exact interval (Poisson; alarms are nearly independent) of those in 2 million items."""
    rng = np.random.default_rng(4)
    alarms = CUSUM(2_000, shift=shift, mean=3.0, sd=2.0).update_many(rng.normal(3, 2, 2_000_000))
    low = stats.chi2.ppf(5e-4, 2 * alarms.size) / 2
    high = stats.chi2.isf(5e-4, 2 * alarms.size + 2) / 2
    assert low <= 1_000 <= high


def test_false_alarms_of_panes_are_as_many_as_said(mixed: Reference) -> None:
    """Panes of 50 binned scores, x and y of three signals, against references of infinite size."""
    rng = np.random.default_rng(5)
    table, layout = ScoreTable(mixed.signals), mixed.layout()
    n, s1, s2 = (
        m.ravel()
        for m in table.moments(window_of(layout, [s.counts for s in mixed.signals], mixed.events))
    )
    bank = CusumBank(n, s1, s2, 100.0, z=0.0)
    alarms = np.zeros(bank.n_slots, np.int64)
    panes = 4_000
    shares = [s.counts / s.events for s in mixed.signals]
    drawn = [rng.multinomial(50, share, panes) for share in shares]
    for pane in range(panes):
        counts = window_of(layout, [d[pane] for d in drawn], 50)
        size, first, _ = (m.ravel() for m in table.moments(counts))
        alarms += bank.update(size, first)
    low, high = stats.poisson.interval(0.9999, panes / 100)
    assert (alarms >= 0.8 * low).all()  # bounded scores alarm a little less often
    assert (alarms <= high).all()


def test_a_shift_is_found_and_a_constant_is_not(mixed: Reference) -> None:
    rng = np.random.default_rng(6)
    table, layout = ScoreTable(mixed.signals), mixed.layout()
    reference = window_of(layout, [s.counts for s in mixed.signals], mixed.events)
    n, s1, s2 = (m.ravel() for m in table.moments(reference))
    n, s1, s2 = np.append(n, 1_000), np.append(s1, 5_000), np.append(s2, 25_000)  # a constant
    bank = CusumBank(n, s1, s2, 1e6)
    moved = [
        counts_of(s, v)
        for s, v in zip(
            mixed.signals,
            (
                rng.normal(4.4, 1, 500),
                rng.lognormal(size=500),
                rng.poisson(3, 500),
                ["ok"] * 500,
            ),
            strict=True,
        )
    ]
    found = np.zeros(7, bool)
    for _ in range(5):
        size, first, _ = (m.ravel() for m in table.moments(window_of(layout, moved, 500)))
        found |= bank.update(np.append(size, 500), np.append(first, 4_000))
        assert (bank.evidence <= bank.threshold).all()
    assert found[0]
    assert not found[6]


@pytest.mark.parametrize("alpha", [1.0, 0.9999])
@pytest.mark.parametrize("threshold", [20.0, 50.0])
def test_page_hinkley_equals_river(alpha: float, threshold: float) -> None:
    from river.drift import PageHinkley as River

    rng = np.random.default_rng(7)
    stream = np.concatenate([rng.normal(m, 1, 4_000) for m in (0, 0.5, 0.5, -2)])
    ours = PageHinkley(alpha=alpha, threshold=threshold).update_many(stream)
    theirs = River(alpha=alpha, threshold=threshold)
    alarms = []
    for i, x in enumerate(stream.tolist()):
        theirs.update(x)
        if theirs.drift_detected:
            alarms.append(i)
    assert ours.tolist() == alarms
    assert len(alarms) >= 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CUSUM(5), "run_length must be 10 to 1e10; got 5"),
        (lambda: CUSUM(100, shift=0.01), "shift must be"),
        (lambda: CUSUM(50, shift=5), "run_length must be above 80"),
        (lambda: CUSUM(100, sd=0.0), "sd must be > 0"),
        (lambda: CUSUM(100, mean=np.nan), "mean must be a finite number"),
        (lambda: PageHinkley(threshold=0), "threshold must be > 0"),
        (lambda: PageHinkley(delta=-1), "delta must be >= 0"),
        (lambda: PageHinkley(alpha=0), "alpha must be above 0"),
        (lambda: PageHinkley(least_items=0), "least_items must be >= 1"),
        (lambda: CusumBank(*np.ones((3, 2), np.int64), 1e3, phi=np.zeros(2)), "phi must be 2"),
        (lambda: CusumBank(*np.ones((3, 2), np.int64), 1e3, z=-1), "z must be >= 0"),
        (lambda: CusumBank(np.ones(2), np.ones(1), np.ones(2), 1e3), "of one length"),
    ],
)
def test_wrong_parameters_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


def test_examples() -> None:
    for module in (cusum, page_hinkley):
        failed, tried = doctest.testmod(module)
        assert tried
        assert not failed
