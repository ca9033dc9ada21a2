"""Dispatches the records of the alerts topic to every target, and knows each target's position.

At start the topic is read from its beginning: what was delivered to a target before restores its
state, the rest is delivered. A new target gets the open episodes, not the topic's history. Targets
do not wait for each other. The committed offset is that of the slowest, and the commit's metadata
hold the position of each, so that a restart delivers nothing twice. Of a target that has not got
the open episodes yet, the metadata hold where it began (`NEW` before its name), so that it misses
nothing from there on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from stream.alerts.silences import Silence
from stream.contracts.acks import Ack, decode_alert_or_ack
from stream.contracts.alert_event import AlertError
from stream.notify.delivery_stats import TargetStats
from stream.notify.open_episodes import Change, OpenEpisodes
from stream.notify.suppression import Suppression
from stream.notify.target_worker import NEW, TargetWorker
from stream.notify.targets import Target

__all__ = ["Commit", "Dispatcher"]

log = logging.getLogger(__name__)
#: Kafka forgets positions that are not committed again for a week, its default.
_COMMIT_AGAIN_S: Final = 3_600.0
#: At the end, seconds to wait for answers; then the connections are closed.
_LAST_ANSWERS_S: Final = 3.0
#: Before the name of a target and a slash: what it keeps, after which its own key follows.
_KEPT: Final = "kept:"
#: Of a commit's metadata: brokers refuse more than 4,096, their default.
_MAX_METADATA: Final = 3_500
_HANG_UP_S: Final = 1.0


class Commit(NamedTuple):
    """A committed offset, the least of the targets' positions, and each position as metadata."""

    offset: int
    metadata: str


class Dispatcher:
    """Takes alert events, and has a worker for each target deliver them.

    Parameters
    ----------
    targets : sequence of Target
    committed : mapping
        Partition -> what was committed; partitions without are left out.
    ends : mapping
        Partition -> the end of its log now: where a target that is new begins.
    clock : callable
        Seconds since the epoch.
    silences : sequence of Silence
        Of the config.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        committed: Mapping[int, Commit],
        ends: Mapping[int, int],
        clock: Callable[[], float] = time.time,
        silences: Sequence[Silence] = (),
    ) -> None:
        self.open = OpenEpisodes()
        self._clock = clock
        self._suppression = Suppression(silences)
        self._number = 0
        self._last: dict[int, Commit] = {}
        self._ends = dict(ends)
        self._known_ends = dict(ends)
        self._committed_s = clock()
        self._early: list[tuple[TargetWorker, int, int, Change | None]] = []  # until `start`
        self._started = False
        self._forgetful = False
        self._workers = []
        for target in targets:
            had = _stored(target.name, committed, ends)
            began = _stored(NEW + target.name, committed, ends) if had is None else had
            begins = dict(ends) if began is None else began
            sink = target.make_sink(clock, self._suppression)
            sink.recall(_kept(target.name, committed))
            self._workers.append(TargetWorker(sink, begins, is_new=had is None))

    def feed(
        self, partition: int, offset: int, value: bytes | None, at_ms: int | None = None
    ) -> None:
        """Take the next record of the topic, published at that time (now if it is not given)."""
        change = None
        try:
            event = decode_alert_or_ack(value or b"", f"alerts[{partition}]@{offset}")
        except AlertError as error:
            log.warning("ignored: %s", error)
        else:
            if isinstance(event, Ack):
                self._suppression.note(event)
                for worker in self._workers:
                    worker.sink.recheck()
            else:
                change = self.open.apply(event)
        self._number += 1
        for worker in self._workers:
            if offset >= worker.begins.get(partition, 0):
                if worker.is_new and not self._started:
                    self._early.append((worker, partition, offset, change))  # after what fires
                    continue
                worker.take(self._number, partition, offset, change)
                worker.wake()
            elif change is not None:
                worker.sink.restore(change, int(self._clock() * 1000) if at_ms is None else at_ms)
                if worker.is_new:
                    worker.before.apply(change.event)

    @property
    def started(self) -> bool:
        """Whether the topic was read to its end, and deliveries go on."""
        return self._started

    @property
    def failure(self) -> BaseException | None:
        """The exception that ended the thread of a target, if one did."""
        return next((c.failure for c in self._workers if c.failure is not None), None)

    def end_at(self, partition: int, end: int) -> None:
        """Note where a partition of the topic ends now."""
        self._known_ends[partition] = max(end, self._known_ends.get(partition, 0))

    def targets(self) -> list[TargetStats]:
        """The delivery statistics of each target."""
        return [
            TargetStats(
                worker.sink.target.name,
                worker.sink.stats,
                worker.behind(dict(self._known_ends)),
                worker.sink.failing,
                worker.sink.stalled,
            )
            for worker in self._workers
        ]

    def start(self) -> None:
        """Begin to deliver; the topic has been fed up to its end."""
        self._started = True
        for worker in self._workers:
            if worker.is_new:
                for fires in worker.before.changes:
                    self._number += 1
                    worker.sink.offer(self._number, fires)
                self._number += 1
                worker.sink.offer(self._number, None)
                for partition, begin in worker.begins.items():
                    worker.note(self._number, partition, begin)
        for worker, partition, offset, change in self._early:
            self._number += 1
            worker.take(self._number, partition, offset, change)
        self._early.clear()
        for worker in self._workers:
            worker.start()

    def commits(self) -> dict[int, Commit]:
        """What is to be committed, by partition: what is new, and all once an hour.

        Raises
        ------
        Exception
            What ended the thread of a target: a bug, for failed deliveries are tried again.
        """
        for worker in self._workers:
            if worker.failure is not None:
                raise worker.failure
            worker.advance()
        now = self._clock()
        keeper = min(self._ends, default=0)  # the partition whose commits hold what is kept
        if now - self._committed_s >= _COMMIT_AGAIN_S:
            self._last.clear()
        found = {}
        for partition in self._ends:
            at = dict(worker.stored(partition) for worker in self._workers)
            kept = self._all_kept(len(msgspec.json.encode(at))) if partition == keeper else {}
            commit = Commit(min(at.values()), msgspec.json.encode(at | kept).decode())
            if self._last.get(partition) != commit:
                self._last[partition] = found[partition] = commit
                self._committed_s = now
        return found

    def _all_kept(self, used: int) -> dict[str, int]:
        """What the sinks keep, as far as there is room: the newest of each."""
        room = (_MAX_METADATA - used) // max(1, len(self._workers))
        found: dict[str, int] = {}
        for worker in self._workers:
            left = room
            for key, value in reversed(worker.sink.kept.items()):
                name = f"{_KEPT}{worker.sink.target.name}/{key}"
                left -= len(msgspec.json.encode({name: value}))
                if left < 0:
                    if not self._forgetful:
                        log.warning("notify: more threads are open than a restart can remember")
                    self._forgetful = True
                    break
                found[name] = value
        return found

    def retract(self, commits: Mapping[int, Commit]) -> None:
        """Give these commits again: they were not taken."""
        for partition in commits:
            del self._last[partition]

    def stop(self) -> None:
        """End the deliveries within seconds; what was not delivered is after the next start."""
        for worker in self._workers:
            worker.stop()
        end = time.monotonic() + _LAST_ANSWERS_S
        for worker in self._workers:
            worker.join(end)
        for worker in self._workers:
            worker.sink.client.cancel()
        end = time.monotonic() + _HANG_UP_S
        for worker in self._workers:
            worker.join(end)


def _kept(name: str, committed: Mapping[int, Commit]) -> dict[str, int]:
    """What an earlier run kept for a target, the oldest first."""
    prefix = f"{_KEPT}{name}/"
    found = {
        key.removeprefix(prefix): value
        for commit in committed.values()
        for key, value in _stored_at(commit).items()
        if key.startswith(prefix)
    }
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _stored_at(commit: Commit) -> dict[str, int]:
    """The metadata of a commit; empty for what is not ours."""
    try:
        return msgspec.json.decode(commit.metadata, type=dict[str, int])
    except msgspec.MsgspecError:
        return {}


def _stored(
    name: str, committed: Mapping[int, Commit], ends: Mapping[int, int]
) -> dict[int, int] | None:
    """Positions that commits hold under a name, or None if there are none."""
    found: dict[int, int] = {}
    for partition, commit in committed.items():
        if commit.offset > ends.get(partition, 0):
            log.warning("alerts[%d] was made again: everything on it is new", partition)
            found[partition] = 0
            continue
        at = _stored_at(commit)
        if name in at:
            found[partition] = at[name]
    return found or None
