"""The worker of one target: its position on the alerts topic, and the thread that delivers."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Final

from stream.notify.open_episodes import Change, OpenEpisodes
from stream.notify.sinks import Sink

__all__ = ["NEW", "TargetWorker"]

#: Before the name of a target that was not told yet what fired where it began.
NEW: Final = "new:"


class TargetWorker:
    """The position of one sink, and the thread that delivers to it.

    `begins` has an offset by partition: records before it were delivered by an earlier run, or are
    history that a target which `is_new` does not get.
    """

    def __init__(self, sink: Sink, begins: dict[int, int], *, is_new: bool) -> None:
        self.sink = sink
        self.is_new = is_new
        self.begins = begins
        self.positions = {} if is_new else dict(begins)
        self.before = OpenEpisodes()  # of one that is new: what fired where it begins
        self.failure: BaseException | None = None
        self._waiting: deque[tuple[int, int, int]] = deque()
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(
            target=self._run, name=f"notify-{sink.target.name}", daemon=True
        )

    def stored(self, partition: int) -> tuple[str, int]:
        """The key of its position in a commit's metadata, and the position."""
        name = self.sink.target.name
        if partition in self.positions:
            return name, self.positions[partition]
        return NEW + name, self.begins.get(partition, 0)

    def take(self, number: int, partition: int, offset: int, change: Change | None) -> None:
        """Offer the sink a record that was not delivered to it yet."""
        self.sink.offer(number, change)
        self.note(number, partition, offset + 1)

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
        """How many records before these ends are not delivered yet."""
        return sum(max(0, end - self.positions.get(p, 0)) for p, end in ends.items())

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def wake(self) -> None:
        """Look for work now."""
        self._wake.set()

    def stop(self) -> None:
        """End after the request that is under way."""
        self._stopped = True
        self._wake.set()

    def join(self, end: float) -> None:
        """Wait for that, until a monotonic time."""
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
