"""Short forms of the gates: the same code as `python -m benchmarks.gates`, fewer streams.

A bound fails a test only where the whole interval is beyond it, and seeds are fixed: a failure is
a change of the product, not bad luck.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.gates import (
    Measured,
    g1_merge,
    g2_adwin,
    g3_iid,
    g5_windows,
    g6_dependent,
    g7_delay,
    g8_cost,
    g9_budget,
    g10_memory,
    g11_names,
    g12_seasons,
    g13_one_name,
    g14_shares,
    g15_slow,
    g16_duplicates,
    g17_change_points,
    g18_estimate,
    real,
)
from benchmarks.gates.taxi import taxi
from tests.census import census_or_skip


def check(rows: list[Measured]) -> None:
    assert rows
    wrong = [
        f"{r.what}: {r.value:.4g} ({r.low:.4g} to {r.high:.4g}), {r.note}"
        for r in rows
        if r.refuted
    ]
    assert not wrong, "\n".join(wrong)


def test_merged_counts_decide_as_one_pass() -> None:
    rows = g1_merge.run(trials=20)
    check(rows)
    assert all(row.met for row in rows)


def test_adwin_is_rivers_and_the_papers() -> None:
    cells = ((0.1, 0.3), (0.5, 0.1), (0.5, 0.3))
    check(g2_adwin.run(n=12_000, runs=15, ramps=8, cells=cells))


def test_false_alarms_of_independent_panes() -> None:
    check(g3_iid.run(references=100, items=200_000))


def test_a_fast_week() -> None:
    check(g3_iid.run_week(references=20, items=2_000_000))


def test_levels_of_the_windowed_tests() -> None:
    rows = g5_windows.run(references=300, windows=100)
    check(rows)
    psi = rows[0]
    assert psi.high - psi.low < 0.6, "too few windows to say anything"


def test_dependent_streams() -> None:
    check(g6_dependent.run(references=60, items=100_000))


def test_delays() -> None:
    check(g7_delay.run(runs=100, null_items=50_000))


def test_state_is_small() -> None:
    """The cost in time is measured by `make quality` only: no test asserts how long it takes."""
    rows = g8_cost.run(signals=50, panes=4)
    assert all(row.met for row in rows if "bytes" in row.what)


def test_a_subject_keeps_to_its_budget() -> None:
    check(g9_budget.run(slow_weeks=40, fast_weeks=0, sparse_weeks=0))


def test_a_fast_subject_keeps_to_its_budget() -> None:
    """A tenth of a week at 100 events/s: at F = 1 more than two episodes are one in 6,000."""
    rows = g9_budget.simulate(
        "fast",
        weeks=1,
        subjects=20,
        events_per_week=6_048_000.0,
        pane_ms=100_000,
        seed=5,
        most_episodes=5,
    )
    assert all(row.met for row in rows), [row.note for row in rows]


def test_real_streams_without_a_change() -> None:
    data = real.folder()
    if data is None:
        pytest.skip("DRIFTSTREAM_DATA is not set: no INSECTS and NAB data")
    check([*real.insects(data, shuffles=8), *real.nab(data)])


def test_replay_is_silent_on_real_streams_and_finds_real_changes() -> None:
    """`driftstream fit` and `replay`, all defaults: INSECTS within 400 rows, SEA within 1,000."""
    data = real.folder()
    if data is None:
        pytest.skip("DRIFTSTREAM_DATA is not set: no INSECTS, NAB and SEA data")
    rows = real.replays(data, shuffles=3, splices=2)
    check(rows)
    assert all(row.met for row in rows), [f"{row.what}: {row.value}" for row in rows if not row.met]


def test_the_unusual_weeks_of_new_yorks_taxis_are_named() -> None:
    """From the file's first day on: Independence Day is one of the reference."""
    data = real.folder()
    if data is None:
        pytest.skip("DRIFTSTREAM_DATA is not set: no NAB data")
    named, outside, in_alarm = taxi(data)
    assert named.value >= 4.0, named.note
    assert outside.value <= 1.0, outside.note
    assert in_alarm.value < 0.4


@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_dependent_subjects(rho: float) -> None:
    check(real.dependent(rho, weeks=4, subjects=4))


def test_a_diurnal_subject() -> None:
    check(real.diurnal(with_cycle=True, weeks=4, subjects=4))


@pytest.mark.parametrize("share", [0.01, 0.3, 1.0])
def test_events_that_come_twice(share: float) -> None:
    rows = g16_duplicates.null(share, subjects=2, weeks=0.25)
    check(rows)
    assert rows[1].value == (share > 0.01)  # told in all streams, or in none


def test_drift_beside_events_that_come_twice_is_found() -> None:
    check([g16_duplicates.change(1.0, runs=4)])


# ---- the intervals themselves


def test_intervals_cover_the_truth() -> None:
    rng = np.random.default_rng(0)
    from benchmarks.gates.measured import median_of, rate_of, share_of

    covered = np.zeros(3)
    for _ in range(400):
        _, low, high = rate_of(rng.poisson(0.2, 100), 2.0)
        covered[0] += low <= 0.1 <= high
        _, low, high = share_of(rng.binomial(200, 0.01, 50), 200)
        covered[1] += low <= 0.01 <= high
        _, low, high = median_of(rng.exponential(1.0, 99))
        covered[2] += low <= np.log(2) <= high
    assert (covered / 400 >= 0.93).all()


def test_a_value_beyond_its_bound_is_told_from_bad_luck() -> None:
    unlucky = Measured("x", 1.2, 0.8, 1.7, most=1.0)
    wrong = Measured("x", 1.2, 1.1, 1.7, most=1.0)
    fine = Measured("x", 0.5, 0.4, 0.6, least=0.3, most=1.0)
    strict = Measured("x", 0.9, 0.5, 1.1, most=1.0, by_bound=True)
    assert [r.met for r in (unlucky, wrong, fine, strict)] == [False, False, True, False]
    assert [r.refuted for r in (unlucky, wrong, fine, strict)] == [False, True, False, False]
    assert fine.verdict == "yes"
    assert unlucky.verdict != wrong.verdict


@pytest.mark.parametrize("name", ["AR .99", "independent, 500 rows", "names repeating .98"])
def test_streams_with_a_memory(name: str) -> None:
    check(g10_memory.null(name, subjects=6, weeks=4))


@pytest.mark.parametrize("name", ["independent, +.5 sd", "AR .9, +1 sd"])
def test_what_changes_in_streams_with_a_memory_is_found(name: str) -> None:
    check([g10_memory.change(name, runs=9)])


def test_slow_streams_are_warned_of_and_others_are_not() -> None:
    warned = {
        name: int(g10_memory.null(name, subjects=2, weeks=1)[0].note.split("; ")[-1].split()[0])
        for name in ("independent", "AR .999")
    }
    assert warned == {"independent": 0, "AR .999": 2}


@pytest.mark.parametrize(
    ("law", "names", "rows", "n"), [("equal", 50, 3_000, 1_000), ("Zipf", 300, 1_000, 300)]
)
def test_levels_with_many_names(law: str, names: int, rows: int, n: int) -> None:
    check(g11_names.level(law, names, rows, n, references=20, windows=200))


def test_changes_of_names_are_found() -> None:
    check([g11_names.power(*p, references=20, windows=10) for p in g11_names.POWER])


@pytest.mark.parametrize("setting", [g13_one_name.SETTINGS[k] for k in (1, 6, 9, 12)], ids=str)
def test_levels_of_the_shares_of_names(setting: tuple[str, int, int, int]) -> None:
    check(g13_one_name.level(*setting, references=20, windows=150))


@pytest.mark.parametrize("setting", [g13_one_name.POWER[k] for k in (0, 2, 4, 7)], ids=str)
def test_one_name_that_grows_is_found(
    setting: tuple[str, int, int, int, str, float, float, float | None],
) -> None:
    check([g13_one_name.power(*setting, references=15, windows=10)])


@pytest.mark.parametrize(
    "name",
    [
        "sine",
        "sine, day levels sd .2",
        "a holiday in the reference",
        "missing by hour and day",
        "traffic moves to the day",
    ],
)
def test_streams_with_seasons_are_seldom_in_alarm(name: str) -> None:
    check(g12_seasons.null(name, subjects=2))


@pytest.mark.parametrize(
    "name",
    [
        "sine, +.5 sd",
        "sine, 1 week of reference, +.5 sd",
        "a holiday in the reference, +.5 sd",
    ],
)
def test_what_changes_in_streams_with_seasons_is_found(name: str) -> None:
    check([g12_seasons.change(name, runs=3)])


@pytest.mark.parametrize("name", g14_shares.DELAYS)
def test_moved_shares_are_found(name: str) -> None:
    check([g14_shares.delay(name, references=40)])


@pytest.mark.parametrize("name", [n for n in g14_shares.NULLS if "event a minute" in n])
def test_shares_without_a_change(name: str) -> None:
    check(g14_shares.null(name, references=20, weeks=6))


@pytest.mark.parametrize(
    "name", ["1 signals, AR 0.9, an event in 10 min", "10 signals, AR 0, an event in an hour"]
)
def test_slow_streams_are_seldom_in_alarm(name: str) -> None:
    check(g15_slow.null(name, subjects=2, windows=20))


@pytest.mark.parametrize(
    "name", ["+1 sd of 1 in 10, an event in 10 min", "+2 sd of 1 in 10, an event in an hour"]
)
def test_what_jumps_in_slow_streams_is_told_when_fit_says(name: str) -> None:
    check(g15_slow.change(name, runs=9))


@pytest.mark.parametrize(
    "name", ["+.01 sd a week, an event in 10 min", "+.5 sd on 2 days of 7, an event in 10 min"]
)
def test_half_a_year_of_drift_is_told_without_a_flood(name: str) -> None:
    rows = g15_slow.long(name, runs=2)
    check(rows)
    assert all(row.met for row in rows), [f"{row.what}: {row.value}" for row in rows if not row.met]


@pytest.mark.parametrize("name", ["independent, +.5 sd", "AR .97, +1 sd", "a name .1 -> .2"])
def test_intervals_hold_a_sudden_change_and_call_it_no_ramp(name: str) -> None:
    check(g17_change_points.steps(name, runs=1))


def test_a_ramp_is_told_as_one() -> None:
    rows = g17_change_points.ramps("independent, to +1 sd in 10,000 events", runs=1)
    check(rows)
    assert rows[0].met


def test_an_oracle_is_as_sure_as_the_noise_allows() -> None:
    """Its width goes by the design effect over the square of the shift."""
    base = g17_change_points.oracle(0.5, 4.0)
    assert g17_change_points.oracle(0.25, 4.0) == pytest.approx(4.0 * base, rel=0.15)
    assert g17_change_points.oracle(0.5, 16.0) == pytest.approx(4.0 * base, rel=0.15)


def test_estimated_accuracy_of_the_census() -> None:
    rows = g18_estimate.measure(census_or_skip(), shuffles=4)
    check(rows)
    assert rows[-1].met
