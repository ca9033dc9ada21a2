"""What is not tested is said: of a plan, of what came, by every command and on the pages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result

from detectors import Reference, Seasons, fit_reference
from stream.cli import cli
from stream.decode.record import FileRecord
from stream.metrics.gauges import ALL, signal_gauges
from stream.page.detail import detail_of
from stream.plans.plan import Learn, LearningPlan, Plan, PlanBook, SignalOptions
from stream.replay import Replay
from stream.stage2.detection import Detection
from stream.stage2.panes import Sealed
from stream.stage2.shared_tables import SharedTables
from stream.stage2.untested import Untested, untested_by_plan
from stream.stage2.untested.planned import followed_after

N, START_S, DAY_MS = 4_000, 1_772_323_200, 86_400_000


def columns(seed: int, n: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"x": rng.normal(size=n), "c": rng.choice(["a", "b"], n).tolist()}


def fitted(data: dict[str, Any], step_s: int = 10, **options: Any) -> Reference:
    times = (START_S + np.arange(len(next(iter(data.values()))), dtype=np.int64) * step_s) * 1_000
    kinds = {k: "categorical" if isinstance(v, list) else "numeric" for k, v in data.items()}
    return fit_reference(data, model="m", times_ms=times, kinds=kinds, **options)


def plan_of(reference: Reference, **settings: Any) -> Plan:
    return Plan(model="m", reference=reference, **{"pane_ms": 60_000, **settings})


@pytest.fixture(scope="module")
def reference() -> Reference:
    return fitted(columns(1, N))


def reasons(found: Iterable[Untested]) -> list[str]:
    return [each.reason for each in found]


def replayed(plan: Any, data: dict[str, Any], step_s: int = 10, **event: Any) -> Replay:
    book = PlanBook()
    book.add(plan)
    replay = Replay(book)
    data = {name: np.asarray(values).tolist() for name, values in data.items()}
    n = len(next(iter(data.values())))
    records = (
        FileRecord(
            i,
            0,
            msgspec.json.encode(
                {
                    "model": {"name": "m", "version": ""},
                    "timestamp": START_S + i * step_s,
                    "features": {k: None if v[i] != v[i] else v[i] for k, v in data.items()},
                    **{k: v[i] for k, v in event.items()},
                }
            ),
        )
        for i in range(n)
    )
    list(replay.run(records))
    return replay


# --- by the plan ---------------------------------------------------------------------------------


def test_of_a_plan_that_tests_everything_nothing_is_said(reference: Reference) -> None:
    assert untested_by_plan(plan_of(reference)) == []


@pytest.mark.parametrize(
    ("settings", "reason", "words"),
    [
        ({"window_max_age_ms": 60_000}, "few_events", "x, c only by what follows every pane"),
        ({"window_events": 100_000, "window_max_age_ms": 30 * DAY_MS}, "", ""),
        ({"window_events": 200_000, "window_max_age_ms": 30 * DAY_MS}, "slow", "in about 23 days"),
        ({"cycle_ms": 60_000}, "few_events", "nothing will be tested"),
        ({"calibrate_ms": DAY_MS}, "calibrating", "nothing is tested for 24h of event time"),
    ],
)
def test_of_a_plan(reference: Reference, settings: dict[str, Any], reason: str, words: str) -> None:
    found = untested_by_plan(plan_of(reference, **settings))
    assert reasons(found) == [reason] * bool(reason)
    assert words in "".join(each.words for each in found)


def test_nothing_is_tested_where_windows_are_too_short_and_no_test_goes_without() -> None:
    off = {name: SignalOptions(tests=("psi",)) for name in "xc"}
    plan = plan_of(fitted(columns(1, N)), signals=off, window_max_age_ms=60_000)
    (found,) = untested_by_plan(plan)
    assert "nothing will be tested. Set max_age to" in found.words
    assert found.tests == ()


def test_without_a_rate_nothing_is_known(reference: Reference) -> None:
    plan = plan_of(replace(reference, events_per_week=0), window_max_age_ms=60_000)
    assert untested_by_plan(plan) == []


def test_a_signal_that_comes_so_seldom_that_sequential_tests_take_weeks() -> None:
    daily = fitted({"x": columns(1, N)["x"]}, step_s=86_400)
    plan = plan_of(daily, pane_ms=DAY_MS, window_events=100, window_max_age_ms=3_000 * DAY_MS)
    slow = [each for each in untested_by_plan(plan) if each.reason == "slow"]
    assert [each.signals for each in slow] == [(), ("x",)]
    assert slow[1].tests == ("adwin", "edetector")


def test_reasons_of_signals_name_those_that_share_them(reference: Reference) -> None:
    odd = fitted(
        columns(1, N) | {"one": ["k"] * N, "same": np.full(N, 2.0), "none": np.full(N, np.nan)}
    )
    found = {each.signals: each for each in untested_by_plan(plan_of(odd))}
    assert found["one",].reason == found["same",].reason == "constant"
    assert not found["one",].is_gap  # another name is found
    assert found["none",].reason == "no_values"
    assert found["none",].is_gap
    assert set(found["none",].tests) == {"psi", "missing_rate"}


def test_what_a_user_turned_off_is_not_untested() -> None:
    odd = fitted(columns(1, N) | {"one": ["k"] * N})
    for options in (SignalOptions(monitor=False), SignalOptions(tests=("unseen_rate",))):
        assert untested_by_plan(plan_of(odd, signals={"one": options})) == []


def test_a_model_without_a_reference() -> None:
    (found,) = untested_by_plan(LearningPlan(model="m", learn=Learn(warm_up=2_000)))
    assert (found.reason, found.is_gap) == ("learning", True)


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_a_large_change_is_found_within_what_is_said(rho: float) -> None:
    """Half of all values move to the end: found by then, and not in a tenth of it."""
    noise = np.random.default_rng(1).normal(size=N)
    for i in range(1, N):
        noise[i] += rho * noise[i - 1]
    plan = plan_of(fitted({"x": noise}))
    needed = followed_after(plan, SharedTables.of(plan))["x"]
    signal, layout = plan.monitored[0], plan.layout
    detection = Detection(plan)
    rng, seen, findings = np.random.default_rng(2), 0, 0
    while not findings:
        values = np.where(rng.random(10) < 0.5, noise.max(), rng.choice(noise, 10))
        counts = np.zeros(layout.width, np.int64)
        counts[0] = 10
        np.add.at(counts, 1 + signal.binning.bin(values), 1)
        findings = len(detection.pane(Sealed(seen * 60_000, {"": counts}, {})).findings)
        seen += 10
    assert needed / 10 <= seen <= 1.5 * needed


# --- by what came --------------------------------------------------------------------------------


def test_what_only_the_largest_changes_would_show_was_tested(reference: Reference) -> None:
    plan = plan_of(reference)
    shared_tables = SharedTables.of(plan)
    half = min(followed_after(plan, shared_tables).values())
    most = min(followed_after(plan, shared_tables, whole=True).values())
    assert most < half
    few, some = (
        replayed(plan, columns(2, int(n))).untested() for n in (most - 1, (most + half) // 2)
    )
    assert not few.tested
    assert some.tested
    assert "to find even that half of them had moved" in some.untested[0].words


def test_a_stream_that_is_tested(reference: Reference) -> None:
    tested, untested = replayed(plan_of(reference), columns(2, 2_050)).untested()
    assert tested
    assert untested == []


def test_no_event_and_few_events_are_no_silence(reference: Reference) -> None:
    for n, reason, words in (
        (0, "no_events", "no event"),
        (15, "unfilled", "1,000 events, and 15"),
    ):
        tested, untested = replayed(plan_of(reference), columns(2, n)).untested()
        assert not tested
        assert reasons(untested) == [reason]
        assert words in untested[0].words


def test_enough_for_numbers_and_too_few_for_windows(reference: Reference) -> None:
    tested, untested = replayed(plan_of(reference), columns(2, 600)).untested()
    assert tested
    assert [(each.reason, each.signals) for each in untested] == [("unfilled", ())]
    assert "psi" in untested[0].tests
    assert "edetector" not in untested[0].tests
    off = {name: SignalOptions(tests=("psi",)) for name in "xc"}
    assert not replayed(plan_of(reference, signals=off), columns(2, 600)).untested().tested


def test_the_end_of_a_file_that_fills_no_window(reference: Reference) -> None:
    tested, untested = replayed(plan_of(reference), columns(2, 1_900)).untested()
    assert tested
    assert reasons(untested) == ["unfilled"]
    assert "the last 8" in untested[0].words  # windows end with a pane


def test_windows_that_hold_too_little_of_a_slower_stream_than_the_reference_was(
    reference: Reference,
) -> None:
    plan = plan_of(reference, window_max_age_ms=3_600_000)  # 360 events at the reference's rate
    assert untested_by_plan(plan) == []
    replay = replayed(plan, columns(2, 600), step_s=60)
    (found,) = (each for each in replay.untested().untested if each.reason == "few_events")
    assert "the last 9 windows held fewer than 300 events" in found.words
    # And a stream that is faster than its plan says is tested.
    faster = plan_of(replace(reference, events_per_week=100), window_max_age_ms=DAY_MS)
    assert reasons(untested_by_plan(faster))[:1] == ["few_events"]
    assert "few_events" not in reasons(replayed(faster, columns(2, 2_050)).untested().untested)


def test_a_signal_that_stopped(reference: Reference) -> None:
    data = columns(2, 3_100)
    data["x"][1_000:] = np.nan
    replay = replayed(plan_of(reference), data)
    (stopped,) = (each for each in replay.untested().untested if each.reason == "stopped")
    assert stopped.signals == ("x",)
    again = replayed(plan_of(reference), columns(2, 3_100))
    assert "stopped" not in reasons(again.untested().untested)


def test_actuals_that_stop_are_missed_by_no_rate_but_said() -> None:
    rng = np.random.default_rng(3)
    labels = rng.choice(["yes", "no"], N).tolist()
    known = fitted(columns(1, N) | {"truth": labels}, roles={"truth": "actual"})
    actual = [{"label": label} if i < 1_000 else {} for i, label in enumerate(labels[:3_100])]
    replay = replayed(plan_of(known), columns(2, 3_100), actual=actual)
    (stopped,) = (each for each in replay.untested().untested if each.reason == "stopped")
    assert stopped.signals == ("truth",)


def test_segments_with_too_few_rows(reference: Reference) -> None:
    plan = plan_of(
        replace(reference, segments=("region",)),
        segments=("region",),
        window_max_age_ms=4 * 3_600_000,
    )
    n = 6_000
    region = [{"region": "rare" if i % 100 == 0 else "eu"} for i in range(n)]
    replay = replayed(plan, columns(2, n), segments=region)
    (found,) = (each for each in replay.untested().untested if each.reason == "segments")
    assert found.amount == 1
    assert "1 segment of region had fewer than 300 events" in found.words
    assert "rare" not in found.words
    region = [{"region": "us" if i % 2 else "eu"} for i in range(n)]
    both = replayed(plan, columns(2, n), segments=region)
    assert "segments" not in reasons(both.untested().untested)


def test_what_was_skipped_is_in_the_state(reference: Reference) -> None:
    plan = plan_of(reference, window_max_age_ms=3_600_000)
    replay = replayed(plan, columns(2, 600), step_s=60)
    (held,) = replay.monitor.subjects.values()
    detection = held.detection
    assert detection is not None
    assert detection.skipped.in_a_row == 9
    other = type(detection)(plan)
    other.load(detection.dump())
    assert other.skipped.windows == detection.skipped.windows


def test_versions_are_told_apart(reference: Reference) -> None:
    book = PlanBook()
    book.add(plan_of(reference))
    replay = Replay(book)
    events = (
        {"model": {"name": "m", "version": v}, "timestamp": START_S + i, "features": {"x": 0.5}}
        for i, v in enumerate("ab" * 20)
    )
    list(replay.run(FileRecord(i, 0, msgspec.json.encode(e)) for i, e in enumerate(events)))
    tested, untested = replay.untested()
    assert not tested
    assert [each.words[:4] for each in untested] == ["m/a:", "m/b:"]


# --- where it is said ----------------------------------------------------------------------------


def test_the_metrics_page_and_the_live_page_say_it(reference: Reference) -> None:
    odd = fitted(columns(1, N) | {"none": np.full(N, np.nan), "one": ["k"] * N})
    plan = plan_of(odd, window_max_age_ms=3_600_000)
    replay = replayed(plan, columns(2, 600), step_s=60)
    (held,) = replay.monitor.subjects.values()
    rows = {(g.signal, g.extra): g.value for g in signal_gauges([held]) if g.family == "untested"}
    assert rows == {
        (ALL, "few_events"): 1.0,
        ("none", "no_values"): 1.0,
        ("one", "constant"): 0.0,
    }
    detail = detail_of(held)
    assert detail is not None
    assert any("held fewer than 300 events" in words for words in detail.untested)
    (held,) = replayed(plan_of(reference), columns(2, 2_050)).monitor.subjects.values()
    assert not [g for g in signal_gauges([held]) if g.family == "untested"]


def test_the_metrics_page_says_that_a_reference_is_learned() -> None:
    plan = LearningPlan(model="m", learn=Learn(warm_up=2_000), pane_ms=60_000)
    (held,) = replayed(plan, columns(2, 500)).monitor.subjects.values()
    (row,) = (g for g in signal_gauges([held]) if g.family == "untested")
    assert (row.signal, row.extra) == (ALL, "learning")
    assert not replayed(plan, columns(2, 500)).untested().tested


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=False)


def table(path: Path, data: dict[str, Any], n: int, step_s: int = 10) -> Path:
    cells = {name: ["" if v != v else str(v) for v in values] for name, values in data.items()}
    rows = [",".join(["ts", *data])]
    for i in range(n):
        rows.append(",".join([str(START_S + i * step_s), *(cells[name][i] for name in data)]))
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("untested")
    made = run(
        "fit",
        table(folder / "a.csv", columns(1, N), N),
        "--model",
        "m",
        "--timestamp",
        "ts",
        "-o",
        folder / "m.json",
    )
    assert made.exit_code == 0, made.output
    assert "not tested" not in made.output
    return folder


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (0, "0 events, nothing was tested"),
        (15, "15 events, nothing was tested"),
        (600, "600 events, no episode in what was tested"),
        (2_050, "2,050 events, no episode; pane"),
    ],
)
def test_replay_says_no_episode_of_what_was_tested_only(folder: Path, n: int, said: str) -> None:
    data = table(folder / f"{n}.csv", columns(2, n), n)
    lines, page = folder / f"{n}.jsonl", folder / f"{n}.html"
    result = run(
        "replay", data, "--reference", folder / "m.json", "--metrics", lines, "--report", page
    )
    assert result.exit_code == 0, result.output
    assert said in result.output
    assert ("warning: not tested: " in result.output) == (n < 2_000)
    told = [json.loads(line) for line in lines.read_text().splitlines()]
    untested = [line for line in told if "untested" in line]
    assert bool(untested) == (n < 2_000)
    assert all(line["value"] is None for line in untested)
    html = page.read_text()
    assert ("Nothing was tested." in html) == (n < 100)
    assert ("No drift: no episode opened in what was tested." in html) == (n == 600)
    assert ("What was not tested" in html) == (n < 2_000)


def test_check_says_it_and_strict_makes_it_an_error(folder: Path) -> None:
    for window, code in (('"1m"', 1), ('"1d"', 0)):
        config = folder / "driftstream.toml"
        config.write_text(
            '[kafka]\nbootstrap_servers = "localhost:1"\n[[models]]\nname = "m"\n'
            f'reference = "m.json"\npane = "10s"\nwindow = {{ max_age = {window} }}\n'
        )
        easy, strict = (
            run("check", "-c", config, "--offline", *more) for more in ((), ("--strict",))
        )
        assert (easy.exit_code, strict.exit_code) == (0, code)
        assert ("note: not tested: a window of 60s" in easy.output) == bool(code)
        assert ("error m: not tested: a window of 60s" in strict.output) == bool(code)


def test_fit_says_it_of_what_it_proposes(tmp_path: Path) -> None:
    odd = columns(1, N) | {"none": np.full(N, np.nan)}
    result = run(
        "fit",
        table(tmp_path / "a.csv", odd, N),
        "--model",
        "m",
        "--timestamp",
        "ts",
        "--numeric",
        "none",
        "-o",
        tmp_path / "m.json",
    )
    assert "warning: not tested: none: the reference has no value" in result.output


def seasonal(weeks: int) -> Reference:
    n = weeks * 7 * 24 * 6
    t = np.arange(n, dtype=np.int64) * 600_000 + START_S // 604_800 * 604_800_000
    hour = t // 3_600_000 % 24
    x = np.random.default_rng(1).normal(size=n) + 3.0 * ((hour > 8) & (hour < 18))
    return fit_reference({"x": x}, model="m", times_ms=t, seasons=Seasons("auto"))


def test_with_slots_the_tests_of_slots_are_tried() -> None:
    reference = seasonal(4)
    assert reference.calendar is not None
    plan = plan_of(reference, pane_ms=600_000, window_max_age_ms=14 * DAY_MS)
    assert [each for each in untested_by_plan(plan) if each.reason != "slow"] == []
    (signal,) = reference.signals
    assert signal.slots is not None
    counts = signal.slots.counts.copy()
    counts[0] = 0
    poor = replace(signal, slots=replace(signal.slots, counts=counts))
    found = untested_by_plan(
        msgspec.structs.replace(plan, reference=replace(reference, signals=(poor,)))
    )
    (slot,) = (each for each in found if each.reason == "few_in_slot")
    assert "x: 1 slot of the week hold" in slot.words
