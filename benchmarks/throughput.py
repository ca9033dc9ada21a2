"""End to end on a real broker: one worker with both stages, alternating with its peers.

Everybody reads the same filled topic. Rates are between two points of progress in steady state, so
start-up is not in them; memory is the peak of the whole run.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient

from benchmarks import driftstream
from benchmarks.driftstream import Setup
from benchmarks.figures import Figure, show, table
from benchmarks.worker import Measured
from benchmarks.workloads import Workload, fill, w1
from stream.kafka.broker import find_broker
from stream.kafka.topics import LOG_APPEND, WantedTopic, create_topics
from stream.summarise import CHUNK_RECORDS

PARTITIONS = 4
PEERS = {"faust_river": "Faust agent + river ADWIN", "raw_consumer": "raw confluent consumer"}
_PEER_S = {"faust_river": 10.0, "raw_consumer": 60.0}
_PEER_ARGUMENTS = {"faust_river": ["worker", "--without-web", "--loglevel", "error"]}

Round = dict[str, Any]


def run(rounds: int, chunks: int, profile: bool = False) -> tuple[list[Figure], dict[str, Any]]:
    """Fill the topic once, then run everybody in turn; `profile`: one run to look at."""
    workload = w1(PARTITIONS, CHUNK_RECORDS, chunks)
    found = find_broker()
    if found.broker is None:
        raise SystemExit(f"benchmarks need a Kafka broker: {found.sentence}")
    print(f"broker: {found.sentence}", flush=True)
    name = f"bench-{workload.model}-{os.getpid()}"
    with (
        found.broker as broker,
        tempfile.TemporaryDirectory(prefix="driftstream-bench-") as tmp,
        _leaving_no_topics(broker.bootstrap, name),
    ):
        create_topics(
            {"bootstrap_servers": broker.bootstrap},
            [
                WantedTopic(name, PARTITIONS, {"cleanup.policy": "delete", **LOG_APPEND}),
                WantedTopic(f"{name}.peer-alerts", 1, {"cleanup.policy": "delete"}),
            ],
        )
        filled = fill(broker.bootstrap, name, PARTITIONS, workload)
        print(
            f"{workload.id}: {workload.events:,} events of {filled['bytes']:.0f} bytes in "
            f"{PARTITIONS} partitions, filled in {filled['seconds']:.0f} s", flush=True,
        )  # fmt: skip
        setup = Setup(broker.bootstrap, name, PARTITIONS, Path(tmp), name, 0)
        if profile:
            run_ours(setup, workload, 0, profile=Path(tmp) / "profile")
            _show_profile(Path(tmp) / "profile")
            return [], {}
        ready = measure_ready(setup, workload)
        order = ["driftstream", *PEERS]
        results: dict[str, list[Round]] = {who: [] for who in order}
        for number in range(rounds):
            # Turned round every time, so that nobody always runs on the same page cache.
            for who in order if number % 2 == 0 else reversed(order):
                one = run_ours(setup, workload, number) if who == "driftstream" else run_peer(
                    who, setup, number
                )  # fmt: skip
                results[who].append(one)
                print(f"  round {number + 1} {who:<12} {one['events_per_s']:>10,.0f} events/s, "
                      f"{one['cpu_s_per_million']:.2f} CPU s a million, "
                      f"{one['peak_mb']:.0f} MB", flush=True)  # fmt: skip
    details = {
        "workload": workload.id, "events": workload.events, "bytes": filled["bytes"],
        "partitions": PARTITIONS, "broker": found.sentence, "rounds": results,
    }  # fmt: skip
    return _figures(workload, results, ready), details


@contextmanager
def _leaving_no_topics(bootstrap: str, name: str) -> Iterator[None]:
    """Delete what this run made: the broker may be somebody's."""
    try:
        yield
    finally:
        client = AdminClient({"bootstrap.servers": bootstrap})
        ours = [topic for topic in client.list_topics(timeout=10).topics if topic.startswith(name)]
        for deleted in client.delete_topics(ours).values() if ours else ():
            deleted.result()


def measure_ready(setup: Setup, workload: Workload) -> list[float]:
    """Seconds to ready with an empty topic of events: first with whatever numba cache is there."""
    seconds = []
    empty = f"{setup.name}-empty"
    create_topics({"bootstrap_servers": setup.bootstrap}, [WantedTopic(empty, PARTITIONS, {})])
    for number in range(3):
        mine = Setup(setup.bootstrap, empty, PARTITIONS, setup.directory,
                     f"{setup.name}-ready{number}", driftstream.free_port())  # fmt: skip
        config = mine.write_config(workload)
        driftstream.create_topics(config)
        with driftstream.start_worker(mine, config) as worker:
            seconds.append(driftstream.wait_ready(mine, worker))
    print(f"ready after {', '.join(f'{s:.1f}' for s in seconds)} s", flush=True)
    return seconds[1:]


def run_ours(setup: Setup, workload: Workload, number: int, profile: Path | None = None) -> Round:
    """One driftstream worker over the whole topic; raises unless all of the work was done."""
    mine = Setup(setup.bootstrap, setup.topic, setup.partitions, setup.directory,
                 f"{setup.name}-r{number}", driftstream.free_port())  # fmt: skip
    config = mine.write_config(workload)
    driftstream.create_topics(config)
    with driftstream.start_worker(mine, config, profile=profile) as worker:
        points = driftstream.follow(mine, workload, worker)
        alert = driftstream.wait_for_alert(mine, workload)
        worker.stop()
        if worker.process.returncode != 0:
            worker.check()
    width = workload.reference().layout().width
    counted = driftstream.counted_events(mine, width)
    if counted != workload.events:
        raise RuntimeError(f"the summaries hold {counted:,} of {workload.events:,} events")
    return _rate(worker, points, 0.2, 0.95) | {"counted": counted, "alert": alert}


def run_peer(who: str, setup: Setup, number: int) -> Round:
    """One peer over the same topic, for a fixed time where it would not reach the end."""
    env = {
        "BROKER": setup.bootstrap, "TOPIC": setup.topic, "GROUP": f"{setup.name}-{who}-{number}",
    }  # fmt: skip
    command = [sys.executable, "-m", f"benchmarks.peers.{who}", *_PEER_ARGUMENTS.get(who, [])]
    log = setup.directory / f"{who}-{number}.log"
    with (
        tempfile.TemporaryDirectory(dir=setup.directory) as scratch,
        Measured(command, log, {**env, "FAUST_DATADIR": scratch}) as peer,
    ):
        while not peer.progress():
            peer.check()
            time.sleep(0.05)
        end = time.monotonic() + _PEER_S[who]
        while time.monotonic() < end:
            peer.check()
            time.sleep(0.1)
            if len({n for _, n in peer.progress()[-3:]}) == 1 and len(peer.progress()) > 3:
                break  # the end of the topic
        points = peer.progress()
        peer.stop()
    return _rate(peer, points, 0.2, 0.95)


def _rate(process: Measured, points: Sequence[tuple[float, int]], low: float, high: float) -> Round:
    """Rate and CPU between two shares of the progress."""
    total = points[-1][1]
    first = next(point for point in points if point[1] >= low * total)
    last = next(point for point in points if point[1] >= high * total)
    events = last[1] - first[1]
    cpu = process.cpu_between(first[0], last[0])
    return {
        "events_per_s": events / (last[0] - first[0]),
        "cpu_s_per_million": cpu / events * 1e6,
        "cores": cpu / (last[0] - first[0]),
        "peak_mb": process.peak_rss / 1e6,
        "seconds": last[0] - first[0],
        "first_s": points[0][0] - process.began,
    }


def _show_profile(path: Path, lines: int = 25) -> None:
    """Where the time went, all threads added up; what only waits is left out."""
    import pstats

    stats: dict[tuple[str, int, str], Any] = pstats.Stats(str(path)).stats  # type: ignore[attr-defined]
    waits = ("'poll'", "'get' of", "'acquire'", "select.")
    rows = sorted(
        (own, total, calls, f"{Path(file).name}:{line} {name}")
        for (file, line, name), (_, calls, own, total, _) in stats.items()
        if not any(wait in name for wait in waits)
    )
    print(f"{'own s':>8} {'with callees':>12} {'calls':>10}")
    for own, total, calls, where in reversed(rows[-lines:]):
        print(f"{own:8.2f} {total:12.2f} {calls:10,} {where}")


def _figures(
    workload: Workload, results: dict[str, list[Round]], ready: list[float]
) -> list[Figure]:
    def column(who: str, key: str) -> list[float]:
        return [float(one[key]) for one in results[who]]

    def figure(key: str, what: str, unit: str, **more: Any) -> Figure:
        peers = {
            title: Figure("", "", "", column(who, key)).value
            for who, title in PEERS.items() if who in results
        }  # fmt: skip
        return Figure(f"{workload.id}.{key}", f"{workload.id}: {what}", unit,
                      column("driftstream", key), peers=peers, **more)  # fmt: skip

    figures = [
        figure("events_per_s", "end to end", "events/s", better="higher", goal=100_000.0),
        figure("cpu_s_per_million", "CPU a million events", "s"),
        figure("peak_mb", "peak memory of the worker", "MB"),
        Figure("ready", "worker ready, warm numba cache", "s", ready, goal=10.0),
    ]
    figures[1:1] = [
        _times(
            f"{workload.id}.ratio", f"{workload.id}: times the Faust agent with river",
            column("driftstream", "events_per_s"), column("faust_river", "events_per_s"), goal=8.0,
        ),
        _times(
            f"{workload.id}.cpu_ratio", f"{workload.id}: CPU of that agent over ours",
            column("faust_river", "cpu_s_per_million"), column("driftstream", "cpu_s_per_million"),
        ),
    ]  # fmt: skip
    return figures


def _times(
    key: str, what: str, over: list[float], under: list[float], goal: float | None = None
) -> Figure:
    """How many times, round by round: what disturbs a round disturbs both."""
    rounds = [a / b for a, b in zip(over, under, strict=True)]
    return Figure(key, what, "times", rounds, better="higher", goal=goal)


def end_to_end_table(details: dict[str, Any]) -> str:
    """Who read the topic how fast, at what cost."""
    rows = []
    titles = {"driftstream": "**driftstream**, all tests on", **PEERS}
    for who, rounds in details["rounds"].items():
        cells = [Figure("", "", "", [r[k] for r in rounds]).value
                 for k in ("events_per_s", "cpu_s_per_million", "peak_mb")]  # fmt: skip
        rows.append([titles[who], *map(show, cells)])
    header = ["on the same topic", "events/s", "CPU s a million events", "peak MB"]
    return table(header, rows)
