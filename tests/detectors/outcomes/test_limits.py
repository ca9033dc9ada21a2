from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from detectors.outcomes.limits import LimitEvidence, limit_of_f1, limit_of_share


def stakes(at: float, side: str, bound: float | None) -> tuple[list[float], float, float]:
    """Stakes of the processes, mean and unit of what is bad, as documented."""
    if bound is None:
        return [0.02, 0.05, 0.1, 0.2, 0.4, 0.7], 1.0, at
    m0 = (at if side == "at_most" else bound - at) / bound
    odds = [times * m0 / (1 - m0) for times in (1.1, 1.25, 1.6, 2.5, 6.0, 16.0)]
    return [(o / (1 + o) - m0) / (m0 * (1 - m0)) for o in odds], m0, bound


def twin(values: list[list[float]], at: float, side: str, bound: float | None, phi: float) -> float:
    """Log of the mean of the processes, event by event."""
    bets, m0, unit = stakes(at, side, bound)
    m = [0.0] * len(bets)
    for pane in values:
        bad = [(x if side == "at_most" else bound - x) / unit for x in pane]
        temper = 1.25 * phi if phi > 1 else 1.0
        for k, bet in enumerate(bets):
            growth = math.fsum(math.log1p(bet * (x - m0)) for x in bad) / temper
            m[k] = (m[k] + min(1.0, len(pane) * 8 / (1.25 * phi))) * math.exp(growth)
    return math.log(sum(m) / len(m))


@pytest.mark.parametrize("side", ["at_least", "at_most"])
@given(
    st.floats(0.02, 0.98),
    st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=12), min_size=1, max_size=12),
    st.sampled_from([1.0, 3.0]),
)
def test_of_zeros_and_ones_it_is_exact(
    side: str, at: float, panes: list[list[int]], phi: float
) -> None:
    ours = LimitEvidence(at, side, threshold=1e200, phi=phi)
    for pane in panes:
        assert not ours.update(len(pane), sum(pane))
    assert ours.evidence == pytest.approx(twin(panes, at, side, 1.0, phi), abs=1e-6)


@pytest.mark.parametrize(
    ("side", "bound"), [("at_least", 4.0), ("at_most", 4.0), ("at_most", None)]
)
@given(
    st.floats(0.1, 3.9),
    st.lists(st.lists(st.floats(0, 4), min_size=1, max_size=8), min_size=1, max_size=8),
)
def test_of_other_values_it_is_never_more_than_their_product(
    side: str, bound: float | None, at: float, panes: list[list[float]]
) -> None:
    ours = LimitEvidence(at, side, threshold=1e200, bound=bound)
    for pane in panes:
        ours.update(len(pane), math.fsum(pane), math.fsum(x * x for x in pane))
    assert ours.evidence <= twin(panes, at, side, bound, 1.0) + 1e-6


def test_squares_make_evidence_grow_faster() -> None:
    rng = np.random.default_rng(0)
    with_, without = (LimitEvidence(0.4, "at_most", threshold=1e200, bound=36.0) for _ in range(2))
    for _ in range(100):
        loss = rng.gamma(0.6, 1.0, 20)
        with_.update(20, loss.sum(), np.square(loss).sum())
        without.update(20, loss.sum())
    assert with_.evidence > without.evidence + 10.0


@pytest.mark.parametrize(("at", "side"), [(0.9, "at_least"), (0.02, "at_most"), (0.3, "at_most")])
@pytest.mark.parametrize("events", [1, 20])
def test_a_metric_at_its_limit_alarms_no_more_than_allowed(
    at: float, side: str, events: int
) -> None:
    rng = np.random.default_rng(1)
    alarms, panes = 0, 6_000
    ours = LimitEvidence(at, side, threshold=100.0)
    for hits in rng.binomial(events, at, panes).tolist():
        alarms += ours.update(events, hits)
    least = float(stats.chi2.ppf(0.005, 2 * alarms)) / 2 if alarms else 0.0
    assert least <= panes / 100


def test_heavy_tails_alarm_no_more_than_allowed() -> None:
    rng = np.random.default_rng(2)
    alarms, panes = 0, 6_000
    at = stats.t(3).expect(abs)
    ours = LimitEvidence(at, "at_most", threshold=100.0, bound=None)
    for _ in range(panes):
        errors = np.abs(rng.standard_t(3, 10))
        alarms += ours.update(10, errors.sum(), np.square(errors).sum())
    assert alarms > 0
    assert float(stats.chi2.ppf(0.005, 2 * alarms)) / 2 <= panes / 100


def test_errors_with_a_memory_are_tempered() -> None:
    rng = np.random.default_rng(3)
    alarms, panes = 0, 10_000
    ours = LimitEvidence(0.2, "at_most", threshold=200.0, phi=10.0)
    for _ in range(panes):  # every event comes ten times
        alarms += ours.update(20, 10 * int(rng.binomial(2, 0.2)))
    least = float(stats.chi2.ppf(0.005, 2 * alarms)) / 2 if alarms else 0.0
    assert least <= panes / 200


def test_what_is_beyond_its_limit_is_found() -> None:
    for at, side, now, most in (
        (0.9, "at_least", 0.8, 600),
        (0.1, "at_most", 0.2, 600),
        (0.001, "at_most", 0.01, 5_000),
        (0.5, "at_least", 0.4, 1_500),
    ):
        rng, delays = np.random.default_rng(4), []
        for _ in range(9):
            ours, events = LimitEvidence(at, side, threshold=1e5), 0
            while not ours.update(10, int(rng.binomial(10, now))):
                events += 10
            assert ours.once_in > 1e5
            delays.append(events)
        assert np.median(delays) <= most


def test_it_survives_restarts_and_starts_anew_after_an_alarm() -> None:
    rng = np.random.default_rng(5)
    whole, parted = (LimitEvidence(0.9, "at_least", threshold=50.0) for _ in range(2))
    alarms = 0
    for t in range(200):
        if t % 9 == 0:
            state, parted = parted.dump(), LimitEvidence(0.9, "at_least", threshold=50.0)
            parted.load(state)
        hits = int(rng.binomial(20, 0.8))
        alarm = whole.update(20, hits)
        assert parted.update(20, hits) == alarm
        assert parted.evidence == whole.evidence
        alarms += alarm
    assert alarms > 3
    evidence = whole.evidence
    assert not whole.update(0, 0.0)  # nothing happened
    assert whole.evidence == evidence
    with pytest.raises(ValueError, match="bytes"):
        whole.load(b"")
    with pytest.raises(ValueError, match="finite"):
        whole.load(np.full(6, np.inf).tobytes())


def test_evidence_without_end_stays_a_number() -> None:
    ours = LimitEvidence(0.9, "at_least", threshold=math.inf)
    for _ in range(50):
        ours.update(1_000_000, 0.0)
    assert ours.once_in == pytest.approx(1e300)


def test_limits_of_f1_and_of_the_reference() -> None:
    tp, fp, fn = 80, 15, 30
    f1 = 2 * tp / (2 * tp + fp + fn)
    assert limit_of_f1(f1) == pytest.approx(tp / (tp + fp + fn))
    upper, lower = (limit_of_share(100, 1_000, 3.0, upper=way) for way in (True, False))
    assert lower < 0.1 < upper
    assert upper == pytest.approx(0.1 + 3 * math.sqrt(0.09 / 1_000), abs=0.004)
    assert limit_of_share(100, 1_000, 3.0, 4.0, upper=True) > upper


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"at": 0.0, "side": "at_most"}, "limit must be between 0 and 1"),
        ({"at": 1.0, "side": "at_least"}, "limit must be between 0 and 1"),
        ({"at": -1.0, "side": "at_most", "bound": None}, "limit must be > 0"),
        ({"at": 0.5, "side": "at_least", "bound": None}, "needs a bound"),
        ({"at": 0.5, "side": "below"}, "side must be one of"),
        ({"at": 0.5, "side": "at_most", "phi": 0.5}, "phi must be"),
        ({"at": 0.5, "side": "at_most", "threshold": 1.0}, "threshold must be"),
    ],
)
def test_limits_that_make_no_sense_are_refused(options: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LimitEvidence(**{"threshold": 100.0, **options})
    with pytest.raises(ValueError, match="cannot sum"):
        LimitEvidence(0.5, "at_most", threshold=100.0).update(3, 4.0)
    with pytest.raises(ValueError, match="squares"):
        LimitEvidence(0.5, "at_most", threshold=100.0, bound=None).update(3, 4.0)
