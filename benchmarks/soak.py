"""Memory of a worker that is busy for long: `python -m benchmarks.soak --minutes 30`.

A producer in a process of its own keeps a lag before one worker, so that it always has work, on a
topic with bounded retention. `--rate N` sends so many events a second instead. With
`--kill-every S` the worker is killed with -9 every S seconds and started again; at the end every
event is to be in the summaries once. Printed every minute: events handled, resident memory, CPU,
open handles, lag; at the end the memory of the last sixth of the time over that of the second sixth
(minute 30 over minute 5), which is to be at most 1.05, and so for handles.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import psutil

from benchmarks import driftstream, figures
from benchmarks.driftstream import Setup
from benchmarks.latency import bodies
from benchmarks.throughput import PARTITIONS, leaving_no_topics
from benchmarks.worker import Measured
from benchmarks.workloads import WORKLOADS, Workload
from stream.devbroker.broker import find_broker
from stream.kafka.topics import LOG_APPEND, WantedTopic, create_topics

__all__ = ["Sample", "growth", "main"]

#: Most growth of memory that counts as none.
LIMIT = 1.05
#: Records that are kept before the worker: some seconds of work.
_AHEAD = 400_000
_SAMPLE_S = 5.0
_RETENTION = {
    "cleanup.policy": "delete",
    "retention.bytes": str(256 * 2**20),
    "segment.bytes": str(32 * 2**20),
    **LOG_APPEND,
}


@dataclass(frozen=True)
class Sample:
    """One look at the worker."""

    at_s: float
    rss_mb: float
    cpu_s: float
    sent: int
    lag: int
    handles: int = 0


def growth(samples: list[Sample], seconds: float, what: str = "rss_mb") -> float:
    """Memory, say, of the last sixth of the time over that of the second sixth."""

    def of(low: float, high: float) -> float:
        return median(
            getattr(s, what) for s in samples if low * seconds <= s.at_s <= high * seconds
        )

    return of(5 / 6, 1.0) / of(1 / 6, 1 / 3)


def produce(bootstrap: str, topic: str, rate: int) -> None:
    """Send events of now; on standard input the lag, on standard output how many were sent."""
    import threading

    from confluent_kafka import Producer

    workload = WORKLOADS["W1"][0]
    rows = bodies(workload, 1.0)
    head = b'{"model":{"name":"%s","version":"1"},"timestamp":' % workload.model.encode()
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "acks": 1,
            "linger.ms": 20,
            "batch.size": 500_000,
            "queue.buffering.max.messages": 200_000,
        }
    )
    lag, at_lag = 0, 0

    def listen() -> None:
        nonlocal lag, at_lag
        for line in sys.stdin:
            lag, at_lag = int(line), sent
        os._exit(0)

    sent, began = 0, time.monotonic()
    threading.Thread(target=listen, daemon=True).start()
    while True:
        room = lag + (sent - at_lag) < _AHEAD if not rate else True
        due = int((time.monotonic() - began) * rate) - sent if rate else 5_000
        if not room or due < 100:
            producer.poll(0.02)
        else:
            ms = b'%d,"features":' % int(time.time() * 1000)
            for i in range(sent, sent + min(due, 20_000)):
                with contextlib.suppress(BufferError):
                    producer.produce(topic, head + ms + rows[i % len(rows)], partition=i % 4)
                    sent += 1
            producer.poll(0)
        print(sent, flush=True)


def soak(
    setup: Setup, workload: Workload, minutes: float, rate: int, kill_every_s: float
) -> Iterator[Sample]:
    """Run a worker under load and look at it every few seconds."""
    config = setup.write_config(workload)
    driftstream.create_topics(config)
    command = [sys.executable, "-m", "benchmarks.soak", "--produce", setup.bootstrap, setup.topic]
    worker = _start(setup, config)
    load = subprocess.Popen(
        [*command, "--rate", str(rate)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert load.stdin is not None
    assert load.stdout is not None
    sent = _Last(load.stdout)
    began, used_s, next_kill_s = time.monotonic(), 0.0, kill_every_s or math.inf
    try:
        while (at := time.monotonic() - began) < minutes * 60:
            if at >= next_kill_s:
                next_kill_s += kill_every_s
                used_s += _cpu_s(worker)
                worker.process.kill()
                worker.process.wait()
                worker = _start(setup, config)
            worker.check()
            lag = driftstream.lag(setup)
            load.stdin.write(f"{lag}\n")
            load.stdin.flush()
            process = psutil.Process(worker.process.pid)
            yield Sample(
                at,
                process.memory_info().rss / 1e6,
                used_s + _cpu_s(worker),
                sent.value,
                lag,
                process.num_fds(),
            )
            time.sleep(0.5 if rate == 0 else _SAMPLE_S)
        load.kill()
        if kill_every_s:
            _must_have_counted_all(setup, workload)
    finally:
        load.kill()
        load.wait()
        worker.stop()


def _start(setup: Setup, config: Path) -> Measured:
    worker = driftstream.start_worker(setup, config)
    driftstream.wait_ready(setup, worker)
    return worker


def _cpu_s(worker: Measured) -> float:
    times = psutil.Process(worker.process.pid).cpu_times()
    return float(times.user + times.system)


def _must_have_counted_all(setup: Setup, workload: Workload, limit_s: float = 180.0) -> None:
    """Wait until the summaries hold every event of the topic, and not one more.

    Raises
    ------
    RuntimeError
        If they do not in time: something is lost, or counted twice.
    """
    there = sum(driftstream.end_offsets(setup, setup.topic))
    width = workload.reference().layout().width
    end = time.monotonic() + limit_s
    while (counted := driftstream.counted_events(setup, width)) != there:
        if time.monotonic() > end:
            raise RuntimeError(f"{there:,} events on the topic, {counted:,} in the summaries")
        time.sleep(5.0)
    print(f"all of {there:,} events are in the summaries once")


class _Last:
    """The last number that a process wrote."""

    def __init__(self, lines: Iterator[str]) -> None:
        import threading

        self.value = 0

        def read() -> None:
            for line in lines:
                self.value = int(line)

        threading.Thread(target=read, daemon=True).start()


def main(arguments: list[str] | None = None) -> int:
    """Soak and print; 1 if memory has grown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument(
        "--rate", type=int, default=0, help="events a second; 0: as many as it takes"
    )
    parser.add_argument(
        "--kill-every", type=float, default=0.0, help="seconds between two kill -9; 0: none"
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument(
        "--produce", nargs=2, metavar=("BOOTSTRAP", "TOPIC"), help=argparse.SUPPRESS
    )
    options = parser.parse_args(arguments)
    if options.produce:
        produce(*options.produce, options.rate)
    found = find_broker(properties={"log.retention.check.interval.ms": 10_000})
    if found.broker is None:
        raise SystemExit(f"benchmarks need a Kafka broker: {found.sentence}")
    name = f"bench-soak-{os.getpid()}"
    samples: list[Sample] = []
    with (
        found.broker as broker,
        tempfile.TemporaryDirectory(prefix="driftstream-bench-") as tmp,
        leaving_no_topics(broker.bootstrap, name),
    ):
        wanted = WantedTopic(name, PARTITIONS, _RETENTION)
        create_topics({"bootstrap_servers": broker.bootstrap}, [wanted])
        setup = Setup(broker.bootstrap, name, PARTITIONS, Path(tmp), name, driftstream.free_port())
        shown: Sample | None = None
        workload = WORKLOADS["W1"][0]
        for sample in soak(setup, workload, options.minutes, options.rate, options.kill_every):
            samples.append(sample)
            shown = shown or sample
            if sample.at_s - shown.at_s >= min(60.0, options.minutes * 10):
                print(_line(shown, sample), flush=True)
                shown = sample
    grown = growth(samples, options.minutes * 60)
    handles = growth(samples, options.minutes * 60, "handles")
    last, first = samples[-1], samples[0]
    handled = last.sent - last.lag
    print(
        f"{handled:,} events in {last.at_s / 60:.1f} minutes, "
        f"{(last.cpu_s - first.cpu_s) / max(1, handled) * 1e6:.2f} CPU s a million; memory grew "
        f"{grown:.3f} times from the second to the last sixth, handles {handles:.3f} times; "
        f"at most {LIMIT} is allowed"
    )
    if options.out is not None:
        plain = {
            "about": figures.about(),
            "growth": {"memory": grown, "handles": handles},
            "samples": list(map(asdict, samples)),
        }
        options.out.write_text(json.dumps(plain, indent=1) + "\n")
    return 0 if max(grown, handles) <= LIMIT else 1


def _line(before: Sample, now: Sample) -> str:
    seconds = max(1e-9, now.at_s - before.at_s)
    handled = (now.sent - now.lag) - (before.sent - before.lag)
    return (
        f"{now.at_s / 60:6.1f} min  {now.rss_mb:6.0f} MB  {handled / seconds:10,.0f} events/s  "
        f"{(now.cpu_s - before.cpu_s) / seconds:5.2f} cores  {now.handles} handles  lag {now.lag:,}"
    )


if __name__ == "__main__":
    sys.exit(main())
