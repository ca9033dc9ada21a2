"""Every expression of every panel, executed by a Prometheus that scrapes a real metrics page."""

from __future__ import annotations

import dataclasses
import json
import re
import runpy
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors import fit_reference
from stream.kafka.broker import free_port
from stream.metrics import MetricsCollector, NotifyCollector, serve
from stream.notify.bridge import Bridge
from stream.notify.targets import Target
from stream.notify.view import NotifyView
from stream.plans.plan import Plan, PlanBook
from stream.replay import FileRecord, Replay
from tests.stream.test_metrics import START_MS, FileState, columns, records

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
BOARDS = {path.stem: json.loads(path.read_text()) for path in GRAFANA.glob("dashboards/*.json")}
#: What stands for the choices of a viewer.
CHOSEN = {"model": "fraud", "version": "3", "signal": "amount"}
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


@dataclass
class Server:
    """A Prometheus."""

    url: str

    def ask(self, path: str, **arguments: str) -> Any:
        query = urllib.parse.urlencode(arguments)
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=10) as answer:
                return json.loads(answer.read())["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{arguments}: {error.read().decode()}") from None

    def labels(self, expression: str) -> list[dict[str, str]]:
        return [series["metric"] for series in self.ask("query", query=expression)["result"]]


def endless() -> Iterator[FileRecord]:
    """Events with a drift, one that is no event, and then late ones for as long as it takes."""
    last = FileRecord(0, 0, None)
    for last in records(4_000, 1, 0.5):
        yield last
    for offset in count(last.offset + 1):
        yield dataclasses.replace(last, offset=offset)


def wait_for(what: Any, words: Any, timeout_s: float = 30.0) -> None:
    end = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < end, words()
        time.sleep(0.1)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Prometheus with the rules of deploy/, which has scraped a page through a drift."""
    folder = tmp_path_factory.mktemp("prometheus")
    times = START_MS - 10_000_000 + np.arange(20_000, dtype=np.int64) * 100
    reference = fit_reference(columns(20_000, 0, 0.0), model="fraud", times_ms=times)
    book = PlanBook()
    book.add(Plan(model="fraud", reference=reference, segments=("region",), window_events=1000))
    state = FileState(Replay(book))
    page = serve("127.0.0.1:0", MetricsCollector(state), state)
    bridge = NotifyView()
    bridge.bridge = Bridge([Target(kind="webhook", name="a", url="http://127.0.0.1:9")], {}, {0: 1})
    notify_page = serve("127.0.0.1:0", NotifyCollector(bridge), bridge)
    port = free_port()
    shutil.copy(ROOT / "deploy" / "prometheus" / "driftstream.rules.yml", folder)
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
        "rule_files: [driftstream.rules.yml]\n"
        "scrape_configs:\n  - job_name: driftstream\n    static_configs:\n"
        f"      - targets: ['127.0.0.1:{page.port}']\n"
        "  - job_name: driftstream-notify\n    static_configs:\n"
        f"      - targets: ['127.0.0.1:{notify_page.port}']\n"
    )
    command = [
        "prometheus", f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    server = Server(f"http://127.0.0.1:{port}")
    stop = threading.Event()
    stream = endless()

    def feed() -> None:
        """A worker's life in small: events come in, an alert now and then."""
        while not stop.wait(0.2):
            for alert in state.replay.run(list(islice(stream, 150)), at_end=False):
                state.count(alert)
            state.batches += 1
            state.batch_seconds += 0.01
            state.replay.monitor.refused["undecodable"] = 1

    def up() -> bool:
        try:
            return bool(urllib.request.urlopen(f"{server.url}/-/ready", timeout=2).status == 200)
        except OSError:
            return False

    def seen() -> bool:
        return bool(server.labels("driftstream_late_events_total > 0")) and bool(
            server.labels("increase(driftstream_detection_delay_seconds_count[30s]) > 0")
        )

    thread = threading.Thread(target=feed)
    try:
        wait_for(up, log.read_text)
        wait_for(lambda: len(server.labels("up == 1")) == 2, log.read_text)
        thread.start()  # now, so that counters are seen to rise
        wait_for(seen, lambda: str(server.ask("targets")), 60.0)
        yield server
    finally:
        stop.set()
        if thread.ident is not None:
            thread.join()
        process.terminate()
        process.wait(20)
        page.close()
        notify_page.close()


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
    if grouped := re.match(r"\w+ by \(([^)]*)\)", expression):
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
    assert CHOSEN[name] in values


@needs_prometheus
def test_annotations_are_the_episodes(prometheus: Server) -> None:
    (note,) = BOARDS["model"]["annotations"]["list"]
    found = prometheus.labels(filled(note["expr"]))
    assert [series["kind"] for series in found] == ["data_drift"]
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
