"""Records of the alerts topic to every target, and how far each target has them.

At start the topic is read from its beginning: what a target had before is state, what it had not is
delivered. A target that is new is told what fires, not the topic's history. Targets do not wait for
each other; what is committed is what the slowest has, and the commit's metadata say how far the
others are, so that a restart sends them nothing twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from stream.alerts.acks import Ack, decode_alert_or_ack
from stream.alerts.event import AlertError
from stream.notify.alertmanager import AlertmanagerSink
from stream.notify.open_episodes import OpenEpisodes
from stream.notify.quiet import Quiet, Silence
from stream.notify.sinks import QueueSink, Sink
from stream.notify.tally import TargetState
from stream.notify.targets import Target

__all__ = ["Bridge", "Commit"]

log = logging.getLogger(__name__)
#: At the end, for all answers that are still waited for; then they are hung up on.
_LAST_ANSWERS_S: Final = 3.0
_HANG_UP_S: Final = 1.0


class Commit(NamedTuple):
    """A committed position: the next offset to read, and each target's own."""

    offset: int
    metadata: str


class _Course:
    """How far one sink is, and the thread that serves it."""

    def __init__(self, sink: Sink, had: dict[int, int] | None) -> None:
        self.sink = sink
        self.is_new = had is None
        self.had = had or {}  # by partition: records before were delivered before this process
        self.positions = dict(self.had)
        self.failure: BaseException | None = None
        self._waiting: deque[tuple[int, int, int]] = deque()
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(
            target=self._run, name=f"notify-{sink.target.name}", daemon=True
        )

    def note(self, number: int, partition: int, next_offset: int) -> None:
        """When the sink is done with `number`, its position is `next_offset`."""
        self._waiting.append((number, partition, next_offset))

    def advance(self) -> None:
        """Bring the positions up to date."""
        done = self.sink.done
        while self._waiting and self._waiting[0][0] <= done:
            _, partition, offset = self._waiting.popleft()
            self.positions[partition] = max(offset, self.positions.get(partition, 0))

    def behind(self, ends: Mapping[int, int]) -> int:
        """Records before these ends that the target has not had."""
        return sum(max(0, end - self.positions.get(p, 0)) for p, end in ends.items())

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        self._stopped = True
        self._wake.set()

    def join(self, end: float) -> None:
        if self._thread.ident is not None:
            self._thread.join(max(0.0, end - time.monotonic()))

    def _run(self) -> None:
        try:
            while not self._stopped:
                self._wake.clear()
                delay_s = self.sink.step()
                if delay_s > 0:
                    self._wake.wait(delay_s)
        except Exception as error:
            self.failure = error


class Bridge:
    """Alert events in, deliveries out.

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
        self._quiet = Quiet(silences)
        self._number = 0
        self._last: dict[int, Commit] = {}
        self._ends = dict(ends)
        self._known_ends = dict(ends)
        self._early: set[str] = set()  # ids of events beyond the ends that came before `start`
        self._started = False
        self._courses = [
            _Course(_make_sink(target, clock, self._quiet), _had(target.name, committed, ends))
            for target in targets
        ]

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
                self._quiet.note(event)
                for course in self._courses:
                    course.sink.renew()
            else:
                change = self.open.apply(event)
        self._number += 1
        if change is not None and not self._started and offset >= self._ends.get(partition, 0):
            self._early.add(change.event.id)
        for course in self._courses:
            begin = self._ends.get(partition, 0) if course.is_new else course.had.get(partition, 0)
            if offset < begin:
                if change is not None:
                    course.sink.restore(
                        change, int(self._clock() * 1000) if at_ms is None else at_ms
                    )
            else:
                course.sink.offer(self._number, change)
                course.note(self._number, partition, offset + 1)
                course.wake()

    @property
    def started(self) -> bool:
        """Whether the topic was read to its end, and deliveries go on."""
        return self._started

    @property
    def failure(self) -> BaseException | None:
        """What ended the thread of a target."""
        return next((c.failure for c in self._courses if c.failure is not None), None)

    def end_at(self, partition: int, end: int) -> None:
        """Note where a partition of the topic ends now."""
        self._known_ends[partition] = max(end, self._known_ends.get(partition, 0))

    def targets(self) -> list[TargetState]:
        """How each target is served."""
        return [
            TargetState(
                course.sink.target.name,
                course.sink.tally,
                course.behind(dict(self._known_ends)),
                course.sink.failing,
                course.sink.stalled,
            )
            for course in self._courses
        ]

    def start(self) -> None:
        """Begin to deliver; the topic has been fed up to its end."""
        self._started = True
        for course in self._courses:
            if course.is_new:
                for change in self.open.changes:
                    if change.event.id in self._early:
                        continue
                    self._number += 1
                    course.sink.offer(self._number, change)
                self._number += 1
                course.sink.offer(self._number, None)
                for partition, end in self._ends.items():
                    course.note(self._number, partition, end)
            course.start()

    def commits(self) -> dict[int, Commit]:
        """What may be committed and was not yet, by partition.

        Raises
        ------
        Exception
            What ended the thread of a target: a bug, for failed deliveries are tried again.
        """
        for course in self._courses:
            if course.failure is not None:
                raise course.failure
            course.advance()
        found = {}
        for partition in self._ends:
            at = {
                course.sink.target.name: course.positions[partition]
                for course in self._courses
                if partition in course.positions
            }
            if len(at) < len(self._courses):
                continue  # a target has not been told yet what fires
            commit = Commit(min(at.values()), msgspec.json.encode(at).decode())
            if self._last.get(partition) != commit:
                self._last[partition] = found[partition] = commit
        return found

    def retract(self, commits: Mapping[int, Commit]) -> None:
        """Give these commits again: they were not taken."""
        for partition in commits:
            del self._last[partition]

    def stop(self) -> None:
        """End the deliveries within seconds; what was not delivered is after the next start."""
        for course in self._courses:
            course.stop()
        end = time.monotonic() + _LAST_ANSWERS_S
        for course in self._courses:
            course.join(end)
        for course in self._courses:
            course.sink.client.cancel()
        end = time.monotonic() + _HANG_UP_S
        for course in self._courses:
            course.join(end)


def _make_sink(target: Target, clock: Callable[[], float], quiet: Quiet) -> Sink:
    kind = AlertmanagerSink if target.kind == "alertmanager" else QueueSink
    return kind(target, clock, quiet=quiet)


def _had(
    name: str, committed: Mapping[int, Commit], ends: Mapping[int, int]
) -> dict[int, int] | None:
    """Positions of one target, or None if it has none."""
    had: dict[int, int] = {}
    for partition, commit in committed.items():
        if commit.offset > ends.get(partition, 0):
            log.warning("alerts[%d] was made again: everything on it is new", partition)
            had[partition] = 0
            continue
        try:
            at = msgspec.json.decode(commit.metadata, type=dict[str, int])
        except msgspec.MsgspecError:
            at = {}
        if name in at:
            had[partition] = at[name]
    return had or None
