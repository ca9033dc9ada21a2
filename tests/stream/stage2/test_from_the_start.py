"""A signal that never was as its reference is told apart from one that drifted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from detectors import fit_reference
from stream.cli import cli
from stream.decode.record import FileRecord
from stream.plans.plan import Plan, PlanBook
from stream.replay import Replay
from tests.stream.harness import START_S, make_events, make_plan, run_stages

WORDS = "different from the reference from the start: is it the right reference?"


def early(alerts: list[dict[str, Any]]) -> tuple[set[str], int]:
    """Signals of which it was told, and how many revisions said so in words."""
    names = {s["name"] for a in alerts for s in a["data"]["signals"] if s.get("from_start")}
    words = [a for a in alerts if WORDS in a["data"]["annotations"]["summary"]]
    assert words == [a for a in alerts if "from_start" in a["data"]["news"]]
    return names, len(words)


@pytest.mark.parametrize(
    ("drift_at", "told"), [(0, {"x"}), (60, set()), (110, set()), (190, set()), (700, set())]
)
def test_only_what_differs_from_the_first_events_on(drift_at: int, told: set[str]) -> None:
    plans = PlanBook()
    plans.add(make_plan(segments=(), window_events=400))
    events = make_events(1, 3_000, drift_at=drift_at)
    straight, _ = run_stages(plans, events, partitions=1, seed=1)
    assert any(s["name"] == "x" for a in straight for s in a["data"]["signals"])
    assert early(straight) == (told, len(told))
    restarted, _ = run_stages(plans, events, partitions=3, seed=2, snapshot_every=0.3)
    assert restarted == straight


def test_an_episode_that_opens_at_once_opens_with_the_question() -> None:
    plans = PlanBook()
    plans.add(make_plan(segments=(), window_events=1_000))
    alerts, _ = run_stages(plans, make_events(1, 3_000, drift_at=0), partitions=1, seed=1)
    first = alerts[0]["data"]
    assert first["signals"][0]["test"] == "edetector"
    assert first["news"] == ["opened", "from_start"]
    assert first["window"]["events"] < 250
    assert early(alerts) == ({"x"}, 1)


def test_replay_says_so_once_and_not_as_an_alert_of_its_own(tmp_path: Path) -> None:
    def replayed(moved: float, at: int) -> str:
        rng = np.random.default_rng(9)
        for name, shift in (("a", 0.0), ("b", moved)):
            values = rng.normal(size=3_000) + np.where(np.arange(3_000) >= at, shift, 0.0)
            lines = [f"{1_700_000_000 + 60 * i},{v:.4f}" for i, v in enumerate(values)]
            (tmp_path / f"{name}.csv").write_text("\n".join(["ts,x", *lines]))
        fit = ["fit", f"{tmp_path}/a.csv", "--model", "m", "--timestamp", "ts"]
        run = ["replay", f"{tmp_path}/b.csv", "--reference", f"{tmp_path}/r.json"]
        for call in ([*fit, "-o", f"{tmp_path}/r.json"], run):
            result = CliRunner().invoke(cli, call, catch_exceptions=False)
            assert result.exit_code == 0, result.output
        return result.output

    for moved in (0.6, 1.2):
        said = replayed(moved, 0)
        assert said.count(WORDS) == 1
        assert "Data drift: " in said
    said = replayed(1.2, 600)
    assert "Data drift: " in said
    assert WORDS not in said


def stream(plan: Plan, columns: dict[str, np.ndarray], every_s: float) -> list[dict[str, Any]]:
    book = PlanBook()
    book.add(plan)
    n = len(next(iter(columns.values())))
    records = (
        FileRecord(
            i,
            0,
            msgspec.json.encode(
                {
                    "model": {"name": "m", "version": "1"},
                    "timestamp": START_S + i * every_s,
                    "features": {name: column[i].item() for name, column in columns.items()},
                }
            ),
        )
        for i in range(n)
    )
    alerts = Replay(book, "predictions").run(records)
    return [msgspec.to_builtins(alert) for alert in alerts]


def columns(n: int, seed: int, at: int, *, names: bool = True) -> dict[str, np.ndarray]:
    """Names of other shares, missing values and a wider spread from `at` on."""
    rng = np.random.default_rng(seed)
    moved = np.arange(n) >= at
    usual, other = rng.choice(list("abc"), n, p=[0.5, 0.3, 0.2]), rng.choice(list("abc"), n)
    made = {
        "wide": rng.normal(size=n) * np.where(moved, 1.6, 1.0),
        "holes": np.where(moved & (rng.random(n) < 0.2), np.nan, rng.normal(size=n)),
        "same": rng.normal(size=n),
    }
    return made | ({"names": np.where(moved, other, usual)} if names else {})


def as_plan(seed: int = 1, **settings: Any) -> Plan:
    reference = fit_reference(columns(6_000, seed, 6_000), model="m", version="")
    return Plan(model="m", reference=reference, window_events=1_000, **settings)


@pytest.mark.parametrize(("at", "told"), [(0, {"wide", "holes", "names"}), (500, set())])
def test_of_every_kind_of_difference(at: int, told: set[str]) -> None:
    alerts = stream(as_plan(), columns(4_000, 2, at), 1.0)
    found = {s["name"] for a in alerts for s in a["data"]["signals"]}
    assert found >= {"wide", "holes", "names"}
    assert early(alerts)[0] == told


@pytest.mark.parametrize(("at", "told"), [(0, True), (700, False), (1_500, False)])
def test_where_a_pane_fills_the_window_the_second_one_decides(at: int, told: bool) -> None:
    alerts = stream(as_plan(pane_ms=1_000_000), columns(6_000, 3, at), 1.0)
    assert alerts
    assert (early(alerts)[0] == {"wide", "holes", "names"}) == told
    assert bool(early(alerts)[0]) == told


def test_windows_that_close_by_age_have_a_first_part_too() -> None:
    plan = as_plan(window_max_age_ms=600_000)
    told = early(stream(plan, columns(2_000, 4, 0), 1.0))[0]
    assert {"holes", "names"} <= told <= {"holes", "names", "wide"}  # 150 events show no spread
    assert early(stream(plan, columns(2_000, 4, 300), 1.0))[0] == set()


def test_a_reference_that_was_compared_to_before_is_not_asked_for() -> None:
    plans = PlanBook()
    first = make_plan(segments=())
    plans.add(first)
    plans.add(msgspec.structs.replace(first, false_alarms_per_week=100.0), (START_S + 1_500) * 1000)
    alerts, _ = run_stages(plans, make_events(1, 3_000, drift_at=1_000), partitions=1, seed=1)
    assert alerts
    assert early(alerts) == (set(), 0)
