"""One run of a driftstream worker over a filled topic, and the proof that it did the work.

The worker is the real command line in a process of its own. Progress is read from its summaries
topic: what the worker says there is counted, published and acknowledged.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from benchmarks.worker import Measured
from benchmarks.workloads import START, Workload
from detectors import Reference
from detectors.counting.sparse import decode_counts
from stream.contracts.summary_message import Progress, SummaryBatch, decode_message

CLI = [sys.executable, "-m", "stream.cli"]
_RUN_LIMIT_S = 180.0


@dataclass(frozen=True)
class Setup:
    """Where a run happens: a broker, a filled topic, a directory, and a name of its own."""

    bootstrap: str
    topic: str
    partitions: int
    directory: Path
    name: str
    metrics_port: int

    def ours(self, topic: str) -> str:
        """Name of one of driftstream's topics in this run."""
        return f"{self.name}.{topic}"

    def write_config(self, workload: Workload) -> Path:
        """Write the config and the reference; topics and group are of this run alone."""
        self.directory.mkdir(parents=True, exist_ok=True)
        models = "".join(self._model(workload, name) for name in workload.models)
        names = ("summaries", "plans", "alerts", "dead_letter", "state")
        topics = "\n".join(f'{name} = "{self.ours(name)}"' for name in names)
        config = self.directory / f"{self.name}.toml"
        config.write_text(f"""
[kafka]
bootstrap_servers = "{self.bootstrap}"

[worker]
group = "{self.name}"
metrics_address = "127.0.0.1:{self.metrics_port}"
idle_after = "{"30s" if workload.form == "event" else "1s"}"

[topics]
{topics}

{models}""")
        return config

    def _model(self, workload: Workload, name: str) -> str:
        """One model of the config, with its reference beside it."""
        path = self.directory / f"{name}.json"
        if not path.exists():
            first = self.directory / f"{workload.model}.json"
            if not first.exists():
                first.write_bytes(workload.reference().to_json())
            if name != workload.model:
                reference = Reference.from_json(first.read_bytes())
                path.write_bytes(replace(reference, model=name).to_json())
        segments = 'segments = ["region"]\n' if workload.n_segments else ""
        return (
            f'[[models]]\nname = "{name}"\nversion = "*"\ntopic = "{self.topic}"\n'
            f'reference = "{path}"\npane = "10s"\n{segments}\n'
        )


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def create_topics(config: Path) -> None:
    """Create driftstream's topics as a user does."""
    command = [*CLI, "topics", "-c", str(config), "--create"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def start_worker(setup: Setup, config: Path, *, profile: Path | None = None) -> Measured:
    """Start a worker; with `profile`, all its threads under cProfile."""
    cli = [sys.executable, "-m", "benchmarks.profiled", str(profile)] if profile else CLI
    command = [*cli, "worker", "-c", str(config)]
    return Measured(command, setup.directory / f"{setup.name}.log")


def wait_ready(setup: Setup, worker: Measured, limit_s: float = 60.0) -> float:
    """Seconds from the start of the process to the first good answer of /readyz."""
    address = f"http://127.0.0.1:{setup.metrics_port}/readyz"
    while time.monotonic() < worker.began + limit_s:
        worker.check()
        try:
            with urllib.request.urlopen(address, timeout=1) as answer:
                if answer.status == 200:
                    return time.monotonic() - worker.began
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.02)
    raise RuntimeError(f"{address} did not say ready within {limit_s:.0f} s; see {worker.log}")


def lag(setup: Setup) -> int:
    """Records that the worker has not handled yet, as its metrics say."""
    address = f"http://127.0.0.1:{setup.metrics_port}/metrics"
    with urllib.request.urlopen(address, timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    name = "driftstream_consumer_lag_records{"
    return round(sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name)))


def consumer_of(setup: Setup, topic: str, partitions: list[int] | None = None) -> Consumer:
    """A consumer of everything in these partitions, all of them if none are named."""
    consumer = Consumer(
        {
            "bootstrap.servers": setup.bootstrap,
            "group.id": f"{setup.name}.bench",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 20,
            "enable.partition.eof": False,
        }
    )
    there = partitions or list(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in there])
    return consumer


def end_offsets(setup: Setup, topic: str) -> list[int]:
    """Where the log of each partition ends."""
    consumer = consumer_of(setup, topic)
    try:
        places = consumer.assignment()
        return [consumer.get_watermark_offsets(place, timeout=10)[1] for place in places]
    finally:
        consumer.close()


def follow(
    setup: Setup, workload: Workload, workers: Sequence[Measured]
) -> list[tuple[float, int]]:
    """(monotonic seconds, events done) at every progress record, until all events are done."""
    through = dict.fromkeys(range(setup.partitions), -1)
    points: list[tuple[float, int]] = []
    consumer = consumer_of(setup, setup.ours("summaries"), [0])  # progress goes to each of them
    end = time.monotonic() + _RUN_LIMIT_S
    try:
        while sum(through.values()) + setup.partitions < workload.records:
            for worker in workers:
                worker.check()
            if time.monotonic() > end:
                log = workers[0].log
                raise RuntimeError(f"only {through} after {_RUN_LIMIT_S:.0f} s; see {log}")
            for record in consumer.consume(100, timeout=0.05):
                message = decode_message(record.value())
                if isinstance(message, Progress):
                    partition = message.source.partition
                    through[partition] = max(through[partition], message.through)
                    done = sum(through.values()) + setup.partitions
                    points.append((time.monotonic(), done * workload.rows))
    finally:
        consumer.close()
    return points


def _read_all(setup: Setup, topic: str, quiet_s: float = 1.0) -> Iterator[bytes]:
    consumer = consumer_of(setup, topic)
    try:
        while records := consumer.consume(1_000, timeout=quiet_s):
            yield from (record.value() for record in records)
    finally:
        consumer.close()


def counted_events(setup: Setup, width: int) -> int:
    """Events of the whole topic as the summaries add up to, merged as stage 2 merges them."""
    newest: dict[tuple[int, int, str, int], tuple[int, int]] = {}
    late: dict[tuple[int, int], tuple[int, int]] = {}
    for value in _read_all(setup, setup.ours("summaries")):
        message = decode_message(value)
        if not isinstance(message, SummaryBatch):
            continue
        partition = message.source.partition
        chunk = (partition, message.chunk)
        late[chunk] = max(late.get(chunk, (-1, 0)), (message.through, message.late))
        for entry in message.entries:
            if entry.segment == "":
                key = (partition, message.chunk, message.model, entry.pane_ms)
                n = int(decode_counts(entry.counts, width)[0])
                newest[key] = max(newest.get(key, (-1, 0)), (message.through, n))
    return sum(n for _, n in newest.values()) + sum(n for _, n in late.values())


def wait_for_alert(setup: Setup, workload: Workload, limit_s: float = 15.0) -> dict[str, Any]:
    """What the alerts topic says: when the first firing alert came, and about which signals.

    `early` counts the episodes that began before the change: there should be none.
    """
    change_ms = START.timestamp() * 1000 + workload.changes_at * 1000 / workload.events_per_s
    began = time.monotonic()
    while time.monotonic() < began + limit_s:
        alerts = [json.loads(value) for value in _read_all(setup, setup.ours("alerts"), 0.3)]
        firing = [a for a in alerts if a["data"]["status"] == "firing"]
        found = [s["name"] for a in firing for s in a["data"]["signals"]]
        if set(found) & set(workload.factor):
            opened = {a["data"]["episode"]: a["data"]["startsAt"] for a in firing}
            early = sum(_ms(start) < change_ms - 60_000 for start in opened.values())
            waited = time.monotonic() - began
            return {"signals": sorted(set(found)), "early": early, "waited_s": waited}
    raise RuntimeError(f"no alert named {list(workload.factor)} within {limit_s:.0f} s of the end")


def _ms(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp() * 1000
