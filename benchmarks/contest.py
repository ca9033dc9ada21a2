"""Peers of driftstream, and how anybody's run over a filled topic is judged."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmarks.apart import python_apart
from benchmarks.driftstream import Setup
from benchmarks.worker import Measured

__all__ = ["PEERS", "Peer", "Round", "peers_here", "rate", "run_peer"]

#: What one run gave: rate, CPU, memory.
Round = dict[str, Any]


class Peer(NamedTuple):
    """A program of `benchmarks.peers`; `seconds` is how long it is watched at most."""

    title: str
    seconds: float
    module: tuple[str, ...]
    apart: bool = False  # has an interpreter of its own


PEERS = {
    "quix_river": Peer(
        "Quix Streams + river ADWIN", 12.0, ("benchmarks.peers.quix_river",), apart=True
    ),
    "bytewax_river": Peer(
        "Bytewax + river ADWIN", 12.0, ("bytewax.run", "benchmarks.peers.bytewax_river"), apart=True
    ),
    "faust_river": Peer(
        "Faust agent + river ADWIN",
        12.0,
        ("benchmarks.peers.faust_river", "worker", "--without-web", "--loglevel", "error"),
    ),
    "raw_consumer": Peer("raw confluent consumer", 30.0, ("benchmarks.peers.raw_consumer",)),
}


def peers_here() -> list[str]:
    """Peers that have an interpreter on this machine."""
    return [who for who, peer in PEERS.items() if not peer.apart or python_apart()]


def run_peer(who: str, setup: Setup, number: int) -> Round:
    """One peer over the topic, for a fixed time where it would not reach the end."""
    peer = PEERS[who]
    env = {
        "BROKER": setup.bootstrap,
        "TOPIC": setup.topic,
        "GROUP": f"{setup.name}-{who}-{number}",
    }
    python = (python_apart() if peer.apart else None) or sys.executable
    log = setup.directory / f"{who}-{number}.log"
    with (
        tempfile.TemporaryDirectory(dir=setup.directory) as scratch,
        Measured(
            [python, "-m", *peer.module],
            log,
            {
                **env,
                "FAUST_DATADIR": scratch,
                "Quix__State__Dir": scratch,
            },
        ) as process,
    ):
        started = time.monotonic()
        while not process.progress():
            process.check()
            if time.monotonic() > started + 60:
                raise RuntimeError(f"{who} made no progress within 60 s; see {log}")
            time.sleep(0.05)
        end = time.monotonic() + peer.seconds
        while time.monotonic() < end:
            process.check()
            time.sleep(0.1)
            if len({n for _, n in process.progress()[-3:]}) == 1 and len(process.progress()) > 3:
                break  # the end of the topic
        points = process.progress()
        process.stop()
    return rate([process], points, 0.2, 0.95)


def rate(
    processes: Sequence[Measured], points: Sequence[tuple[float, int]], low: float, high: float
) -> Round:
    """Rate and CPU of all processes between two shares of the progress; memory of the largest."""
    total = points[-1][1]
    first = next(point for point in points if point[1] >= low * total)
    last = next(point for point in points if point[1] >= high * total)
    events, seconds = last[1] - first[1], last[0] - first[0]
    cpu = sum(process.cpu_between(first[0], last[0]) for process in processes)
    return {
        "events_per_s": events / seconds,
        "cpu_s_per_million": cpu / events * 1e6,
        "cores": cpu / seconds,
        "peak_mb": max(process.peak_rss for process in processes) / 1e6,
        "seconds": seconds,
        "first_s": points[0][0] - processes[0].began,
    }
