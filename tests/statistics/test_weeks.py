"""Living streams are what they say, and contestants are counted on them as the tables say."""

from __future__ import annotations

import argparse
import json

import numpy as np
import pytest

from benchmarks import quality
from benchmarks.comparison.contestant import ItemContestant, WindowContestant
from benchmarks.comparison.living import AFTER, HISTORY, LIVING, QUIET, SHIFT, WATCHED, WEEK
from benchmarks.comparison.watched import DAY, ours, trivial, tune, watchers_of
from benchmarks.comparison.week_tables import OURS, found, week_tables
from benchmarks.comparison.weeks import Pains, measure

NUMBER = frozenset({"number"})
FEW = Pains(null=0.0, power=0.0, least=2, most=2, ours=2)
SINE = LIVING["daily sine"]


def one_watcher(contestant):
    (watcher,) = watchers_of(contestant)
    return watcher


def by_name(name):
    return next(w for w in [*ours(), *trivial()] if w.name == name)


def alarm_at(*items):
    """Alarms at these items after the last week of the history, which it is given first."""

    def make(_):
        seen = [-WEEK]

        def step(_x):
            seen[0] += 1
            return seen[0] - 1 in items

        return step

    return ItemContestant("at", NUMBER, 1.0, make=make)


@pytest.mark.parametrize("name", LIVING)
def test_a_week_is_as_many_items_whatever_the_stream(name):
    drawn, again = (LIVING[name].make(3, 1) for _ in range(2))
    assert np.array_equal(drawn.values, again.values)
    assert (drawn.history.size, drawn.values.size) == (HISTORY * WEEK, WATCHED * WEEK)
    assert (np.diff(drawn.times) > 0).all()
    assert drawn.times[WEEK] - drawn.times[0] == 7 * 86_400_000
    of_day = (drawn.times - drawn.times[0]) % 86_400_000
    assert of_day.max() < 300_000 if name == "nightly loads" else of_day.max() > 86_000_000


@pytest.mark.parametrize("name", LIVING)
def test_the_shift_is_the_only_difference(name):
    usual, shifted = (LIVING[name].make(3, 1, QUIET + AFTER, shift) for shift in (0.0, SHIFT))
    more = shifted.values - usual.values
    assert np.array_equal(usual.history, shifted.history)
    assert not more[: QUIET * WEEK].any()
    assert more[QUIET * WEEK :] == pytest.approx(SHIFT)


def test_what_is_left_of_a_season_is_its_noise_and_its_shift():
    drawn = SINE.make(3, 1, QUIET + AFTER, SHIFT)
    left = drawn.less_season()
    hours = left.values[: WEEK // 7].reshape(24, 60).mean(axis=1)
    assert np.abs(drawn.values[: WEEK // 7].reshape(24, 60).mean(axis=1)).max() > 0.8
    assert np.abs(hours).max() < 0.6
    assert left.values[: QUIET * WEEK].std() == pytest.approx(1.0, abs=0.05)
    assert left.values[QUIET * WEEK :].mean() == pytest.approx(SHIFT, abs=0.05)


def test_items_are_counted_from_the_end_of_the_history():
    watcher = one_watcher(alarm_at(-5, 7, QUIET * WEEK + 2))
    cells = measure(watcher, FEW, "independent")["default"]
    assert cells["null"]["alarms"] == 2
    assert cells["null"]["weeks"] == WATCHED
    assert "share" not in cells["null"]
    assert (cells["power"]["median"], cells["power"]["already"]) == (3.0, 0)
    assert found(cells) == "3 / 3 (2 runs)" or "by chance" in found(cells)


def test_windows_in_alarm_one_after_the_other_are_one_alarm():
    below = WindowContestant("mean", NUMBER, 0.25, statistic=lambda _r, w, _k: float(w.mean()))
    watcher = one_watcher(below)
    drawn = LIVING["independent"].make(3, 1)
    drawn.values[:] = np.repeat([0.0, 1.0, 1.0, 0.0, 1.0], drawn.values.size // 5)[
        : drawn.values.size
    ]
    seen = watcher.watch(drawn, 0.5, drawn.values.size // 2, np.inf)
    assert seen.opened.size == 2
    assert seen.share == pytest.approx(0.6, abs=0.02)
    assert seen.already
    assert not watcher.watch(drawn, 0.5, drawn.values.size // 10, np.inf).already


def test_who_is_always_in_alarm_has_found_nothing_and_who_never_is_misses_all():
    always = measure(by_name("always in alarm"), FEW, "AR .99")["default"]
    never = measure(by_name("never"), FEW, "AR .99")["default"]
    assert always["null"]["share"][0] == 1.0
    assert found(always) == "in alarm before"
    assert never["null"]["alarms"] == 0
    assert found(never).startswith("all missed")


def test_alarms_at_random_are_as_many_as_asked_for_and_find_as_chance_does():
    cells = measure(by_name("at random, once a week"), Pains(ours=40), "regimes")
    null, power = (cells["default"][part] for part in ("null", "power"))
    assert null["low"] < 1.0 < null["high"]
    assert power["median"] == pytest.approx(np.log(2) * WEEK, rel=0.6)


def test_a_setting_is_tuned_to_an_alarm_a_week():
    far = ItemContestant(
        "far", NUMBER, 1.0, (1.0, 2.0), log=False, make=lambda s: lambda x: abs(x) > s
    )
    setting, why = tune(one_watcher(far), LIVING["independent"], False)
    assert why == ""
    # two tails of a normal value, once in 10,080: 3.89; the ladder has steps of 1.36
    assert 3.5 < setting < 5.5


def test_windows_are_tuned_by_days():
    sizes = set()

    def statistic(_reference, window, _kind):
        sizes.add(window.size)
        return float(window.mean())

    watcher = one_watcher(WindowContestant("mean", NUMBER, 0.5, statistic=statistic))
    setting, _ = tune(watcher, LIVING["independent"], False)
    # one day of seven: the quantile .857 of a mean of 1,440
    assert setting == pytest.approx(1.07 / np.sqrt(DAY), rel=0.4)
    assert sizes == {DAY}


def test_that_no_setting_helps_is_said():
    noisy = ItemContestant(
        "noisy", NUMBER, 1.0, (1.0, 2.0), log=False, make=lambda _: lambda _x: True
    )
    cells = measure(one_watcher(noisy), FEW, "independent")
    assert "no setting" in cells["tuned"]["why_not"]


@pytest.mark.parametrize("name", OURS)
def test_ours_is_silent_and_finds_a_shift(name):
    cells = measure(by_name(name), FEW, "daily sine")["default"]
    assert cells["null"]["rate"] <= 1.0
    assert cells["power"]["missed"] == 0
    assert cells["power"]["median"] < 3_000


def test_what_a_run_that_was_broken_off_has_is_not_measured_again(tmp_path, monkeypatch):
    stored = tmp_path / "weeks.json"
    monkeypatch.setattr(quality, "WEEKS", stored)
    left = "AR .99"
    measured = {stream: ["then", "c"] for stream in LIVING if stream != left}
    never = {"streams": {key: {} for key in measured}, "measured": measured}
    held = {"about": {"made": "then", "commit": "c"}, "contestants": {"never": never}}
    stored.write_text(json.dumps(held))
    options = argparse.Namespace(quick=False, resume=True, only=["never"], jobs=1)
    again = quality.run_weeks(options)["contestants"]["never"]
    assert [stream for stream, cells in again["streams"].items() if cells] == [left]
    assert again["measured"][left][0] == "then"
    assert json.loads(stored.read_text())["contestants"]["never"] == again
    options.resume = False
    assert all(quality.run_weeks(options)["contestants"]["never"]["streams"].values())


def test_the_page_shows_what_was_measured():
    stored = json.loads(quality.WEEKS.read_text())
    page = quality.PAGE.read_text()
    for name, text in week_tables(stored).items():
        assert f"<!-- {name}: generated -->\n{text}\n" in page, "benchmarks.quality --tables"
    assert set(OURS) <= set(stored["contestants"])
