from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors import Budget, Reference, ScoreTable, WindowBank, warm_up
from detectors.budget import (
    LEAST_ALPHA,
    WEEK_MS,
    adwin_delta_for,
    edetector_threshold_for,
)
from tests.detectors.tools import counts_of, window_of

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"


def measured(name: str) -> list[dict[str, Any]]:
    """Cells of a table of false alarms in which there are enough of them to say much."""
    cells = json.loads((RESULTS / name).read_text())["cells"]
    return [cell for cell in cells if cell.get("runs", cell["alarms"]) >= 15]


def budget(reference: Reference, per_week: int, **options: object) -> Budget:
    reference = dataclasses.replace(reference, events_per_week=per_week)
    defaults: dict[str, object] = {"false_alarms_per_week": 1.0, "pane_ms": 1_200_000}
    return Budget.of(reference, reference.signals, **{**defaults, **options})  # type: ignore[arg-type]


def test_a_slow_stream(mixed: Reference) -> None:
    got = budget(mixed, 10_080, false_alarms_per_week=0.5)
    assert got.windows_per_week == pytest.approx(10.08, rel=0.02)
    assert got.window_alpha == pytest.approx(0.99 * 0.5 / 8 / got.windows_per_week)
    assert got.panes_per_week == pytest.approx(504, rel=1e-6)
    assert got.window_events == 1_000
    assert 1e-3 < got.adwin_delta() <= 0.01


def test_a_fast_stream_gets_longer_windows(mixed: Reference) -> None:
    got = budget(mixed, 6_048_000_000, pane_ms=10_000, false_alarms_per_week=0.1)
    assert got.window_events > 1_000
    assert got.window_alpha >= 0.8 * LEAST_ALPHA  # windows are of whole panes


def test_the_whole_budget_is_spent_and_no_more(mixed: Reference) -> None:
    for options in ({}, {"segments": 2}):
        got = budget(mixed, 100_000, **options)
        of_all = got.window_alpha * got.windows_per_week * 8
        of_duplicates = got.duplicates_alpha * got.windows_per_week
        assert of_duplicates == pytest.approx(0.01)
        assert of_all == pytest.approx(0.99 * (0.8 if options else 1.0))
        assert (got.segment_alpha > 0) == bool(options)


@pytest.mark.parametrize(
    ("per_week", "asked", "spent"),
    [(10_000, 1.0, 1.0), (10_000, 9.0, 2.0), (1_000, 1.0, 0.2), (1_000, 0.1, 0.1)],
)
def test_slow_streams_buy_no_more_than_an_alarm_in_five_windows(
    mixed: Reference, per_week: int, asked: float, spent: float
) -> None:
    options = {"pane_ms": 3_600_000, "window_max_age_ms": 4 * WEEK_MS, "window_events": 1_000}
    got = budget(mixed, per_week, false_alarms_per_week=asked, edetector=True, **options)
    assert got.spent_per_week == pytest.approx(spent, rel=0.02)
    as_asked = budget(mixed, per_week, false_alarms_per_week=spent, edetector=True, **options)
    assert got.edetector_threshold == pytest.approx(as_asked.edetector_threshold, rel=0.02)
    assert got.window_alpha == pytest.approx(as_asked.window_alpha, rel=0.02)
    assert got.false_alarms_per_week == asked


@pytest.mark.parametrize(
    ("weeks", "spent"), [(1, 1 / 5), (26, 1 / 26 / 5), (26.01, 1 / 4), (100, 1 / 4)]
)
def test_with_a_window_in_half_a_year_or_none_the_other_tests_may_alarm_once_a_month(
    mixed: Reference, weeks: float, spent: float
) -> None:
    got = budget(mixed, 7, window_max_age_ms=round(weeks * WEEK_MS))
    assert got.spent_per_week == pytest.approx(spent)


@pytest.mark.parametrize(
    "cell", measured("adwin_table.json"), ids=lambda c: f"{c['n']}-{c['delta']}"
)
def test_adwins_delta_is_the_one_that_such_a_rate_was_measured_with(cell: dict[str, Any]) -> None:
    low, rate, high = (adwin_delta_for(cell[key], cell["n"]) for key in ("low", "rate", "high"))
    if cell["n"] >= 20:
        assert low <= cell["delta"] <= 1.05 * high
    else:  # few alarms were seen: the rate is taken from the upper end of what they allow
        assert 0.5 * cell["delta"] < rate < 0.8 * cell["delta"]


def test_an_e_detector_alarms_no_more_often_than_was_measured() -> None:
    """Of the worst law and size of panes of a ratio; where that kept the bound at all."""
    slack: dict[tuple[float, bool], float] = defaultdict(lambda: np.inf)
    for cell in measured("edetector_table.json"):
        kept = cell["threshold"] * cell["high"] <= 1.0
        got = edetector_threshold_for(cell["high"], cell["n"], cell["rows"])
        assert got >= cell["threshold"] or not kept
        key = cell["ratio"], cell["threshold"] > 300.0
        slack[key] = min(slack[key], 1.0 / (cell["threshold"] * cell["high"]))
    rows = 10**9  # so many that their own error, which leaves the slack, is no bound
    for (ratio, far), least in slack.items():
        if ratio > 0.001:
            continue  # there the slack stays as it is, for laws that were not measured
        bound = 1e6 if far else 300.0 * max(1.0, least)
        got = bound / edetector_threshold_for(1.0 / bound, ratio * rows, rows)
        assert 0.6 * max(1.0, least) < got < 1.05 * max(1.0, least), (ratio, far)


def test_panes_with_events_are_no_more_than_events(mixed: Reference) -> None:
    assert budget(mixed, 168, pane_ms=3_600_000).panes_per_week == 168
    assert budget(mixed, 50, pane_ms=3_600_000).panes_per_week == 50


def test_a_cycle_is_one_window_and_one_pane(mixed: Reference) -> None:
    got = budget(mixed, 10_000, cycle_ms=WEEK_MS // 7)
    assert got.windows_per_week == got.panes_per_week == pytest.approx(7)


def test_an_e_detector_takes_its_part(mixed: Reference) -> None:
    without = budget(mixed, 1_000_000)
    got = budget(mixed, 1_000_000, edetector=True)
    assert np.isinf(without.edetector_threshold)
    assert got.edetector_threshold == pytest.approx(
        edetector_threshold_for(
            0.99 / 12 / got.panes_per_week, 1_000_000 / got.panes_per_week, mixed.events
        )
    )
    assert got.window_alpha == pytest.approx(without.window_alpha * 8 / 12)
    fast = budget(mixed, 2_000 * mixed.events, edetector=True)
    assert (got.edetector_z, fast.edetector_z) == (3.0, 4.0)


def test_slots_of_one_signal_share_its_part(mixed: Reference) -> None:
    got = budget(mixed, 1_000_000)
    n = got.events_per_pane
    assert got.adwin_alarms == pytest.approx(0.99 / 8 / got.panes_per_week)
    for slots in (1.0, 2.0, 12.5):
        assert got.adwin_delta(slots) == adwin_delta_for(got.adwin_alarms / slots, n)
    assert got.adwin_delta(1.0) > got.adwin_delta(5.0)


def test_more_alarms_allowed_means_a_larger_delta() -> None:
    for n in (1, 20, 100, 5_000, 1e6):
        deltas = [adwin_delta_for(rate, n) for rate in (1e-9, 1e-7, 1e-5, 1.0)]
        assert deltas == sorted(deltas)
        assert deltas[0] > 0
        assert deltas[-1] == 0.01
    assert adwin_delta_for(3.7e-5, 100) == pytest.approx(0.01)
    assert adwin_delta_for(3.7e-5 / 2**1.2, 100) == pytest.approx(0.005)


def test_a_threshold_is_never_above_its_bound_and_follows_the_slack() -> None:
    for rows in (300, 10_000, 100_000_000):
        for n in (0.5, 20.0, 1e6):
            got = [edetector_threshold_for(1 / bound, n, rows) for bound in (1e2, 1e4, 1e6)]
            assert got == sorted(got)
            assert all(a <= bound for a, bound in zip(got, (1e2, 1e4, 1e6), strict=True))
    middle, many = (edetector_threshold_for(1e-6, 20, rows) for rows in (10_000, 2_000_000))
    assert middle < many / 4  # a smaller reference has a wider margin, which leaves more slack
    assert edetector_threshold_for(1e-6, 20, 1_000) == pytest.approx(1e6)  # rare values unknown
    assert edetector_threshold_for(1e-6, 20, 10**9) > 0.5e6
    assert edetector_threshold_for(1 / 2_000, 200, 10_000) == pytest.approx(300)
    assert edetector_threshold_for(1 / 200, 20, 10_000) == pytest.approx(200)
    assert edetector_threshold_for(1.0, 20, 10_000) == 100.0


@pytest.mark.parametrize("f", [0.0, -1.0, float("nan")])
def test_a_budget_of_nothing_is_refused(mixed: Reference, f: float) -> None:
    with pytest.raises(ValueError, match="false_alarms_per_week must be > 0"):
        budget(mixed, 1, false_alarms_per_week=f)


def test_moments_are_those_of_the_scores(mixed: Reference) -> None:
    layout = mixed.layout()
    rng = np.random.default_rng(0)
    values = [rng.normal(4, 1, 50), rng.lognormal(size=50), rng.poisson(3, 50), ["ok"] * 50]
    values[0][:5] = np.nan
    columns = [counts_of(s, v) for s, v in zip(mixed.signals, values, strict=True)]
    n, s1, s2 = ScoreTable(mixed.signals).moments(window_of(layout, columns, 50))
    for row in range(3):
        signal = mixed.signals[row]
        scores = signal.binning.scores(signal.counts)  # type: ignore[union-attr]
        x = scores[signal.binning.bin(values[row])]  # type: ignore[union-attr, arg-type]
        x = x[x >= 0]
        for axis, q in enumerate((x, np.abs(2 * x - 65_535))):
            assert (n[row, axis], s1[row, axis], s2[row, axis]) == (q.size, q.sum(), (q * q).sum())


def test_the_mean_score_of_the_reference_is_one_half(mixed: Reference) -> None:
    for signal in mixed.signals[:3]:
        scores = signal.binning.scores(signal.counts)  # type: ignore[union-attr]
        use = scores >= 0
        mean = scores[use] @ signal.counts[use] / signal.counts[use].sum() / 65_535
        assert mean == pytest.approx(0.5, abs=1e-5)


def test_warm_up_compiles_what_is_used_later(mixed: Reference) -> None:
    from detectors.counting.counts import accumulate
    from detectors.sequential import adwin_bank
    from detectors.windowed import kernels as window_kernels
    from detectors.windowed import rates

    warm_up()
    kernels = (
        accumulate, window_kernels.distances, window_kernels.tails, rates._test, rates._tails,
        adwin_bank._update,
    )  # fmt: skip
    before = [len(k.signatures) for k in kernels]  # type: ignore[attr-defined]
    layout = mixed.layout()
    counts = np.zeros((2, layout.width), np.int64)
    places = layout.positions(np.zeros((9, 3)), np.zeros((9, 1), np.int32))
    accumulate(places, np.zeros(9, np.int32), counts)
    _ = WindowBank(mixed.signals).test(counts[0] * 100, 1e-3).p_value
    assert all(before)
    assert [len(k.signatures) for k in kernels] == before  # type: ignore[attr-defined]


def test_disparities_take_from_the_segments_part_alone(mixed: Reference) -> None:
    plain, fair = (budget(mixed, 10_080 * 60, segments=1, disparities=count) for count in (0, 5))
    assert fair.window_alpha == plain.window_alpha
    assert fair.limit_threshold == plain.limit_threshold
    assert plain.fairness_alpha == 0.0
    assert 0.0 < fair.segment_alpha < plain.segment_alpha
    signals = len(mixed.signals)
    of_segments = 0.2 * 0.99 * fair.false_alarms_per_week
    assert 5 * fair.fairness_alpha * fair.windows_per_week == pytest.approx(
        of_segments * 5 / (signals + 5)
    )
