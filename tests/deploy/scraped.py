"""A Prometheus that scrapes a real metrics page, whose streams go through a drift."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np

from detectors import OutcomeOptions, fit_reference
from stream.contracts.plan_settings import Limit
from stream.decode.record import FileRecord
from stream.devbroker.broker import free_port
from stream.metrics import MetricsCollector, serve
from stream.notify.dispatcher import Dispatcher
from stream.notify.metrics import NotifyCollector
from stream.notify.notify_status import NotifyStatus
from stream.notify.targets.webhook import WebhookTarget
from stream.plans.plan import Plan, PlanBook
from stream.replay import Replay
from tests.stream.metrics.test_metrics import START_MS, FileState, columns, records

__all__ = ["Server", "scraping", "wait_for"]

ROOT = Path(__file__).parents[2]


@dataclass
class Server:
    """A Prometheus."""

    url: str
    began: float = 0.0  # when the first event came

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


def _with_outcomes(records: Iterator[FileRecord]) -> Iterator[FileRecord]:
    """The records with what a model says, and mostly what turned out to be true."""
    rng = np.random.default_rng(5)
    for record in records:
        value = record.value or b""
        if value.startswith(b'{"model"'):
            score = float(rng.random())
            said = {"prediction": {"score": score}, "actual": str(rng.random() < score)}
            value = value[:-1] + b"," + json.dumps(said).encode()[1:]
        yield dataclasses.replace(record, value=value)


def _of_training() -> dict[str, Any]:
    """Rows of the same before the drift."""
    rng = np.random.default_rng(6)
    score = rng.random(20_000)
    actual = np.where(rng.random(20_000) < score, "True", "False")
    region = rng.choice(["eu", "us"], 20_000)
    return {**columns(20_000, 0, 0.0), "score": score, "actual": actual, "region": region}


def endless() -> Iterator[FileRecord]:
    """Events with a drift, one that is no event, and then late ones for as long as it takes.

    Beside version 3, which drifts, there is version 4, which does not.
    """
    offsets = count()
    last = FileRecord(0, 0, None)
    of_both = (_with_outcomes(records(4_000, 1, 0.5)), _with_outcomes(records(4_000, 2, 0.0)))
    for last, beside in zip(*of_both, strict=True):
        yield dataclasses.replace(last, offset=next(offsets))
        value = (beside.value or b"").replace(b'"version":"3"', b'"version":"4"')
        yield dataclasses.replace(beside, offset=next(offsets), value=value)
    for offset in offsets:
        yield dataclasses.replace(last, offset=offset)


def wait_for(what: Any, words: Any, timeout_s: float = 30.0) -> None:
    end = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < end, words()
        time.sleep(0.1)


@contextmanager
def scraping(folder: Path) -> Iterator[Server]:
    """A Prometheus with the rules of deploy/, which has scraped a page through a drift."""
    times = START_MS - 10_000_000 + np.arange(20_000, dtype=np.int64) * 100
    roles = {"score": "score", "actual": "actual"}
    protected = OutcomeOptions(protected=("region",))
    reference = fit_reference(
        _of_training(), model="fraud", times_ms=times, roles=roles, outcome=protected
    )
    book = PlanBook()
    book.add(
        Plan(
            model="fraud",
            reference=reference,
            segments=("region",),
            protected=("region",),
            window_events=1000,
            limits=(Limit(metric="accuracy", at_least=0.6),),
        )
    )
    state = FileState(Replay(book))
    page = serve("127.0.0.1:0", MetricsCollector(state, environment="tests"), state)
    notify = NotifyStatus()
    notify.dispatcher = Dispatcher([WebhookTarget(name="a", url="http://127.0.0.1:9")], {}, {0: 1})
    notify_page = serve("127.0.0.1:0", NotifyCollector(notify, environment="tests"), notify)
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
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
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
        server.began = time.time()
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
