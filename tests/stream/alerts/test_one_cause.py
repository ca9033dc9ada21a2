"""What is missing, invalid or unseen takes its share from all values: one cause, one episode."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import msgspec
import numpy as np
import pytest

from detectors import fit_reference
from detectors.counting.merge_bins import special_bins
from stream.contracts.alert_event import decode_alert
from stream.notify.open_episodes import OpenEpisodes
from stream.plans.plan import Plan, PlanBook
from stream.stage2.explained_by_quality import as_whole, mostly_gone
from tests.stream.harness import START_S, run_stages

EVENTS, CHANGE = 8_000, 2_000


def columns(rng: np.random.Generator, n: int) -> dict[str, list[Any]]:
    """A number with 10 % missing; three names with 10 % missing; 40 names."""
    number: list[Any] = rng.normal(size=n).round(4).tolist()
    few: list[Any] = rng.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2]).tolist()
    for i in np.flatnonzero(rng.random(n) < 0.1).tolist():
        number[i] = few[i] = None
    return {"number": number, "few": few, "many": [f"m{k}" for k in rng.integers(0, 40, n)]}


def run(break_it: Any, **plan: Any) -> list[dict[str, Any]]:
    """The alerts of a stream whose columns `break_it(rng, columns, rows)` changes."""
    rng = np.random.default_rng(34)
    reference = fit_reference(columns(rng, 10_000), model="m")
    plans = PlanBook()
    plans.add(
        Plan(
            model="m",
            reference=reference,
            pane_ms=60_000,
            window_events=1_000,
            window_min_events=300,
            **plan,
        )
    )
    values = columns(rng, EVENTS)
    break_it(rng, values, range(CHANGE, EVENTS))
    events = [
        msgspec.json.encode(
            {
                "model": {"name": "m", "version": "1"},
                "timestamp": START_S + i,
                "features": {name: of[i] for name, of in values.items()},
                "segments": {"region": "eu" if i % 4 == 0 else "us"},
            }
        )
        for i in range(EVENTS)
    ]
    alerts, _ = run_stages(plans, events, partitions=2, seed=1)
    return alerts


def kinds(alerts: list[dict[str, Any]]) -> set[str]:
    return {alert["data"]["labels"]["kind"] for alert in alerts}


def empty_texts(rng: np.random.Generator, values: dict[str, list[Any]], rows: range) -> None:
    for i in rows:
        for name in ("number", "few"):
            values[name][i] = "" if values[name][i] is None else values[name][i]


def more_missing(rng: np.random.Generator, values: dict[str, list[Any]], rows: range) -> None:
    for i in rows:
        for name, of in values.items():
            of[i] = (
                None if rng.random() < {"number": 0.1, "few": 0.08, "many": 0.06}[name] else of[i]
            )


def no_longer_missing(rng: np.random.Generator, values: dict[str, list[Any]], rows: range) -> None:
    for i in rows:
        values["number"][i] = values["number"][i] or round(float(rng.normal()), 4)
        values["few"][i] = values["few"][i] or str(rng.choice(["a", "b", "c"], p=[0.5, 0.3, 0.2]))


def error_code(rng: np.random.Generator, values: dict[str, list[Any]], rows: range) -> None:
    for i in rows:
        for name in ("few", "many"):
            values[name][i] = "ERR_17" if rng.random() < 0.15 else values[name][i]


@pytest.mark.parametrize("break_it", [empty_texts, more_missing, no_longer_missing, error_code])
def test_trouble_with_quality_is_no_drift_beside_it(break_it: Any) -> None:
    alerts = run(break_it)
    assert kinds(alerts) == {"data_quality"}
    assert {alert["data"]["annotations"]["action"] for alert in alerts} == {"check_pipeline"}
    assert len({alert["data"]["episode"] for alert in alerts}) == 1


@pytest.mark.parametrize("name", ["number", "few"])
def test_values_that_moved_as_well_are_told_and_the_episodes_name_each_other(name: str) -> None:
    def break_both(rng: np.random.Generator, values: dict[str, list[Any]], rows: range) -> None:
        more_missing(rng, values, rows)
        for i in rows:
            if name == "number" and values["number"][i] is not None:
                values["number"][i] += 0.7
            if name == "few" and values["few"][i] == "a" and rng.random() < 0.4:
                values["few"][i] = "c"

    alerts = run(break_both)
    assert kinds(alerts) == {"data_quality", "data_drift"}
    drifted = [a["data"] for a in alerts if a["data"]["labels"]["kind"] == "data_drift"]
    assert {s["name"] for data in drifted for s in data["signals"]} == {name}
    episodes = {a["data"]["labels"]["kind"]: a["data"]["episode"] for a in alerts}
    last = {a["data"]["labels"]["kind"]: a["data"] for a in alerts}
    for kind, other in (("data_quality", "data_drift"), ("data_drift", "data_quality")):
        named = [a["data"]["related"] for a in alerts if a["data"]["labels"]["kind"] == kind]
        assert (other, episodes[other]) in [
            (one["kind"], one["episode"]) for some in named for one in some
        ]
        assert last[kind]["status"] == "firing"


@pytest.mark.parametrize("seed", range(5))
def test_as_whole_is_beside_the_values_what_the_reference_has_beside_its_own(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference = fit_reference({"few": columns(rng, 1_000)["few"]}, model="m")
    (signal,) = reference.signals
    counts = rng.integers(0, 50, signal.counts.size)
    special = {int(at) for bins in special_bins(signal.binning).values() for at in bins}
    values = sum(int(n) for at, n in enumerate(counts) if at not in special)
    usual = sum(int(n) for at, n in enumerate(signal.counts) if at not in special)
    whole = as_whole(signal, counts)
    assert special
    assert any(whole[at] for at in special)
    for at, n in enumerate(counts):
        share = Fraction(int(signal.counts[at]) * values, usual)
        assert whole[at] == (math.floor(share + Fraction(1, 2)) if at in special else n)
    assert as_whole(signal, np.zeros_like(counts)).sum() == 0


@pytest.mark.parametrize(
    ("before", "after", "gone"),
    [
        (0.4, 0.2, True),
        (0.4, 0.201, False),
        (-0.4, 0.2, True),
        (0.4, -0.201, False),
    ],
)
def test_half_of_a_change_may_be_left_of_what_quality_explains(
    before: float, after: float, gone: bool
) -> None:
    assert mostly_gone(before, after) is gone


def test_trouble_in_one_segment_is_no_drift_there() -> None:
    def missing_in_eu(rng: np.random.Generator, values: dict[str, list[Any]], rows: range) -> None:
        for i in rows:
            if i % 4 == 0 and rng.random() < 0.5:
                values["many"][i] = None

    alerts = run(missing_in_eu, segments=("region",))
    assert kinds(alerts) == {"data_quality"}
    assert any(s.get("segment") == "region=eu" for a in alerts for s in a["data"]["signals"])


def test_people_are_told_of_the_steps_of_an_episode() -> None:
    """Opened, perhaps worse, resolved: whatever joins, leaves or leads in between."""

    def missing_for_a_while(rng: Any, values: dict[str, list[Any]], rows: range) -> None:
        more_missing(rng, values, range(CHANGE, CHANGE + 3_000))
        for i in range(CHANGE + 600, CHANGE + 3_000):
            values["many"][i] = "new" if rng.random() < 0.1 else values["many"][i]

    alerts = run(missing_for_a_while)
    for alert in alerts:
        alert["data"]["offsets"] = {}
    episodes = OpenEpisodes()
    changes = [episodes.apply(decode_alert(msgspec.json.encode(alert))) for alert in alerts]
    told = [c.event.data for c in changes if c is not None and c.step]
    assert told[0].news[0] == "opened"
    assert told[-1].status == "resolved"
    assert len(told) < len(alerts)
    for data in told[1:-1]:
        assert "severity" in data.news or "grown" in data.news
