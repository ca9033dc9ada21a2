"""Slow streams: what all commands say is one truth, of what is late as of what is not."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from detectors import Reference, fit_reference
from stream.cli import cli
from stream.config.load import load_config
from stream.plans.plan import Plan
from stream.plans.proposal import proposed_plan
from stream.stage2.delay import foretold, told_within
from stream.stage2.plan_notes import plan_notes
from stream.stage2.powerless import fill_of
from stream.stage2.shared_tables import SharedTables
from stream.stage2.untested import Untested, untested_by_plan
from tests.detectors.tools import counts_of, window_of

DAY_S, START_S = 86_400, 1_767_571_200
SPAN = re.compile(r"within about [\d,]+ events, (\d+) (d|h|min)")


def columns(n: int, numbers: int, names: int, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    made = {f"x{i}": rng.normal(size=n).round(4) for i in range(numbers)}
    return made | {f"c{i}": rng.choice(list("abdefgh"), n) for i in range(names)}


def reference_of(n: int, numbers: int, names: int, step_s: int) -> Reference:
    times = (START_S + np.arange(n, dtype=np.int64) * step_s) * 1_000
    kinds = {f"c{i}": "categorical" for i in range(names)}
    data = {k: v.tolist() if k in kinds else v for k, v in columns(n, numbers, names).items()}
    return fit_reference(data, model="m", times_ms=times, kinds=kinds)


def written(path: Path, made: dict[str, np.ndarray], step_s: int) -> Path:
    times = START_S + np.arange(len(next(iter(made.values())))) * step_s
    rows = zip(times.tolist(), *(column.tolist() for column in made.values()), strict=True)
    lines = [",".join(["time", *made]), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def run(*arguments: object) -> str:
    result = CliRunner().invoke(cli, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(
    ("step_s", "n", "numbers", "names", "late"),
    [
        (600, 2_000, 1, 1, False),
        (3_600, 500, 6, 0, True),
        (21_600, 400, 1, 0, True),
        (21_600, 400, 0, 3, True),
        (21_600, 400, 2, 2, True),
    ],
)
def test_fit_check_replay_and_worker_say_the_same_of_what_is_late(
    tmp_path: Path, step_s: int, n: int, numbers: int, names: int, late: bool
) -> None:
    rows = written(tmp_path / "rows.csv", columns(n, numbers, names), step_s)
    fit = run("fit", rows, "--model", "m", "--timestamp", "time", "-o", tmp_path / "m.json")
    proposed = "".join(re.findall(r"^  ((?:pane|window) = .+\n)", fit, re.MULTILINE))
    head = '[kafka]\nbootstrap_servers = "127.0.0.1:1"\n[[models]]\nname = "m"\n'
    (tmp_path / "c.toml").write_text(f'{head}reference = "m.json"\n{proposed}')
    check = run("check", "--offline", "-c", tmp_path / "c.toml")
    replay = run("replay", rows, "--reference", tmp_path / "m.json")
    said = re.findall(r"told late: .+", fit)
    assert bool(said) is late
    unseen = "not tested:" in replay
    assert ("no episode in what was tested" in replay) is unseen
    config = load_config(tmp_path / "c.toml")
    worker = "\n".join(plan_notes(config.plan(config.models[0])))
    for output in (check, replay, worker):
        assert re.findall(r"told late: .+", output) == said
    promised = [words for words in fit.splitlines() if words.startswith("a shift of")]
    for words in said:
        named = re.match(r"told late: ([xc]\d+)", words)
        if named is None:
            assert "a window of 1,000 events fills in about" in words
            continue
        for output in (fit, check, replay, worker):
            assert not re.search(rf"not tested: .*\b{named[1]}\b.*sequential tests", output)
        assert not any(re.search(rf"\b{named[1]}\b", other) for other in promised)
        if named[1].startswith("x"):  # and it is late as it says
            assert SPAN.search(words)
            assert max(int(x) for x, unit in SPAN.findall(words) if unit == "d") >= 14


def late_signals(found: list[Untested]) -> set[str]:
    return {name for each in found if each.reason == "slow" for name in each.signals}


def test_signals_that_are_late_have_no_other_promise_and_all_others_have_one() -> None:
    plan = proposed_plan(reference_of(400, 6, 2, 21_600))
    found = untested_by_plan(plan)
    assert late_signals(found) == {s.name for s in plan.monitored}
    assert all(each.line.startswith("told late: ") for each in found)
    fast = proposed_plan(reference_of(4_000, 2, 2, 60))
    assert late_signals(untested_by_plan(fast)) == set()
    assert set(told_within(fast, 1.0)) == {"x0", "x1"}


def test_a_shift_is_told_by_windows_where_they_are_sooner() -> None:
    """Of a short reference with many signals panes take years to be sure."""
    reference = reference_of(400, 100, 0, 21_600)
    plan = proposed_plan(reference)
    panes, both = foretold(plan, 1.0), told_within(plan, 1.0)
    slowest = max(panes, key=panes.__getitem__)
    shared_tables = SharedTables.of(plan)
    fill = fill_of(plan, shared_tables.budget)
    assert panes[slowest] > 2 * fill.events
    assert both[slowest] == 2 * fill.events
    assert min(both.values()) == min(panes.values())  # the others are told by panes
    at = next(i for i, s in enumerate(plan.monitored) if s.name == slowest)
    for seed in range(5):
        values = columns(fill.tested, 100, 0, seed=10 + seed)
        values[slowest] = values[slowest] + 1.0
        counts = [counts_of(s, values[s.name].tolist()) for s in plan.monitored]
        window = window_of(plan.layout, counts, fill.tested)
        result = shared_tables.bank.test(window, shared_tables.budget.window_alpha)
        assert at in result.signal[result.found]


def test_nothing_is_foretold_of_a_plan_with_a_cycle_which_tests_no_pane() -> None:
    reference = reference_of(4_000, 2, 0, 60)
    plan = Plan(model="m", reference=reference, pane_ms=60_000, cycle_ms=DAY_S * 1_000)
    assert told_within(plan, 1.0) == {}


def test_what_panes_alone_test_is_said_to_be(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    made = {"x": rng.normal(size=4_000), "slow": np.repeat(rng.normal(size=80), 50)}
    rows = written(tmp_path / "rows.csv", made, 600)
    output = run("fit", rows, "--model", "m", "--timestamp", "time", "-o", tmp_path / "m.json")
    (late,) = re.findall(r"told late: slow: .+", output)
    assert "(by what follows every pane alone: adwin, edetector)" in late, "of all that are named"
    assert "not tested: slow: depends on its past for so long that psi would not find" in output
    (promised,) = (words for words in output.splitlines() if words.startswith("a shift of"))
    assert "alone" not in promised
