"""What is said of windows that a reference's rate cannot fill."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from detectors import ColumnMapping
from stream.plans.plan import Learn, LearningPlan, PlanError
from stream.stage2.plan_notes import label_lines, labels_left_out, plan_notes
from tests.stream.harness import make_plan, make_reference
from tests.stream.join.log_world import plan

DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def reference():
    return make_reference()


def notes(reference, weekly: int, **settings):
    rated = replace(reference, events_per_week=weekly)
    chosen = {"window_events": 1_000, "window_min_events": 300, "segments": (), **settings}
    return plan_notes(make_plan(reference=rated, **chosen))[len(rated.warnings) :]


@pytest.mark.parametrize(
    ("weekly", "settings"),
    [
        (0, {"cycle_ms": DAY_MS}),  # nothing is known
        (7 * 300, {"cycle_ms": DAY_MS}),
        (7 * 300, {}),
        (7 * 100, {"window_max_age_ms": 3 * DAY_MS}),
    ],
)
def test_windows_that_will_be_filled_need_no_words(reference, weekly, settings):
    assert notes(reference, weekly, **settings) == []


def test_few_events_a_cycle_make_windows_of_several(reference):
    (note,) = notes(reference, 7 * 110, cycle_ms=DAY_MS)
    assert "a cycle of 24h holds about 110 events" in note
    assert "about 3 cycles long" in note


def test_nothing_is_tested_where_even_many_cycles_hold_too_little(reference):
    (note,) = notes(reference, 7 * 30, cycle_ms=DAY_MS)
    assert "nothing will be tested. Lower window.min_events" in note


def test_a_window_that_ages_before_it_is_full_says_which_age_would_do(reference):
    (note,) = notes(reference, 7 * 100)
    assert "a window of 24h (window.max_age) holds about 100 events" in note
    assert "Set max_age to 3d or more." in note


def test_a_window_that_takes_weeks_to_fill_is_said(reference):
    note, of_numbers, of_names = notes(reference, 7, window_max_age_ms=2_000 * DAY_MS)
    assert "a window of 1,000 events fills in about 1,000 days" in note
    assert re.match(
        r"told late: .*: a shift of 1 standard deviation is told within about", of_numbers
    )
    assert "until even that half of all values moved is told" in of_names
    assert all(words.startswith("told late: ") for words in (note, of_names))
    assert notes(reference, 7 * 75, window_max_age_ms=2_000 * DAY_MS) == []


def test_a_rate_of_rows_without_times_is_said_to_be_a_guess(reference):
    (note,) = notes(reference, 604_800)
    assert "had no times and count as one a second, which pane (10s)" in note
    timed = replace(reference, columns=ColumnMapping(timestamp="ts"))
    assert notes(timed, 604_800) == []
    assert notes(reference, 604_801) == []


def test_how_workers_are_made_to_join_is_said(reference):
    (note,) = notes(reference, 0, outcome_wait_ms=DAY_MS)
    assert note.startswith("outcome.wait is of labels that are joined by id")
    assert "name the topic of labels, outcome.labels" in note


def test_what_workers_join_is_said():
    assert labels_left_out(plan()) == label_lines(plan(outcome_labels="")) == []
    assert label_lines(plan()) == ["labels of l, joined by id within 30m; no label means nothing"]
    (line,) = label_lines(plan(outcome_absent_means="no"))
    assert line.endswith("; 'no' if none comes")


def test_labels_need_truths_to_be_joined():
    reference = make_reference()
    with pytest.raises(PlanError, match=r"outcome\.labels are truths, and none is monitored"):
        make_plan(reference=reference, outcome_labels="l")
    with pytest.raises(PlanError, match=r"outcome\.labels needs a reference with truths"):
        LearningPlan(model="m", learn=Learn(warm_up=1_000), outcome_labels="l")


def test_what_no_label_means_is_a_class():
    assert plan(outcome_absent_means="no").absent_class is not None
    assert plan().absent_class is None
    with pytest.raises(PlanError, match=r"absent_means must be a class of the outcomes, and they"):
        plan(outcome_absent_means="none")
    with pytest.raises(PlanError, match=r"and the reference has none; got 'no'"):
        make_plan(reference=make_reference(), outcome_absent_means="no")


def test_plans_share_a_join_if_what_waits_means_the_same():
    first = plan()
    assert first.join_key
    assert not plan(outcome_labels="").join_key
    assert plan(window_events=900).join_key == first.join_key
    others = [{"outcome_wait_ms": 1}, {"lateness_ms": 1}, {"topic": "q"}, {"outcome_labels": "q"}]
    keys = {plan(**other).join_key for other in others}
    assert len(keys | {first.join_key}) == len(others) + 1
