"""Rates and disparities of protected columns: what is shown is what was judged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from stream.cli import cli
from stream.decode.record import FileRecord
from stream.metrics import MetricsCollector
from stream.page.detail import detail_of
from stream.plans.plan import Plan, PlanBook
from stream.replay import Replay
from stream.stage2.untested import untested_by_plan, untested_now
from tests.stream.metrics.test_metrics import FileState
from tests.stream.stage2.test_fairness import BEFORE, Rows, events_of, joined, plan_of, reference_of
from tests.stream.stage2.test_fairness import rows as drawn

Page = dict[str, dict[tuple[str, str], float]]
DATA = joined(drawn(2, 3_000), drawn(3, 4_000, recall=(0.6, 1.0)))


def state_of(plan: Plan, data: Rows) -> FileState:
    book = PlanBook()
    book.add(plan)
    state = FileState(Replay(book))
    for _ in state.replay.run(FileRecord(i, 0, e) for i, e in enumerate(events_of(data))):
        pass
    return state


def page_of(state: FileState) -> Page:
    """family -> (segment, metric) -> value."""
    return {
        family.name.removeprefix("driftstream_"): {
            (sample.labels["segment"], sample.labels["metric"]): sample.value
            for sample in family.samples
        }
        for family in MetricsCollector(state).collect()
        if "_fairness" in family.name
    }


@pytest.fixture(scope="module")
def state() -> FileState:
    return state_of(plan_of(reference_of(BEFORE)), DATA)


def test_the_metrics_page_has_rates_and_disparities(state: FileState) -> None:
    (monitor,) = state.replay.monitor.subjects.values()
    assert monitor.detection is not None
    assert monitor.detection.fairness is not None
    page = page_of(state)
    for test in monitor.detection.fairness.rates:
        assert test.result is not None
        for value in ("F", "M"):
            key = f"sex={value}", test.rate
            rate = test.result.rates[f"sex={value}"][test.rate]
            assert page["fairness"][key] == rate.value
            assert page["fairness_low"][key] < rate.value < page["fairness_high"][key] or (
                rate.value in (0.0, 1.0)
            )
            usual = test.of.reference.rates[f"sex={value}"][test.rate].value
            assert page["fairness_reference"][key] == usual
    gap = page["fairness_disparity"]["sex", "equal_opportunity_difference"]
    true_positives = (
        page["fairness"][f"sex={value}", "true_positive_rate"] for value in ("F", "M")
    )
    low, high = true_positives
    assert gap == pytest.approx(high - low)
    assert abs(page["fairness_disparity_reference"]["sex", "equal_opportunity_difference"]) < 0.05


def test_a_private_model_shows_no_rate_of_a_value() -> None:
    page = page_of(state_of(plan_of(reference_of(BEFORE), private=True), DATA))
    assert not any(page.values())


def test_the_page_has_a_table_and_what_was_not_compared(state: FileState) -> None:
    (monitor,) = state.replay.monitor.subjects.values()
    detail = detail_of(monitor)
    assert detail is not None
    (table,) = detail.fairness
    assert table.column == "sex"
    assert {(row.rate, row.value) for row in table.rows} >= {
        ("true positives", "sex=F"),
        ("predicted positive", "sex=M"),
        ("error rate", "sex=F"),
    }
    assert all("to" in row.interval and row.reference.endswith("%") for row in table.rows)
    assert any(note.startswith("equal opportunity differs by") for note in table.notes)
    few = joined(DATA)
    few["sex"] = np.where(np.arange(len(few["sex"])) % 50 == 0, "D", few["sex"])
    (monitor,) = state_of(plan_of(reference_of(BEFORE)), few).replay.monitor.subjects.values()
    detail = detail_of(monitor)
    assert detail is not None
    notes = detail.fairness[0].notes
    assert any("fewer than 100 outcomes, so not compared: other values of sex" in n for n in notes)


def test_what_cannot_be_compared_is_said() -> None:
    """By the plan, where the reference has too few; by what came, where that has."""
    reference = reference_of(drawn(1, 2_000, base=0.02))
    of_plan = [each for each in untested_by_plan(plan_of(reference)) if each.reason == "fairness"]
    assert [each.signals for each in of_plan] == [("equal opportunity by sex",)]
    assert "the reference has fewer than two values with 100" in of_plan[0].words
    rare = state_of(plan_of(reference_of(BEFORE)), drawn(2, 9_000, base=0.004))
    (monitor,) = rare.replay.monitor.subjects.values()
    assert monitor.phase is not None
    of_stream = [each for each in untested_now(monitor.phase) if each.reason == "fairness"]
    assert "true positives by sex: in 8 windows fewer than two values" in of_stream[0].words
    gauges = [
        sample.labels["signal"]
        for family in MetricsCollector(rare).collect()
        for sample in family.samples
        if sample.labels.get("reason") == "fairness"
    ]
    assert gauges == ["equal opportunity by sex"]


def write(path: Path, data: Rows) -> None:
    lines = (f"{1_700_000_000 + i},{','.join(map(str, row))}" for i, row in enumerate(
        zip(*data.values(), strict=True)))  # fmt: skip
    path.write_text("\n".join([f"ts,{','.join(data)}", *lines]) + "\n")


def test_replay_says_and_writes_it(tmp_path: Path) -> None:
    write(tmp_path / "ref.csv", BEFORE)
    write(tmp_path / "now.csv", DATA)
    out, metrics, report = (tmp_path / name for name in ("m.json", "m.jsonl", "r.md"))
    words = ["--timestamp", "ts", "--prediction", "said", "--actual", "truth", "--protected", "sex"]
    fitted = CliRunner().invoke(
        cli, ["fit", str(tmp_path / "ref.csv"), "--model", "m", *words, "-o", str(out)]
    )
    assert fitted.exit_code == 0, fitted.output
    arguments = ["replay", str(tmp_path / "now.csv"), "--reference", str(out)]
    done = CliRunner().invoke(cli, [*arguments, "--metrics", str(metrics), "--report", str(report)])
    assert done.exit_code == 0, done.output
    assert "Unequal outcomes: equal opportunity differs by" in done.output
    assert "fairness by 'sex', as last judged:\n  demographic parity differs by" in done.output
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    found = {(x["segment"], x["fairness"]): x for x in lines if "fairness" in x}
    gap = found["sex", "equal_opportunity_difference"]
    low, high = (found[f"sex={value}", "true_positive_rate"] for value in ("F", "M"))
    assert gap["value"] == pytest.approx(high["value"] - low["value"])
    assert (gap["lowest"], gap["highest"], gap["found"]) == ("F", "M", True)
    assert low["low"] < low["value"] < low["high"] < low["reference"]
    text = report.read_text()
    assert "## Fairness" in text
    assert "equal opportunity differs by" in text
    html = tmp_path / "r.html"
    done = CliRunner().invoke(cli, [*arguments, "--report", str(html)])
    assert done.exit_code == 0, done.output
    assert 'id="fairness"' in html.read_text()
    config = tmp_path / "c.toml"
    config.write_text(
        '[kafka]\nbootstrap_servers = "a:1"\n[[models]]\nname = "m"\nreference = "m.json"\n'
    )
    checked = CliRunner().invoke(cli, ["check", "-c", str(config), "--offline"])
    assert "fairness by sex, 2 values: 5 disparities, beyond 10 points or a ratio of 0.8" in (
        checked.output
    )
