"""End to end on a real broker: one worker with both stages, alternating with its peers.

Everybody reads the same filled topic. Rates are between two points of progress in steady state, so
start-up is not in them; memory is the peak of the whole run.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient

from benchmarks import driftstream
from benchmarks.contest import PEERS, Round, peers_here, rate, run_peer
from benchmarks.driftstream import Setup
from benchmarks.figures import Figure
from benchmarks.workloads import Workload, fill, make
from stream.devbroker.broker import Broker
from stream.kafka.topics import LOG_APPEND, WantedTopic, create_topics
from stream.stage1.summarise import CHUNK_RECORDS

PARTITIONS = 4
#: With peers; the others say what driftstream does with another load.
_WITH_PEERS = "W1"


def run(
    broker: Broker, name: str, rounds: int, share: float = 1.0, profile: bool = False
) -> tuple[list[Figure], dict[str, Any]]:
    """One workload: everybody in turn over the same topic; `profile`: one run to look at."""
    with tempfile.TemporaryDirectory(prefix="driftstream-bench-") as tmp:
        workload = make(name, PARTITIONS, CHUNK_RECORDS, share)
        group = f"bench-{workload.id.lower()}-{os.getpid()}"
        setup = Setup(broker.bootstrap, group, PARTITIONS, Path(tmp), group, 0)
        with leaving_no_topics(broker.bootstrap, group):
            results, filled, ready = _one(setup, workload, rounds, profile)
    if profile:
        return [], {}
    return _figures(workload, results, ready), {
        "workload": workload.id,
        "title": workload.title,
        "events": workload.events,
        "bytes": filled["bytes"],
        "partitions": PARTITIONS,
        "rounds": results,
    }


def _one(
    setup: Setup, workload: Workload, rounds: int, profile: bool
) -> tuple[dict[str, list[Round]], dict[str, float], list[float]]:
    """Fill the topic of a workload once, then run everybody in turn."""
    filled = make_topic(setup, workload)
    if profile:
        run_ours(setup, workload, 0, profile=setup.directory / "profile")
        _show_profile(setup.directory / "profile")
        return {}, filled, []
    with_peers = workload.id == _WITH_PEERS
    ready = measure_ready(setup, workload) if with_peers else []
    peers = peers_here() if with_peers else []
    order = ["driftstream", *peers]
    results: dict[str, list[Round]] = {who: [] for who in order}
    for number in range(rounds):
        # Turned round every time, so that nobody always runs on the same page cache.
        for who in order if number % 2 == 0 else reversed(order):
            one = (
                run_ours(setup, workload, number)
                if who == "driftstream"
                else run_peer(who, setup, number)
            )
            results[who].append(one)
            print(
                f"  round {number + 1} {who:<12} {one['events_per_s']:>10,.0f} events/s, "
                f"{one['cpu_s_per_million']:.2f} CPU s a million, "
                f"{one['peak_mb']:.0f} MB",
                flush=True,
            )
    return results, filled, ready


def make_topic(setup: Setup, workload: Workload) -> dict[str, float]:
    """Make the topic of events, and that of the peers' alerts, and fill the former."""
    connection = {"bootstrap_servers": setup.bootstrap}
    wanted = WantedTopic(setup.topic, setup.partitions, {"cleanup.policy": "delete", **LOG_APPEND})
    alerts = WantedTopic(f"{setup.topic}.peer-alerts", 1, {"cleanup.policy": "delete"})
    create_topics(connection, [wanted, alerts])
    filled = fill(setup.bootstrap, setup.topic, setup.partitions, workload)
    print(
        f"{workload.id}: {workload.events:,} events of {filled['bytes']:.0f} bytes in "
        f"{setup.partitions} partitions, filled in {filled['seconds']:.0f} s",
        flush=True,
    )
    return filled


@contextmanager
def leaving_no_topics(bootstrap: str, name: str) -> Iterator[None]:
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
        mine = Setup(
            setup.bootstrap,
            empty,
            PARTITIONS,
            setup.directory,
            f"{setup.name}-ready{number}",
            driftstream.free_port(),
        )
        config = mine.write_config(workload)
        driftstream.create_topics(config)
        with driftstream.start_worker(mine, config) as worker:
            seconds.append(driftstream.wait_ready(mine, worker))
    print(f"ready after {', '.join(f'{s:.1f}' for s in seconds)} s", flush=True)
    return seconds[1:]


def run_ours(
    setup: Setup, workload: Workload, number: int, profile: Path | None = None, workers: int = 1
) -> Round:
    """driftstream over the whole topic; raises unless all of the work was done."""
    mine = Setup(
        setup.bootstrap,
        setup.topic,
        setup.partitions,
        setup.directory,
        f"{setup.name}-r{number}",
        driftstream.free_port(),
    )
    config = mine.write_config(workload)
    driftstream.create_topics(config)
    with contextlib.ExitStack() as stack:
        running = []
        for i in range(workers):
            own = config
            if i:
                port = f"127.0.0.1:{mine.metrics_port}"
                own = config.with_name(f"{mine.name}-{i}.toml")
                own.write_text(
                    config.read_text().replace(port, f"127.0.0.1:{driftstream.free_port()}")
                )
            begun = driftstream.start_worker(mine, own, profile=profile)
            running.append(stack.enter_context(begun))
        points = driftstream.follow(mine, workload, running)
        alert = driftstream.wait_for_alert(mine, workload)
        width = workload.reference().layout().width
        end = time.monotonic() + 20
        # What does not end with a chunk is published when its partition has been idle.
        while (counted := driftstream.counted_events(mine, width)) < workload.events:
            if time.monotonic() > end:
                break
        for worker in running:
            worker.stop()
            if worker.process.returncode != 0:
                worker.check()
    if counted != workload.events:
        raise RuntimeError(f"the summaries hold {counted:,} of {workload.events:,} events")
    return rate(running, points, 0.2, 0.95) | {"counted": counted, "alert": alert}


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
            peer.title: Figure("", "", "", column(who, key)).value
            for who, peer in PEERS.items()
            if who in results
        }
        return Figure(
            f"{workload.id}.{key}",
            f"{workload.id}: {what}",
            unit,
            column("driftstream", key),
            peers=peers,
            **more,
        )

    figures = [
        figure("events_per_s", "end to end", "events/s", better="higher", goal=workload.goal),
        figure(
            "cpu_s_per_million",
            "CPU a million events",
            "s",
            goal=5.5 if workload.id == _WITH_PEERS else None,
        ),
        figure("peak_mb", "peak memory of the worker", "MB"),
    ]
    ours = column("driftstream", "events_per_s")
    # What one core's worth of CPU does: rates are lower where others share the machine.
    figures.append(
        Figure(
            f"{workload.id}.per_core",
            f"{workload.id}: with one core's worth of CPU",
            "events/s",
            [1e6 / one for one in column("driftstream", "cpu_s_per_million")],
            "higher",
            workload.goal,
        )
    )
    if workload.id == "W2":
        n = workload.n_numeric + workload.n_categorical
        figures.append(
            Figure(
                f"{workload.id}.values_per_s",
                f"{workload.id}: feature values",
                "values/s",
                [n * one for one in ours],
                "higher",
                4e6,
            )
        )
    if ready:
        figures.append(Figure("ready", "worker ready, warm numba cache", "s", ready, goal=5.0))
    for who, goal in (("quix_river", 10.0), ("bytewax_river", None), ("faust_river", None)):
        if who not in results:
            continue
        figures.append(
            _times(
                f"{workload.id}.ratio.{who}",
                f"{workload.id}: times {PEERS[who].title}",
                ours,
                column(who, "events_per_s"),
                goal,
            )
        )
        figures.append(
            _times(
                f"{workload.id}.cpu_ratio.{who}",
                f"{workload.id}: CPU of {PEERS[who].title} over ours",
                column(who, "cpu_s_per_million"),
                column("driftstream", "cpu_s_per_million"),
            )
        )
    return figures


def _times(
    key: str, what: str, over: list[float], under: list[float], goal: float | None = None
) -> Figure:
    """How many times, round by round: what disturbs a round disturbs both."""
    rounds = [a / b for a, b in zip(over, under, strict=True)]
    return Figure(key, what, "times", rounds, better="higher", goal=goal)
