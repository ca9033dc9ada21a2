"""The public comparison scores as it says: examples of TCPD, intervals, matched settings."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.comparison.contestant import ItemContestant, WindowContestant
from benchmarks.comparison.delays import measure_delay, summary
from benchmarks.comparison.ours import contestants
from benchmarks.comparison.rates import Rate, _by_line, poisson_interval
from benchmarks.comparison.streams import BEFORE, CHANGES, NULLS, REFERENCE, make_null
from benchmarks.comparison.tables import headline
from benchmarks.comparison.tcpd import covering, f1_score
from benchmarks.quality import FRONT, RESULT


@pytest.mark.parametrize(
    ("marks", "found", "expected"),
    [
        ({1: [10, 20], 2: [11, 20], 3: [10], 4: [0, 5]}, [10, 20], 1.0),
        ({1: [], 2: [10], 3: [50]}, [10], 10 / 11),
        ({1: [], 2: [10], 3: [50]}, [], 0.8),
    ],
)
def test_f1_is_that_of_the_benchmark(marks, found, expected):
    assert f1_score(marks, found) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("marks", "found", "expected"),
    [
        ({1: [10, 20], 2: [10], 3: [0, 5]}, [10, 20], 0.7962962962962963),
        ({1: [], 2: [10], 3: [40]}, [10], 0.7954144620811286),
        ({1: [], 2: [10], 3: [40]}, [], 0.8189300411522634),
    ],
)
def test_covering_is_that_of_the_benchmark(marks, found, expected):
    assert covering(marks, found, 45) == pytest.approx(expected)


def test_poisson_intervals_are_exact():
    assert poisson_interval(0, 1.0) == pytest.approx((0.0, -math.log(0.025)))
    assert poisson_interval(10, 2.0) == pytest.approx((4.7954 / 2, 18.3904 / 2), rel=1e-4)


def test_a_setting_is_found_where_the_log_rate_is_a_line():
    contestant = ItemContestant("line", frozenset(), ladder=(1.0, 0.1, 0.01))
    rates = [Rate(alarms=round(1_000 * s), items=1_000_000) for s in contestant.ladder]
    settings = _by_line(contestant, rates)
    assert settings[10] == pytest.approx(0.01, rel=0.02)
    assert settings[1] == pytest.approx(0.001, rel=0.05)


def test_missed_changes_count_as_infinitely_late():
    cell = summary([5.0, 7.0, math.inf])
    assert (cell["median"], cell["p95"], cell["missed"]) == (7.0, None, 1)


def test_the_front_page_shows_who_is_matched_and_who_never_speaks():
    stored = json.loads(RESULT.read_text())
    lines = headline(stored).splitlines()[2:]
    assert lines[0].startswith("| driftstream, default set |")
    assert any(line.startswith("| never |") and "100% missed" in line for line in lines)
    assert f"\n{headline(stored)}\n" in FRONT.read_text(), "python -m benchmarks.quality --tables"


def test_delays_are_counted_from_the_change():
    on_the_change = ItemContestant(
        "clairvoyant",
        frozenset({"number"}),
        make=lambda _: (lambda held: lambda x: held.append(0) or len(held) == BEFORE + 3)([]),
    )
    cell = measure_delay(on_the_change, None, CHANGES["sudden +.5 sd"], 10.0, 3, 1)
    assert (cell["median"], cell["changes"], cell["runs"]) == (3.0, 3, 3)


def test_a_window_alarms_at_its_last_item():
    mean = WindowContestant(
        "mean", frozenset({"number"}), 0.3, statistic=lambda _r, w, _k: abs(float(w.mean()))
    )
    values = np.r_[np.zeros(1_000), np.ones(1_000), np.zeros(500)]
    assert mean.run(mean.prepare(values, "number"), values, 0.3).alarms.tolist() == [1_999]


@pytest.mark.parametrize("name", sorted(NULLS))
def test_null_streams_are_seeded_and_of_one_distribution(name):
    reference, values = make_null(name, 3, 20_000)
    again, _ = make_null(name, 3, 20_000)
    assert reference.size == REFERENCE
    assert np.array_equal(reference, again)
    assert abs(reference.mean() - values.mean()) < 0.2


@pytest.mark.parametrize("contestant", contestants(), ids=lambda c: c.name)
def test_ours_find_a_large_change_and_nothing_before(contestant):
    change = CHANGES["spread x1.5"]
    reference, values = change.make(5)
    run = contestant.run(contestant.prepare(reference, change.kind), values, contestant.default)
    assert run.items == len(values)
    assert BEFORE <= run.alarms[0] < BEFORE + 2_000


def test_it_needs_nothing_of_the_speed_bench():
    """`make comparison` has an environment of its own, without a Kafka client of the bench."""
    code = (
        "import sys; sys.modules['confluent_kafka'] = None; "
        "from benchmarks import figures, quality; print(figures.about()['versions']['numpy'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=FRONT.parent
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == np.__version__
