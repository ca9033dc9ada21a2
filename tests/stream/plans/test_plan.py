"""Plans: bounds, hash, stored form; which one holds when."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import fit_reference
from stream.contracts.moments import MINUS_INFINITY
from stream.plans.base import BasePlan
from stream.plans.plan import (
    Plan,
    PlanBook,
    PlanError,
    SignalOptions,
    Subject,
    decode_plan,
    readable,
)
from stream.plans.timeline import join_timeline, sealed_to_ms
from tests.stream.harness import make_plan, make_reference

few = settings(derandomize=True, max_examples=150, deadline=None)


@pytest.fixture(scope="module")
def reference():
    return make_reference()


@pytest.fixture(scope="module")
def plan(reference):
    return make_plan(reference=reference)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pane_ms": 0}, "pane_ms must be >= 1 ms; got 0 ms"),
        ({"lateness_ms": -1}, "lateness_ms must be >= 0 ms; got -1 ms"),
        ({"cycle_ms": 25_000}, "cycle must be a whole number of panes"),
        ({"window_events": 99}, "window_events must be >= 100; got 99"),
        ({"window_max_age_ms": 9_999}, "window_max_age_ms must be >= 10000"),
        ({"signals": {"x": SignalOptions(importance=0.0)}}, "signals.x.importance must be > 0"),
        ({"false_alarms_per_week": 0.0}, "false_alarms_per_week must be > 0"),
        (
            {"false_alarms_per_week": math.nan},
            "false_alarms_per_week must be > 0 and finite; got nan",
        ),
        (
            {"false_alarms_per_week": math.inf},
            "false_alarms_per_week must be > 0 and finite; got inf",
        ),
        ({"segments": ("a=b",)}, "without '='; got 'a=b'"),
        ({"segments": ("a", "b", "a")}, "different names"),
        ({"segments": ("",)}, "different names"),
        ({"signals": {"typo": SignalOptions()}}, "signals.typo is not in the reference"),
        (
            {"signals": {n: SignalOptions(monitor=False) for n in ("x", "z", "c", "score")}},
            "nothing to do",
        ),
    ],
)
def test_a_value_out_of_bounds_is_refused_in_words(reference, changes, said):
    with pytest.raises(PlanError, match=said):
        make_plan(reference=reference, **changes)


def test_signals_that_are_not_monitored_are_not_counted(reference):
    plan = make_plan(reference=reference, signals={"z": SignalOptions(monitor=False)})
    assert [s.name for s in plan.monitored] == ["x", "c", "score"]
    assert plan.layout.names == ("x", "c", "score")


def test_every_setting_changes_the_hash_and_the_time_does_not(reference, plan):
    changes = [
        {"version": "2"},
        {"topic": "other"},
        {"segments": ()},
        {"pane_ms": 5_000},
        {"lateness_ms": 1},
        {"cycle_ms": 20_000},
        {"window_events": 300},
        {"window_max_age_ms": 20_000},
        {"window_min_events": 60},
        {"private": True},
        {"false_alarms_per_week": 1.0},
        {"signals": {"x": SignalOptions(public=True)}},
        {"environment": "prod"},
        {"dashboard_url": "http://d"},
        {"runbook_url": "http://r"},
        {"reference": make_reference(seed=6)},
    ]
    hashes = {make_plan(**{"reference": reference, **change}).hash for change in changes}
    assert len(hashes | {plan.hash}) == len(changes) + 1
    assert make_plan(reference=reference).hash == plan.hash
    assert plan.short_hash == bytes.fromhex(plan.hash[7:])[:8]
    assert decode_plan(plan.encode(5))[0].hash == decode_plan(plan.encode(6))[0].hash


def test_the_stored_form_comes_back(reference):
    plan = make_plan(
        reference=reference,
        version="7",
        cycle_ms=70_000,
        private=True,
        runbook_url="http://r",
        false_alarms_per_week=2,  # an integer is the same plan
        signals={"z": SignalOptions(False, 0.2, ("psi",), True), "c": SignalOptions()},
        segments=("region", ("region", "age")),
    )
    again, since = decode_plan(plan.encode(1_000))
    assert since == 1_000
    assert again.hash == plan.hash
    assert again.settings == plan.settings
    assert again.layout.names == plan.layout.names
    assert (
        plan.hash
        == make_plan(**{name: getattr(again, name) for name in Plan.__struct_fields__}).hash
    )


def damaged(plan: Plan):
    whole = msgspec.json.decode(plan.encode())
    yield b""
    yield b"\xff\xfe"
    yield plan.encode()[:-1]
    yield msgspec.json.encode({**whole, "format": "driftstream.plan.v9"})
    yield msgspec.json.encode({**whole, "more": 1})
    yield msgspec.json.encode({**whole, "effective_from_ms": None})
    yield msgspec.json.encode({**whole, "reference": {}})
    for name, value in (
        ("pane_ms", "10s"),
        ("pane_ms", 1.5),
        ("pane_ms", 0),
        ("segments", "region"),
        ("segments", [1]),
        ("segments", [["region", 1]]),
        ("segments", [["region"]]),
        ("signals", {"x": {"monitor": 3}}),
        ("topic", None),
        ("more", 1),
        ("false_alarms_per_week", None),
    ):
        yield msgspec.json.encode({**whole, "settings": {**whole["settings"], name: value}})
    for name in whole["settings"]:
        rest = {k: v for k, v in whole["settings"].items() if k != name}
        yield msgspec.json.encode({**whole, "settings": rest})


def test_what_is_no_plan_is_an_error_that_names_its_source(plan):
    for value in damaged(plan):
        with pytest.raises(PlanError, match="plans\\[0\\]@17 is not a plan"):
            decode_plan(value, "plans[0]@17")


def test_a_subject_in_words():
    assert str(Subject("fraud", "")) == "fraud"
    assert str(Subject("fraud", "3")) == "fraud/3"
    assert Subject("fraud", "").key == b"fraud/"


# ---- which plan holds


def book_of(*plans: tuple[int, Plan]) -> PlanBook:
    book = PlanBook()
    for since, plan in plans:
        book.add(plan, since)
    return book


def test_a_plan_is_taken_once(plan):
    book = PlanBook()
    assert book.add(plan)
    assert not book.add(plan)
    assert book.generation == 1
    assert book.add(plan, 50_000)
    assert book.generation == 2


def test_the_first_plan_holds_from_the_beginning(plan):
    book = book_of((50_000, plan))
    assert book.plan_at("fraud", "any", 0) is plan
    assert book.plan_at("other", "any", 0) is None
    assert list(book) == [(50_000, plan)]


def test_the_exact_version_comes_before_any_from_its_first_plan_on(reference):
    every = make_plan(reference=reference)
    later = make_plan(reference=reference, window_events=300)
    exact = make_plan(reference=reference, version="2")
    book = book_of((MINUS_INFINITY, every), (900_000, later), (500_000, exact))
    assert book.plan_at("fraud", "2", 499_999) is every
    assert book.plan_at("fraud", "2", 500_000) is exact
    assert book.plan_at("fraud", "2", 10**9) is exact
    assert book.plan_at("fraud", "3", 10**9) is later


def test_a_timeline_that_was_asked_for_sees_a_later_plan(reference):
    book = book_of((MINUS_INFINITY, make_plan(reference=reference)))
    assert len(book.timeline("fraud", "1")) == 1
    book.add(make_plan(reference=reference, window_events=300), 500_000)
    assert len(book.timeline("fraud", "1")) == 2


def test_invented_versions_are_not_remembered_for_ever(plan):
    book = book_of((MINUS_INFINITY, plan))
    for i in range(5_000):
        assert book.plan_at("fraud", str(i), 0) is plan
    assert len(book._timelines) == 1


# ---- timelines


def timed(pane_ms: int, lateness_ms: int = 0):
    return SimpleNamespace(pane_ms=pane_ms, lateness_ms=lateness_ms)


entries = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from([1, 2, 3, 5, 10]), st.integers(0, 30)),
    min_size=1,
    max_size=5,
).map(lambda rows: [(since, timed(p, late)) for since, p, late in sorted(rows)])


@given(entries)
@few
def test_no_two_panes_of_a_timeline_overlap(published):
    timeline = join_timeline(published)
    assert timeline[-1][1] is published[-1][1]
    for (since, plan), (until, following) in itertools.pairwise(timeline):
        assert since < until
        assert until % plan.pane_ms == 0
        assert until % following.pane_ms == 0


def test_a_plan_for_the_same_time_takes_the_place_of_the_one_before():
    a, b, c = timed(10), timed(10), timed(10)
    assert join_timeline([(0, a), (0, b)]) == [(0, b)]
    assert join_timeline([(0, a), (3, b), (7, c)]) == [(0, a), (10, c)]


@given(entries, st.lists(st.integers(-50, 300), min_size=2, max_size=30))
@few
def test_what_is_sealed_grows_and_waits_for_each_plans_own_lateness(published, frontiers):
    timeline = join_timeline(published)
    last = -(10**9)
    for frontier in sorted(frontiers):
        sealed = sealed_to_ms(timeline, frontier)
        assert sealed >= last
        last = sealed
        for i, (since, plan) in enumerate(timeline):
            until = timeline[i + 1][0] if i + 1 < len(timeline) else 10**6
            first = since if i else since - 100
            for pane in range(first - first % plan.pane_ms, min(until, 400), plan.pane_ms):
                end = pane + plan.pane_ms
                if end <= sealed:
                    assert end + plan.lateness_ms <= frontier


def test_a_shorter_lateness_does_not_seal_the_last_panes_of_the_plan_before():
    timeline = [(0, timed(10, 60)), (100, timed(10, 5))]
    assert sealed_to_ms(timeline, 120) == 60
    assert sealed_to_ms(timeline, 159) == 99
    assert sealed_to_ms(timeline, 160) == 155
    assert sealed_to_ms(timeline, 170) == 165


def test_nothing_is_sealed_before_the_first_word(plan):
    book = book_of((MINUS_INFINITY, plan))
    assert book.sealed_to_ms("fraud", "1", MINUS_INFINITY) == MINUS_INFINITY
    assert book.sealed_to_ms("other", "1", 10**12) == MINUS_INFINITY
    assert book.sealed_to_ms("fraud", "1", 100_000) == 95_000


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb"])
def test_names_that_cannot_be_read_from_events_are_refused(name: str) -> None:
    """Such a plan would end every worker that decodes under it."""
    data = {name: np.arange(1_000.0), "x": np.arange(1_000.0)}
    reference = fit_reference(data, model="m", version="", times_ms=None, segments=())
    plan = Plan(model="m", reference=reference)
    with pytest.raises(PlanError, match="Rename it"):
        readable(plan)
    with pytest.raises(PlanError, match="Rename it"):
        decode_plan(plan.encode())
    without = Plan(model="m", reference=reference, signals={name: SignalOptions(monitor=False)})
    assert readable(without) is without
    with pytest.raises(PlanError, match="Rename it"):
        readable(Plan(model="m", reference=reference, signals=without.signals, segments=(name,)))


def test_a_plan_without_a_baseline_is_none():
    with pytest.raises(TypeError, match="abstract"):
        BasePlan(model="m")
