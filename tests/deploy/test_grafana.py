"""Every expression of every panel, executed by a Prometheus that scrapes a real metrics page."""

from __future__ import annotations

import json
import re
import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.scraped import Server, scraping, wait_for

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
BOARDS = {path.stem: json.loads(path.read_text()) for path in GRAFANA.glob("dashboards/*.json")}
#: What stands for the choices of a viewer.
CHOSEN = {
    "model": "fraud", "version": "(3|4)", "signal": "amount", "environment": "(tests)",
    "instance": "127.0.0.1:.+", "metric": "accuracy",
}  # fmt: skip
_BUILT_IN = {"__rate_interval": "30s", "datasource": "prometheus"}
#: Labels whose value may be the empty one, which Prometheus does not keep.
_MAY_BE_EMPTY = {"segment"}

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None,
    reason="prometheus is not installed (Debian's package prometheus)",
)


def targets() -> list[tuple[str, dict[str, Any]]]:
    """Every query: (where it is, target)."""
    return [
        (f"{name}: {panel['title']} {target['refId']}", target)
        for name, board in sorted(BOARDS.items())
        for panel in board["panels"]
        for target in panel["targets"]
    ]


def variables() -> list[tuple[str, str]]:
    """Every variable that is asked of Prometheus: (where it is, query)."""
    return [
        (f"{name}: ${variable['name']}", variable["query"]["query"])
        for name, board in sorted(BOARDS.items())
        for variable in board["templating"]["list"]
        if variable["type"] == "query"
    ]


def filled(text: str) -> str:
    """An expression as Grafana sends it."""
    for name, value in (_BUILT_IN | CHOSEN).items():
        text = re.sub(rf"\$\{{{name}\}}|\${name}\b", value, text)
    assert "$" not in text, f"an unknown variable in {text}"
    return text


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with scraping(tmp_path_factory.mktemp("prometheus")) as server:
        yield server


@needs_prometheus
@pytest.mark.parametrize(("where", "target"), targets(), ids=[where for where, _ in targets()])
def test_a_panel_shows_data_with_its_labels(
    prometheus: Server, where: str, target: dict[str, Any]
) -> None:
    expression = filled(target["expr"])
    found: list[dict[str, str]] = []

    def data() -> bool:
        found[:] = prometheus.labels(expression)
        return bool(found)

    wait_for(data, lambda: f"{where} shows nothing: {expression}", 15.0)
    wanted = set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")))
    if grouped := re.match(r"(?:round\()?\w+ by \(([^)]*)\)", expression):
        wanted |= {label.strip() for label in grouped[1].split(",")}
    for label in wanted:
        having = [series for series in found if label in series]
        assert having, f"{where}: no series has the label {label}"
        assert len(having) == len(found) or label in _MAY_BE_EMPTY


@needs_prometheus
@pytest.mark.parametrize(("where", "query"), variables(), ids=[where for where, _ in variables()])
def test_a_variable_offers_what_there_is(prometheus: Server, where: str, query: str) -> None:
    parts = re.fullmatch(r"label_values\((.+), (\w+)\)", filled(query))
    assert parts is not None, query
    values = prometheus.ask(f"label/{parts[2]}/values", **{"match[]": parts[1]})
    name = where.rpartition("$")[2]
    assert any(re.fullmatch(CHOSEN[name], value) for value in values)


@needs_prometheus
def test_of_one_environment_nothing_is_shown_of_another(prometheus: Server) -> None:
    """Every panel goes by the processes that are chosen, which go by the environment."""
    (query,) = {query for where, query in variables() if where.endswith("$instance")}
    for environment, there in (("tests", True), ("production", False)):
        text = query.replace("$environment", environment)
        parts = re.fullmatch(r"label_values\((.+), (\w+)\)", text)
        assert parts is not None
        found = prometheus.ask(f"label/{parts[2]}/values", **{"match[]": parts[1]})
        assert bool(found) is there
    for where, target in targets():
        nowhere = target["expr"].replace("$instance", "nowhere")
        counted = (
            target["expr"].startswith(("sum(", "count(", "round(sum(")) or "vector(0)" in nowhere
        )
        for series in prometheus.ask("query", query=filled(nowhere))["result"]:
            assert counted, where
            assert series["value"][1] == "0", where


@needs_prometheus
def test_versions_stand_beside_each_other(prometheus: Server) -> None:
    (panel,) = [p for p in BOARDS["model"]["panels"] if p["title"] == "$signal: versions compared"]
    (means, *_) = [t for t in panel["targets"] if "signal_mean" in t["expr"]]
    found = prometheus.ask("query", query=filled(means["expr"]))["result"]
    mean_of = {one["metric"]["model_version"]: float(one["value"][1]) for one in found}
    assert mean_of["3"] > mean_of["4"] + 0.3
    (bins,) = [p for p in BOARDS["model"]["panels"] if "reference against" in p["title"]]
    assert bins["repeat"] == "version"
    assert bins["gridPos"]["w"] == 24, "copies stand side by side from the left on"
    assert bins["options"]["legend"]["showLegend"]


@needs_prometheus
def test_what_fires_is_shown_in_its_own_words(prometheus: Server) -> None:
    for board in ("fleet", "model"):
        (panel,) = [p for p in BOARDS[board]["panels"] if p["title"] == "What fires, in words"]
        (found,) = prometheus.labels(filled(panel["targets"][0]["expr"]))
        assert found["summary"].startswith("fraud v3: Data drift: ")
        links = re.findall(r'"url": "([^"]+)"', json.dumps(panel))
        assert "${page}/runbooks/${__data.fields.kind}" in links


@needs_prometheus
def test_annotations_are_the_episodes(prometheus: Server) -> None:
    (note,) = BOARDS["model"]["annotations"]["list"]
    found = prometheus.labels(filled(note["expr"]))
    assert [series["kind"] for series in found] == ["data_drift"]
    assert found[0]["summary"].startswith("fraud v3: Data drift: ")
    assert set(re.findall(r"\w+", note["titleFormat"] + note["textFormat"])) <= set(found[0])


@needs_prometheus
def test_the_rules_run_and_the_episode_alerts(prometheus: Server) -> None:
    rules = {
        rule["name"]: rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]
    }
    wait_for(
        lambda: prometheus.labels('ALERTS{alertname="DriftstreamEpisode", alertstate="firing"}'),
        lambda: "the episode does not alert",
    )
    assert {rule["health"] for rule in rules.values()} <= {"ok", "unknown"}
    assert not [rule["lastError"] for rule in rules.values() if rule.get("lastError")]


def test_boards_are_whole() -> None:
    assert set(BOARDS) == {"fleet", "model", "pipeline"}
    for name, board in BOARDS.items():
        assert board["uid"] == f"driftstream-{name}"
        places = [
            (panel["gridPos"]["x"], panel["gridPos"]["y"], panel["title"])
            for panel in board["panels"]
        ]
        assert len({place[:2] for place in places}) == len(places), "panels lie upon each other"
        for panel in board["panels"]:
            assert panel["title"]
            assert panel["description"]
            assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    links = re.findall(r"/d/([\w-]+)", json.dumps(BOARDS))
    assert set(links) <= {board["uid"] for board in BOARDS.values()}


def test_boards_are_what_the_generator_makes() -> None:
    pytest.importorskip("grafana_foundation_sdk", reason="grafana-foundation-sdk is not installed")
    made = runpy.run_path(str(GRAFANA / "generate.py"))["dashboards"]()
    for name, text in made.items():
        assert (GRAFANA / "dashboards" / name).read_text() == text, (
            f"{name} is not as generated: run python deploy/grafana/generate.py"
        )
