"""Brokers and workers that are made to fail, and a log of what was done to them."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stream.client.plan_topic import publish_plans
from stream.contracts.topic_names import TopicNames
from stream.devbroker.broker import Broker, BrokerCluster, free_port, start, start_cluster
from stream.devbroker.runtime import find_runtime
from stream.kafka.topics import WantedTopic, create_topics, wanted_topics
from stream.plans.plan import Plan
from tests.warm_start import WarmProcess

__all__ = ["LEAVE_S", "Cluster", "Worker"]

EVENTS = "events"
OURS = ("summaries", "plans", "alerts", "dead_letter", "state")
#: Told to stop, a worker is gone within this.
LEAVE_S = 10.0


@dataclass(eq=False)
class Worker:
    """A worker process and its log."""

    process: WarmProcess
    log: Path
    stopped: bool = False  # by SIGSTOP
    expected_end: bool = False

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def ready(self) -> bool:
        return "ready: " in self.said()


@dataclass
class Cluster:
    """One broker, or several, with one installation of driftstream.

    Everything that ends without having been told to is in `died`, with its last words.
    """

    directory: Path
    plans: Sequence[Plan]
    partitions: int = 4
    summaries_partitions: int = 2
    brokers: int = 1
    done: Counter[str] = field(default_factory=Counter)
    leaving_s: list[float] = field(default_factory=list)
    died: list[str] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    zombies: list[Worker] = field(default_factory=list)
    started: list[Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._port = free_port()
        self._runtime = find_runtime()
        self.broker: Broker | BrokerCluster = self._start_brokers()
        self.kafka = {"bootstrap_servers": self.broker.bootstrap}
        self.topics = self.make_topics("")
        # Record timestamps are the producers' own, so that chunks end by their span of time too.
        events = WantedTopic(EVENTS, self.partitions, {"cleanup.policy": "delete"}, ours=False)
        create_topics(self.kafka, [events])

    def make_topics(self, prefix: str) -> dict[str, str]:
        """driftstream's own topics under a prefix, with the plans on them."""
        topics = {name: prefix + name for name in OURS}
        create_topics(
            self.kafka, wanted_topics(TopicNames(**topics), partitions=self.summaries_partitions)
        )
        publish_plans(self.kafka, topics["plans"], self.plans)
        return topics

    # ---- the broker

    def _start_brokers(self) -> Broker | BrokerCluster:
        if self.brokers == 1:
            return self._start_broker()
        place = self.directory / "brokers"
        return start_cluster(self.brokers, place, runtime=self._runtime, timeout_s=180.0)

    def _start_broker(self) -> Broker:
        return start(
            self.directory / "broker",
            port=self._port,
            heap_mb=400,
            runtime=self._runtime,
            light=True,
        )

    def break_broker(self, *, hard: bool, away_s: float) -> None:
        """End the only broker, wait, and start it again with its data."""
        assert isinstance(self.broker, Broker)
        if hard:
            self.broker.kill()
        self.broker.stop()
        time.sleep(away_s)
        self.broker = self._start_broker()

    # ---- workers

    def config(self, prefix: str = "", **settings: object) -> Path:
        """A config whose plans are on the topic already, so that references are never read."""

        def lines(values: Mapping[str, object]) -> str:
            return "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())

        # Without idleness all that is decided is a function of the events (law 3).
        worker = {
            "group": prefix + "chaos",
            "metrics_address": "",
            "idle_after": "1h",
            "snapshot_interval": "1s",
            **settings,
        }
        topics = {name: prefix + name for name in OURS}
        models = "".join(
            f'[[models]]\nname = "{plan.model}"\nreference = "not-read.json"\n'
            for plan in self.plans
        )
        path = self.directory / f"{prefix}config.toml"
        path.write_text(
            f"[kafka]\n{lines(self.kafka)}\n[worker]\n{lines(worker)}\n"
            f"[topics]\n{lines(topics)}\n{models}"
        )
        return path

    def start(self, prefix: str = "") -> Worker:
        """One more worker, through the real command line."""
        log = self.directory / f"{prefix}worker-{len(self.started)}.log"
        arguments = ["worker", "-v", "--no-publish", "-c", str(self.config(prefix))]
        worker = Worker(WarmProcess(arguments, log), log)
        self.started.append(worker)
        if not prefix:
            self.workers.append(worker)
        return worker

    def kill(self, worker: Worker) -> None:
        """SIGKILL."""
        self._forget(worker)
        worker.process.kill()
        worker.process.wait()

    def terminate(self, worker: Worker) -> None:
        """SIGTERM; notes how long leaving took."""
        self._forget(worker)
        began = time.monotonic()
        worker.process.send_signal(signal.SIGTERM)
        try:
            code = worker.process.wait(3 * LEAVE_S)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            code = worker.process.wait()
        self.leaving_s.append(time.monotonic() - began)
        words = worker.said()
        # While the broker is away leaving ends hard: the next owner reads a little again. One that
        # has said nothing was told before it could listen.
        if code and words and "ending hard" not in words:
            self.died.append(f"{worker.log.name}: exit {code} after SIGTERM: {words[-800:]}")

    def freeze(self, worker: Worker) -> None:
        """SIGSTOP: the group will go on without it."""
        self.workers.remove(worker)
        self.zombies.append(worker)
        worker.process.send_signal(signal.SIGSTOP)

    def wake(self, worker: Worker) -> None:
        """SIGCONT: it does not know how long it was away."""
        self.zombies.remove(worker)
        worker.process.send_signal(signal.SIGCONT)
        self.workers.append(worker)

    def _forget(self, worker: Worker) -> None:
        worker.expected_end = True
        self.workers.remove(worker)

    def look_after(self) -> None:
        """Do what a supervisor does: start workers again that ended by themselves, and note it."""
        for worker in list(self.workers):
            if not worker.running:
                self._forget(worker)
                code, words = worker.process.returncode, worker.said()
                # One that is started while the broker is away says so and is started again.
                excused = code == 1 and "Unable to bootstrap" in words and self.brokers == 1
                if not excused:
                    self.died.append(f"{worker.log.name}: exit {code}: {words[-1500:]}")
                self.start()

    def wait_for(self, what: Callable[[], object], why: str, timeout_s: float) -> None:
        """Wait, and look after the workers meanwhile; TimeoutError with their last words."""
        end = time.monotonic() + timeout_s
        while not what():
            self.look_after()
            if time.monotonic() > end:
                words = "\n".join(f"{w.log.name}: {w.said()[-800:]}" for w in self.workers)
                raise TimeoutError(f"{why}: not within {timeout_s:.0f} s\n{words}")
            time.sleep(0.1)

    def assignments(self, partition: int = 0) -> int:
        """How often a summaries partition was taken over: a rebalance each."""
        said = f"summaries[{partition}]: restored at"
        return sum(worker.said().count(said) for worker in self.started)

    def close(self) -> None:
        """End everything."""
        for worker in self.started:
            if worker.running:
                worker.process.kill()
                worker.process.wait()
        with contextlib.suppress(Exception):
            self.broker.stop()
