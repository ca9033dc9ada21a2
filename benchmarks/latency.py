"""Time from a changed event to its alert on the topic: `python -m benchmarks.latency [RATE]`.

Models share one topic under a steady load of live events. One after the other, each at the start of
a pane, they change; the time runs from the first changed event, as it is handed to the producer,
until a consumer has the alert. The least possible is pane + lateness: that is when a pane may be
judged. Streams repeat the rows that their reference was fitted on, so nothing else is to be found.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import Producer

from benchmarks import driftstream, figures
from benchmarks.driftstream import Setup
from benchmarks.throughput import PARTITIONS, leaving_no_topics
from benchmarks.workloads import WORKLOADS, Workload
from stream.devbroker.broker import Broker, find_broker
from stream.kafka.topics import LOG_APPEND, WantedTopic, create_topics

RATE = 110_000  # half of what a worker does
REPEATS = 12
PANE_S, LATENESS_S = 2.0, 1.0
_ROWS = 50_000
_WARM_S = 12.0
_LIMIT_S = 30.0


def bodies(workload: Workload, factor: float) -> list[bytes]:
    columns = workload.columns(_ROWS, 0)
    columns["f01"] = np.round(columns["f01"] * factor, 6)
    names = list(columns)
    rows = np.column_stack(list(columns.values())).tolist()
    return [json.dumps(dict(zip(names, row, strict=True))).encode() + b"}" for row in rows]


def _config(setup: Setup, workload: Workload) -> Path:
    config = setup.write_config(workload)
    times = f'pane = "{PANE_S:g}s"\nlateness = "{LATENESS_S:g}s"\n'
    text = config.read_text().replace("[[models]]\n", "[[models]]\n" + times)
    config.write_text(text)
    return config


class _Load(threading.Thread):
    """Live events at a steady rate; `changed[k]` is when model k changes."""

    def __init__(self, setup: Setup, workload: Workload, rate: int) -> None:
        super().__init__(daemon=True)
        self.heads = [b'{"model":{"name":"%s"},"timestamp":' % m.encode() for m in workload.models]
        self.bodies = [bodies(workload, 1.0), bodies(workload, 1.5)]
        self.changed = [float("inf")] * len(self.heads)
        self.topic, self.rate = setup.topic, rate
        self.sent, self.behind, self.stop = 0, 0.0, False
        self.producer = Producer(
            {
                "bootstrap.servers": setup.bootstrap,
                "acks": 1,
                "linger.ms": 5,
                "queue.buffering.max.messages": 500_000,
            }
        )

    def run(self) -> None:
        began = time.time()
        n_models, produce = len(self.heads), self.producer.produce
        while not self.stop:
            now = time.time()
            due = int((now - began) * self.rate)
            self.behind = max(self.behind, (due - self.sent) / self.rate - 0.005)
            ms = b"%d," % int(now * 1000)
            chosen = [self.bodies[now >= at] for at in self.changed]
            for i in range(self.sent, due):
                model = i % n_models
                body = chosen[model][(i // n_models + model * 997) % _ROWS]
                value = self.heads[model] + ms + b'"features":' + body
                produce(self.topic, value, partition=i // n_models % PARTITIONS)
            self.sent = due
            self.producer.poll(0)
            time.sleep(0.005)
        self.producer.flush(10)


def _alerts(setup: Setup) -> Iterator[tuple[float, dict[str, Any]]]:
    consumer = driftstream.consumer_of(setup, setup.ours("alerts"))
    try:
        while True:
            for record in consumer.consume(100, timeout=0.02):
                yield time.time(), json.loads(record.value())
            yield time.time(), {}
    finally:
        consumer.close()


def run(broker: Broker, *, quick: bool = False) -> tuple[list[figures.Figure], dict[str, Any]]:
    """The section of `python -m benchmarks`."""
    result = measure(broker, 4 if quick else REPEATS)
    return figure(result), result


def measure(broker: Broker, repeats: int = REPEATS, rate: int = RATE) -> dict[str, Any]:
    """Latencies in seconds of `repeats` changes, with how well the load was kept up."""
    workload = replace(WORKLOADS["W1"][0], n_models=repeats)
    name = f"bench-latency-{os.getpid()}"
    with (
        tempfile.TemporaryDirectory(prefix="driftstream-bench-") as tmp,
        leaving_no_topics(broker.bootstrap, name),
    ):
        wanted = WantedTopic(name, PARTITIONS, {"cleanup.policy": "delete", **LOG_APPEND})
        create_topics({"bootstrap_servers": broker.bootstrap}, [wanted])
        setup = Setup(broker.bootstrap, name, PARTITIONS, Path(tmp), name, driftstream.free_port())
        config = _config(setup, workload)
        driftstream.create_topics(config)
        load = _Load(setup, workload, rate)
        with driftstream.start_worker(setup, config) as worker:
            driftstream.wait_ready(setup, worker)
            load.start()
            began, started = time.monotonic(), time.time()
            first = np.ceil((started + _WARM_S) / PANE_S) * PANE_S
            load.changed = [float(first + k * PANE_S) for k in range(repeats)]
            seen, early = _follow(setup, workload, load)
            lag = driftstream.lag(setup)
            load.stop = True
            load.join()
            cores = worker.cpu_between(began, time.monotonic()) / (time.monotonic() - began)
    missing = [m for m in workload.models if m not in seen]
    if missing:
        raise RuntimeError(f"no alert for {missing} in time")
    return {
        "seconds": [seen[m] for m in workload.models],
        "rate": rate,
        "early": early,
        "load_behind_s": load.behind,
        "worker_cores": cores,
        "lag_records": lag,
        "pane_s": PANE_S,
        "lateness_s": LATENESS_S,
    }


def _follow(setup: Setup, workload: Workload, load: _Load) -> tuple[dict[str, float], int]:
    """Seconds from each model's change to its first alert, and how many alerts came before one."""
    seen: dict[str, float] = {}
    early = 0
    end = load.changed[-1] + _LIMIT_S
    changed = dict(zip(workload.models, load.changed, strict=True))
    for now, alert in _alerts(setup):
        if len(seen) == len(changed) or now > end:
            break
        if not alert or alert["data"]["status"] != "firing":
            continue
        model = alert["subject"].split("/")[0]
        if now < changed[model]:
            early += 1
        elif "f01" in {s["name"] for s in alert["data"]["signals"]}:
            seen.setdefault(model, now - changed[model])
    return seen, early


def figure(result: dict[str, Any]) -> list[figures.Figure]:
    """Percentiles, with the goal for the 99th."""
    goal = result["pane_s"] + result["lateness_s"] + 2.0
    found = []
    for q in (50, 95, 99):
        value = float(np.percentile(result["seconds"], q))
        found.append(
            figures.Figure(
                f"latency.p{q}",
                f"changed event to alert, p{q} of {len(result['seconds'])} changes, "
                f"pane {result['pane_s']:g} s, lateness {result['lateness_s']:g} s, "
                f"{result['rate']:,} events/s",
                "s",
                [value],
                goal=goal if q == 99 else None,
            )
        )
    return found


def sentence(result: dict[str, Any]) -> str:
    """What the percentiles are of, and how well the load was kept up."""
    seconds = np.array(result["seconds"])
    p50, p95, p99 = np.percentile(seconds, (50, 95, 99))
    return (
        f"{len(seconds)} changes, pane {result['pane_s']:g} s, "
        f"lateness {result['lateness_s']:g} s, {result['rate']:,} events/s: "
        f"p50 {p50:.2f} s, p95 {p95:.2f} s, p99 {p99:.2f} s, worst "
        f"{seconds.max():.2f} s. The worker used {result['worker_cores']:.2f} cores and was "
        f"{result['lag_records']:,} records behind at the end; the load was "
        f"{result['load_behind_s']:.2f} s behind at worst."
    )


def main() -> None:
    """Measure and print: `python -m benchmarks.latency [RATE [CHANGES]]`."""
    rate, repeats = [*map(int, sys.argv[1:]), *(RATE, REPEATS)[len(sys.argv) - 1 :]][:2]
    found = find_broker()
    if found.broker is None:
        raise SystemExit(f"benchmarks need a Kafka broker: {found.sentence}")
    with found.broker as broker:
        result = measure(broker, repeats, rate)
    print(figures.figure_table([one.as_dict() for one in figure(result)]))
    print(sentence(result))
    print("seconds:", " ".join(f"{s:.2f}" for s in sorted(result["seconds"])))


if __name__ == "__main__":
    main()
