"""What a chaos run has to answer for: nothing lost, nothing invented.

Four accounts of the same events topic are compared: the alerts that the tormented workers
published, those of one worker that nobody disturbed, those of both stages in one process, and a
naive recount of all values. The summaries topic and the last snapshot have to agree with them.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from stream.contracts.alert_event import AlertEvent, decode_alert
from stream.contracts.summary_message import Progress, SummaryBatch, decode_message, encode_message
from stream.decode.record import FileRecord
from stream.plans.plan import Plan, PlanBook, Subject
from stream.replay import Replay
from stream.stage2.monitor import PartitionMonitor
from stream.stage2.snapshot import best_snapshot
from tests.chaos.traffic import LATENESS_MS, PANE_MS
from tests.chaos.wire import Topic
from tests.oracles.recount import OUTCOMES, Totals, recount

__all__ = ["Account", "Verdict", "judge", "published", "replayed"]


@dataclass
class Account:
    """Alert events without source offsets, by (episode, revision); ids that came again differ."""

    alerts: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    repeated: int = 0
    contradictions: list[str] = field(default_factory=list)

    def add(self, alert: AlertEvent) -> None:
        """Note an alert event; one that was noted already has to say the same."""
        if alert.data.labels.kind == "system":
            return  # speaks of how the pipeline ran: outside the laws
        plain = msgspec.to_builtins(alert)
        plain["data"].pop("offsets")
        key = alert.data.episode, alert.data.revision
        held = self.alerts.setdefault(key, plain)
        self.repeated += held is not plain
        if held != plain:
            self.contradictions.append(f"episode {key[0]} revision {key[1]} says two things")

    @property
    def episodes(self) -> set[str]:
        return {episode for episode, _ in self.alerts}


@dataclass
class Verdict:
    """What was found; the run is good if `complaints` is empty."""

    events: int = 0
    expected: int = 0
    got: int = 0
    lost: int = 0
    invented: int = 0
    alerts: int = 0
    repeated: int = 0
    scopes: int = 0
    said_again: int = 0
    late: int = 0
    system: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)

    def compare(self, name: str, expected: Account, got: Account) -> tuple[int, int]:
        """Complain of differences; how many episodes are lost and invented."""
        lost, new = expected.episodes - got.episodes, got.episodes - expected.episodes
        self.complaints += [f"{name}: episode {e} is lost" for e in sorted(lost)]
        self.complaints += [f"{name}: episode {e} is invented" for e in sorted(new)]
        self.complaints += [f"{name}: {words}" for words in got.contradictions]
        for key in sorted(expected.alerts.keys() | got.alerts.keys()):
            if key[0] in lost | new:
                continue
            one, other = expected.alerts.get(key), got.alerts.get(key)
            if one != other:
                what = "lost" if other is None else "new" if one is None else "another"
                self.complaints.append(f"{name}: revision {key[1]} of {key[0]} is {what}")
        return len(lost), len(new)


def published(topic: Topic) -> tuple[Account, Counter[str]]:
    """The alerts on a topic, and what was said of the pipeline itself."""
    account, system = Account(), Counter[str]()
    for record in topic.more():
        alert = decode_alert(record.value(), "alerts")
        account.add(alert)
        if alert.data.labels.kind == "system":
            system[alert.data.signals[0].test] += 1
    return account, system


def replayed(plans: Sequence[Plan], logs: Mapping[int, list[FileRecord]]) -> Account:
    """What both stages decide in one process."""
    account = Account()
    for alert in Replay(_book(plans), plans[0].topic).run(_merged(logs), at_end=False):
        account.add(alert)
    return account


def _merged(logs: Mapping[int, list[FileRecord]]) -> Iterator[FileRecord]:
    """The partitions in the order in which their records came in."""
    records = heapq.merge(*logs.values(), key=lambda record: record.timestamp)
    return (FileRecord(i, r.timestamp, r.value) for i, r in enumerate(records))


def _book(plans: Sequence[Plan]) -> PlanBook:
    book = PlanBook()
    for plan in plans:
        book.add(plan)
    return book


def judge(
    verdict: Verdict,
    plans: Sequence[Plan],
    logs: Mapping[int, list[FileRecord]],
    summaries: Iterable[Any],
    state: Mapping[int, list[tuple[bytes, bytes | None]]],
) -> None:
    """Compare the summaries topic and the snapshots with a recount of the events topic."""
    book = _book(plans)
    monitors = {p: PartitionMonitor(book) for p in state}
    snapshots = {p: best_snapshot(p, records) for p, records in state.items()}
    seen = set()
    log = [(r.partition(), r.offset(), r.value(), r.timestamp()[1]) for r in summaries]
    verdict.said_again = _said_again(log)
    for partition, *record in log:
        monitor, found = monitors[partition], snapshots[partition]
        monitor.apply(*record)
        if found is not None and monitor.fence == found[0].fence:
            seen.add(partition)
            _compare_states(verdict, partition, monitor, *found)
    for partition in sorted(monitors.keys() - seen):
        verdict.complaints.append(f"summaries[{partition}] has no snapshot to compare")
    for monitor in monitors.values():
        verdict.refused.update(monitor.refused)
        if monitor.sources.declared_loss:
            verdict.complaints.append(f"declared loss: {monitor.sources.declared_loss} chunks")
        verdict.late += sum(held.late_total for held in monitor.subjects.values())
    for reason in ("shrunk", "overlap", "plan", "undecodable"):
        if verdict.refused.get(reason):
            verdict.complaints.append(f"{verdict.refused[reason]} summaries refused: {reason}")
    subjects = {s for monitor in monitors.values() for s in monitor.subjects}
    counted = {s: _windows(book, s, log) for s in subjects}
    totals = {(s, segment): n for s in subjects for segment, n in counted[s].items()}
    _compare_totals(verdict, plans, logs, totals)


def _said_again(log: Iterable[tuple[int, int, Any, int]]) -> int:
    """Progress that was no news: of a chunk that was read again, or of a zombie."""
    newest: dict[tuple[int, int], tuple[int, int]] = {}
    stale = 0
    for partition, _, value, _ in log:
        message = decode_message(value)
        if isinstance(message, Progress):
            place, at = (partition, message.source.partition), (message.chunk, message.through)
            stale += at <= newest.get(place, (-1, -1))
            newest[place] = max(at, newest.get(place, (-1, -1)))
    return stale


def _windows(
    book: PlanBook, subject: Subject, log: Iterable[tuple[int, Any]]
) -> dict[str, np.ndarray]:
    """All windows of one subject added up, those that closed and those that fill.

    Without the samples of ids: panes are then not divided by how often events came, and every
    record of the topic has to be in the counts, copies too. What is divided is compared by the
    alerts and the snapshots.
    """
    totals: dict[str, np.ndarray] = {}

    def on_window(plan: Plan, window: Any, result: Any) -> None:
        _add(totals, window.segment, window.counts)

    mine = {}
    for partition, offset, value, timestamp in log:
        message = decode_message(value)
        monitor = mine.setdefault(partition, PartitionMonitor(book, on_window=on_window))
        if isinstance(message, SummaryBatch):
            if subject != (message.model, message.version):
                continue
            entries = [msgspec.structs.replace(entry, ids=b"") for entry in message.entries]
            value = encode_message(msgspec.structs.replace(message, entries=entries))
        monitor.apply(offset, value, timestamp)
    for monitor in mine.values():
        monitor.seal_all()
        for held in monitor.subjects.values():
            for segment, window in held.detection.windows.filling.items():
                _add(totals, segment, window.counts)
    return totals


def _add(into: dict[Any, np.ndarray], key: Any, counts: np.ndarray) -> None:
    into[key] = into[key] + counts if key in into else counts.copy()


def _compare_states(
    verdict: Verdict, partition: int, monitor: PartitionMonitor, manifest: Any, payloads: Any
) -> None:
    """A snapshot is a function of the log before its fence."""
    restored = PartitionMonitor(monitor.plans)
    restored.restore(manifest, payloads)
    for subject in sorted(monitor.subjects.keys() | restored.subjects.keys()):
        one, other = monitor.subjects.get(subject), restored.subjects.get(subject)
        if one is None or other is None or one.dump() != other.dump():
            verdict.complaints.append(
                f"snapshot of summaries[{partition}]: {subject} is not what its log says"
            )


def _punctual(log: Iterable[FileRecord], late: list[bytes]) -> Iterator[bytes]:
    """Values whose pane was not over when they came into their partition; the others are `late`.

    None is, unless the broker put a producer's batches out of order.
    """
    newest = 0
    for record in log:
        try:
            at = msgspec.json.decode(record.value)["timestamp"]
        except msgspec.DecodeError:
            continue
        newest = max(newest, at)
        if at - at % PANE_MS + PANE_MS <= newest - LATENESS_MS:
            late.append(record.value)
        else:
            yield record.value


def _compare_totals(
    verdict: Verdict,
    plans: Sequence[Plan],
    logs: Mapping[int, list[FileRecord]],
    got: Mapping[tuple[Subject, str], np.ndarray],
) -> None:
    bins = {
        plan.model: {
            s.name: list(s.binning.categories)
            if s.kind == "categorical"
            else s.binning.edges.tolist()
            for s in plan.monitored
        }
        for plan in plans
    }
    # The last event of each partition closed what was before; its own pane is not complete.
    late: list[bytes] = []
    punctual = (value for log in logs.values() for value in _punctual(log[:-1], late))
    truth: Totals = recount(punctual, bins)
    if len(late) != verdict.late:
        verdict.complaints.append(f"{verdict.late} events were late, {len(late)} are in the topic")
    layouts = {plan.model: plan.layout for plan in plans}
    for (model, version, segment), signals in sorted(truth.items()):
        counts = got.get((Subject(model, version), segment))
        layout = layouts[model]
        flat = signals[""] + [n for name in layout.names for n in signals[name]]
        flat += signals.get(OUTCOMES, [])
        verdict.scopes += 1
        if counts is None or counts.tolist() != flat:
            verdict.complaints.append(
                f"{model}/{version} {segment or 'all'}: counted "
                f"{0 if counts is None else counts[0]} events, there are {flat[0]}"
            )
    if extra := set(got) - {(Subject(m, v), s) for m, v, s in truth}:
        verdict.complaints.append(f"counts of scopes that are not in the topic: {sorted(extra)}")
