"""One run: publish, torment, wait for the end, compare, and say so in a table."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import detectors
from stream.contracts.summary_message import Progress, decode_message
from stream.decode.record import FileRecord
from stream.stage1 import quorum
from stream.stage2.snapshot import Manifest
from tests.chaos.cluster import EVENTS, LEAVE_S, Cluster
from tests.chaos.traffic import Traffic
from tests.chaos.verdict import Account, Verdict, judge, published, replayed
from tests.chaos.wire import Publisher, Topic

__all__ = ["Outcome", "run", "table"]

_PARTITIONS: Final = 4
_CALM: Final = "calm."
#: What librdkafka calls the time that a producer gave; Kafka calls it 0.
_CREATE_TIME: Final = 1
_DRAIN_S: Final = 1_800.0


class Tormentor(Protocol):
    """Makes faults while events are published."""

    def run(self) -> None:
        """Publish all events and leave workers running."""

    def complaints(self) -> list[str]:
        """What was wrong on the way."""


@dataclass
class Outcome:
    """What one seed did and gave."""

    seed: int
    rows: dict[str, object] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)


def run(
    seed: int,
    n_events: int,
    torment: Callable[[Cluster, Publisher], Tormentor],
    *,
    real: bool,
    brokers: int = 1,
    calm: bool = True,
    say: Callable[[str], None],
    keep: bool = False,
) -> Outcome:
    """Torment a cluster while events flow, and compare what it said with what there was to say.

    `brokers` is how many Kafka has. Without `calm` the uninterrupted worker is left out: replay
    decides the same. A run with complaints leaves its directory with all logs, and names it.
    """
    directory = Path(tempfile.mkdtemp(prefix="driftstream-chaos-"))
    quorum.warm_up()
    detectors.warm_up()  # compiled once, here, and not by every worker that starts
    began = time.monotonic()
    traffic = Traffic(seed, n_events, _PARTITIONS, EVENTS, real=real)
    cluster = Cluster(directory, traffic.plans, _PARTITIONS, brokers=brokers)
    outcome = Outcome(seed)
    try:
        servers = cluster.broker.bootstrap
        publisher = Publisher(servers, EVENTS, _all(traffic))
        tormentor = torment(cluster, publisher)
        tormentor.run()
        publisher.allow(1)  # the closing events
        publisher.wait()
        verdict = Verdict()
        logs = _logs(servers)
        verdict.events = sum(map(len, logs.values()))
        ends = {p: log[-1].offset for p, log in logs.items()}
        say("all is published; waiting until it is summarised and judged")
        _drain(cluster, servers, "", ends)
        while cluster.workers:
            cluster.terminate(cluster.workers[0])
        tormented_s = time.monotonic() - began
        got, verdict.system = published(_topic(servers, "alerts"))
        say("both stages in one process, and a recount")
        truth = replayed(traffic.plans, logs)
        verdict.lost, verdict.invented = verdict.compare("alerts", truth, got)
        if calm:
            say("one worker that nobody disturbs")
            single = _uninterrupted(cluster, ends)
            verdict.compare("the uninterrupted worker against replay", truth, single)
        state: dict[int, list[tuple[bytes, bytes | None]]] = {}
        for record in _topic(servers, "state").more():
            state.setdefault(record.partition(), []).append((record.key(), record.value()))
        judge(verdict, traffic.plans, logs, _topic(servers, "summaries").more(), state)
        verdict.expected, verdict.got = len(truth.episodes), len(got.episodes)
        verdict.alerts, verdict.repeated = len(truth.alerts), got.repeated
        _complain(verdict, cluster)
        verdict.complaints += tormentor.complaints()
        outcome.complaints = verdict.complaints
        outcome.rows = _rows(verdict, cluster, tormented_s, time.monotonic() - began)
    except BaseException:
        keep = True
        raise
    finally:
        cluster.close()
        if keep or outcome.complaints:
            say(f"logs and data: {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    return outcome


def _all(traffic: Traffic) -> Any:
    yield from traffic.slices()
    yield traffic.closing()


def _topic(servers: str, name: str) -> Topic:
    return Topic(servers, name)


def _logs(servers: str) -> dict[int, list[FileRecord]]:
    """The events topic as it is: what was sent twice is there twice."""
    logs: dict[int, list[FileRecord]] = {p: [] for p in range(_PARTITIONS)}
    for record in _topic(servers, EVENTS).more():
        kind, at = record.timestamp()
        logs[record.partition()].append(
            FileRecord(record.offset(), at, record.value(), timestamp_type=kind - _CREATE_TIME)
        )
    return logs


def _uninterrupted(cluster: Cluster, ends: Mapping[int, int]) -> Account:
    """What one worker says of the same events, with topics and a group of its own."""
    servers = cluster.broker.bootstrap
    cluster.make_topics(_CALM)
    worker = cluster.start(_CALM)
    cluster.workers.append(worker)
    _drain(cluster, servers, _CALM, ends)
    cluster.terminate(worker)
    account, _ = published(_topic(servers, _CALM + "alerts"))
    return account


def _drain(cluster: Cluster, servers: str, prefix: str, ends: Mapping[int, int]) -> None:
    """Wait until every event is summarised and a snapshot holds all summaries."""
    summaries, through = _topic(servers, prefix + "summaries"), dict.fromkeys(ends, -1)

    def summarised() -> bool:
        for record in summaries.more():
            message = decode_message(record.value())
            if isinstance(message, Progress):
                partition = message.source.partition
                through[partition] = max(through[partition], message.through)
        return all(through[p] >= end for p, end in ends.items())

    cluster.wait_for(summarised, "events are not summarised", _DRAIN_S)
    state, fences = _topic(servers, prefix + "state"), {}
    want = {p: summaries.end(p) for p in range(cluster.summaries_partitions)}

    def snapshotted() -> bool:
        for record in state.more():
            if record.value() is not None and record.key().startswith(b"manifest|"):
                fence = Manifest.decode(record.value()).fence
                fences[record.partition()] = max(fence, fences.get(record.partition(), -1))
        return all(fences.get(p, -1) >= end for p, end in want.items())

    cluster.wait_for(snapshotted, "summaries are not in a snapshot", _DRAIN_S)
    summaries.close()
    state.close()


def _complain(verdict: Verdict, cluster: Cluster) -> None:
    """What a worker did that it must not do, whatever came of it."""
    verdict.complaints += [f"ended by itself: {words}" for words in cluster.died]
    slow = [f"{s:.1f} s" for s in cluster.leaving_s if s > LEAVE_S]
    verdict.complaints += [f"SIGTERM took {s}" for s in slow]
    if not verdict.expected:
        verdict.complaints.append("no episode at all: nothing was compared")
    verdict.complaints += [f"{n} system alerts: {t}" for t, n in verdict.system.items()]


def _rows(
    verdict: Verdict, cluster: Cluster, tormented_s: float, whole_s: float
) -> dict[str, object]:
    done = cluster.done
    return {
        "brokers": cluster.brokers,
        "workers killed (-9)": done["kill"] + 2 * done["kill all"] + done["backlog"],
        "workers told to stop": len(cluster.leaving_s),
        "slowest to leave, s": round(max(cluster.leaving_s), 1),
        "workers started": len(cluster.started),
        "zombies woken": done["zombie"],
        "rebalances, at least": cluster.assignments(),
        "broker restarts": done["broker stop"] + done["broker kill"] + done["broker away"],
        "leaders killed (-9)": done["leader kill"],
        "leaders frozen": done["leader freeze"],
        "rolling restarts": done["rolling restart"],
        "partitions moved": done["reassign"],
        "backlogs": done["backlog"],
        "events on the topic": verdict.events,
        "late events": verdict.late,
        "scopes recounted": verdict.scopes,
        "progress said again": verdict.said_again,
        "summaries refused": ", ".join(f"{n} {r}" for r, n in sorted(verdict.refused.items())),
        "alert events": verdict.alerts,
        "alert events sent again": verdict.repeated,
        "episodes expected": verdict.expected,
        "episodes got": verdict.got,
        "lost": verdict.lost,
        "invented": verdict.invented,
        "other complaints": len(verdict.complaints) - verdict.lost - verdict.invented,
        "minutes of torment": round(tormented_s / 60, 1),
        "minutes in all": round(whole_s / 60, 1),
    }


def table(outcomes: Sequence[Outcome]) -> str:
    """A column for each seed, and the complaints below."""
    lines = [["", *(f"seed {o.seed}" for o in outcomes)]]
    for name in outcomes[0].rows:
        lines.append([name, *(_cell(o.rows.get(name, "")) for o in outcomes)])
    widths = [max(map(len, column)) for column in zip(*lines)]
    text = [
        "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:]))])
        for line in lines
    ]
    for outcome in outcomes:
        text += [f"seed {outcome.seed}: {words}" for words in outcome.complaints[:20]]
    return "\n".join(text)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
