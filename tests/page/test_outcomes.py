"""The live page and reports show how right a model is, and open episodes of that lead there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from detectors import fit_reference
from stream.cli import cli
from stream.contracts.alert_event import AlertEvent, encode_alert
from stream.contracts.plan_settings import Limit
from stream.decode.record import FileRecord
from stream.http.server import PageServer
from stream.metrics import MetricsCollector, serve
from stream.page import asset, live_pages
from stream.page.page_model import page_model_of
from stream.page.signal import signal_state
from stream.plans.plan import Plan, PlanBook
from stream.replay import Replay
from stream.report import Report, render, render_markdown
from stream.report.outcomes import Outcomes
from tests.page.live import DRAWN, each_size
from tests.stream.harness import make_events, make_plan, make_reference, replayed
from tests.stream.metrics.test_metrics import FileState
from tests.stream.report.test_report import Page, check_self_contained

Open = Callable[..., Any]
EVENTS = make_events(3, 4_000, drift_at=2_000, outcomes=True)


def plan(**changes: Any) -> Plan:
    reference = make_reference(n=6_000, outcomes=True)
    return make_plan(reference=reference, window_events=1_000, **changes)


def state_of(plan: Plan, events: list[bytes]) -> tuple[FileState, list[AlertEvent]]:
    book = PlanBook()
    book.add(plan)
    state, alerts = FileState(Replay(book)), []
    for alert in state.replay.run(FileRecord(i, 0, value) for i, value in enumerate(events)):
        state.count(alert)
        alerts.append(alert)
    return state, alerts


@pytest.fixture(scope="module")
def turned() -> tuple[FileState, list[AlertEvent]]:
    """After truths that are the opposite of what scores say."""
    return state_of(plan(), EVENTS)


@pytest.fixture(scope="module")
def server(turned: tuple[FileState, list[AlertEvent]]) -> Iterator[PageServer]:
    state = turned[0]
    server = serve("127.0.0.1:0", MetricsCollector(state), state, live_pages(state))
    yield server
    server.close()


def shown(state: FileState) -> Outcomes:
    detail = page_model_of(state, "", "", 0).detail
    assert detail is not None
    assert detail.outcomes is not None
    return detail.outcomes


def share(text: str) -> float:
    found = re.match(r"([\d.]+) %", text)
    assert found is not None, text
    return float(found[1]) / 100.0


def test_the_state_has_metrics_and_what_came_by_score(
    turned: tuple[FileState, list[AlertEvent]],
) -> None:
    outcomes = shown(turned[0])
    rows = {row.name: row for row in outcomes.rows}
    assert share(rows["accuracy"].now) < 0.3
    assert share(rows["accuracy"].reference) == pytest.approx(0.75, abs=0.03)
    assert share(rows["accuracy"].estimated) == pytest.approx(0.75, abs=0.03)
    assert re.fullmatch(r"[\d.]+ to [\d.]+", rows["accuracy"].interval)
    of = outcomes.reliability
    assert of is not None
    assert of.what == "was 'yes'"
    usual = [score.reference for score in of.scores]
    now = [score.window for score in of.scores]
    assert usual == sorted(usual)
    assert now[0] > 0.7 > 0.3 > now[-1]  # type: ignore[operator]
    for score in of.scores:
        assert score.low is not None
        assert score.window is not None
        assert score.high is not None
        assert score.low < score.window < score.high
    assert len(of.scores) == len(of.marks) + 1 == 10
    known = sum(score.events for score in of.scores)
    assert outcomes.lead.startswith(f"{known} truths in a window of ")


def test_the_page_of_the_error_shows_how_accuracy_went(
    turned: tuple[FileState, list[AlertEvent]],
) -> None:
    trend = signal_state(turned[0], "fraud", "1", "error", 0).trend
    assert trend is not None
    line = trend.lines[0]
    assert line.name == "Accuracy"
    events = [msgspec.json.decode(event) for event in EVENTS]
    for start, end, accuracy in zip(trend.starts, trend.ends, line.values, strict=True):
        right = [
            (event["prediction"]["score"] >= 0.5) == (event["actual"] == "yes")
            for event in events
            if "actual" in event and start <= event["timestamp"] * 1000 < end
        ]
        assert accuracy == pytest.approx(np.mean(right), abs=1e-9)
    assert line.usual == pytest.approx(0.75, abs=0.03)
    assert min(v for v in line.values if v is not None) < 0.3


def test_costs_are_those_of_the_limit_on_them() -> None:
    limit = Limit(
        metric="cost_per_event", false_positive_cost=5.0, false_negative_cost=120.0, at_most=50.0
    )
    state, _ = state_of(plan(limits=(limit,)), EVENTS)
    rows = {row.name: row for row in shown(state).rows}
    assert 40.0 < float(rows["cost per event"].now) < 50.0
    assert float(rows["cost per event"].reference) == pytest.approx(15.6, abs=2.0)
    assert "cost per event" not in {row.name for row in shown(state_of(plan(), EVENTS)[0]).rows}


def test_a_private_model_shows_no_value_of_scores_or_classes() -> None:
    outcomes = shown(state_of(plan(private=True), EVENTS)[0])
    assert outcomes.reliability is not None
    assert outcomes.reliability.marks == ()
    assert outcomes.reliability.what == "was positive"
    assert outcomes.reliability.scores[0].name == "group 1"
    assert "yes" not in msgspec.json.encode(outcomes).decode()


def test_a_model_of_several_classes_and_one_of_numbers() -> None:
    rng = np.random.default_rng(1)
    n, names = 3_000, np.array(["cat", "dog", "owl"])
    truth = rng.integers(0, 3, n)
    said = np.where(rng.random(n) < 0.9, truth, (truth + 1) % 3)
    columns: dict[str, tuple[Any, Any, set[str]]] = {
        "classes": (names[said].tolist(), names[truth].tolist(), {"accuracy", "recall of 'owl'"}),
        "numbers": (truth + rng.normal(size=n), truth + 0.0, {"mean absolute error", "bias"}),
    }
    for said_, true, wanted in columns.values():
        data = {"said": said_, "true": true}
        roles = {"said": "label", "true": "actual"}
        reference = fit_reference(data, model="fraud", times_ms=None, roles=roles)
        events = [
            msgspec.json.encode(
                {
                    "model": {"name": "fraud", "version": "1"},
                    "timestamp": 1_000_000 + i,
                    "prediction": {"label": a if isinstance(a, str) else float(a)},
                    "actual": b if isinstance(b, str) else float(b),
                }
            )
            for i, (a, b) in enumerate(zip(said_, true))
        ]
        made = Plan(model="fraud", reference=reference, window_events=500)
        outcomes = shown(state_of(made, events)[0])
        assert wanted <= {row.name for row in outcomes.rows}
        assert outcomes.reliability is None


def test_without_outcomes_nothing_is_shown() -> None:
    state, _ = state_of(make_plan(), make_events(3, 1_000))
    detail = page_model_of(state, "", "", 0).detail
    assert detail is not None
    assert detail.outcomes is None


@each_size
def test_the_page_draws_them_and_episodes_lead_there(
    browser: Open, server: PageServer, width: int, dark: bool
) -> None:
    url = f"http://127.0.0.1:{server.port}/"
    with browser(url, width=width, dark=dark) as tab:
        tab.wait_for(DRAWN)
        assert tab.errors == []
        text = tab.evaluate("document.getElementById('outcomes').innerText")
        assert "Outcomes of fraud v1" in text
        assert "accuracy" in text
        assert tab.evaluate("document.querySelectorAll('#outcomes rect.win').length") == 10
        assert tab.evaluate("document.querySelectorAll('#outcomes line.tick').length") == 10
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        find = "[...document.querySelectorAll('#episodes .links a')]"
        find += ".find((a) => a.textContent === 'actual given score')"
        address = tab.evaluate(f"{find}.href")
    assert address.endswith("?model=fraud&version=1#outcomes")
    with browser(address, width=width, dark=dark) as tab:
        tab.wait_for(DRAWN)
        assert tab.evaluate("document.getElementById('outcomes').hidden") is False
    with browser(f"{url}signal?model=fraud&version=1&signal=error", width=width, dark=dark) as tab:
        tab.wait_for(DRAWN)
        assert tab.errors == []
        assert "performance" in tab.evaluate("document.body.innerText").lower()
    missing = f"{url}signal?model=fraud&version=1&signal=actual+given+score"
    with browser(missing, width=width, dark=dark) as tab:  # as a link from elsewhere may say it
        tab.wait_for(DRAWN)
        assert tab.errors == []
        assert "concept drift" in tab.evaluate("document.body.innerText").lower()


@pytest.fixture(scope="module")
def report() -> Report:
    made = plan()
    recorder, _ = replayed(made, EVENTS)
    return recorder.report(made, "rows.csv", len(EVENTS), 0, 0)


def test_a_report_of_a_replay_has_them(report: Report) -> None:
    text = render(report, asset("style.css").decode())
    page = Page(text)
    check_self_contained(page, text)
    assert "Outcomes of fraud v1" in page.text
    assert "Share of events whose truth was 'yes', by score" in page.text
    markdown = render_markdown(report)
    assert "## Outcomes" in markdown
    assert re.search(r"\| accuracy \| 2\d[.\d]* % \| [\d.]+ to [\d.]+ \| 7\d", markdown)
    assert re.search(r"^- under 0\.\d+: .* → .* \(.*\)$", markdown, re.MULTILINE)


def test_episodes_of_it_are_told_from_alerts_alone(
    turned: tuple[FileState, list[AlertEvent]], tmp_path: Path
) -> None:
    lines = tmp_path / "alerts.jsonl"
    lines.write_bytes(b"".join(encode_alert(alert) + b"\n" for alert in turned[1]))
    kinds = {alert.data.episode: alert.data.labels.kind for alert in turned[1]}
    assert {"concept_drift", "performance"} <= set(kinds.values())
    for episode, kind in kinds.items():
        for name in ("r.html", "r.md"):
            out = tmp_path / name
            arguments = ["report", "--episode", episode, "--alerts", str(lines), "-o", str(out)]
            done = CliRunner().invoke(cli, arguments)
            assert done.exit_code == 0, done.output
            text = out.read_text()
            if kind == "concept_drift":
                assert "actual given score" in text
                assert "Concept drift" in text
