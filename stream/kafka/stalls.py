"""Places in a log of which a broker gives nothing, and where what can be read begins again.

A broker finds an offset by walking over the lengths that batches have in front of them. Those, and
the offsets beside them, are in no checksum. Where one is damaged the broker answers with an error,
which clients log and ask again for ever, or with nothing, as at the log's end: reading stands still
there without a word. So a partition that stays behind its end is asked for by itself.
"""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from aiokafka.consumer import fetcher as internals
from aiokafka.errors import CorruptRecordException, KafkaError, UnknownError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record import MemoryRecords

from stream.contracts.unread import Unread

__all__ = [
    "STALL_S",
    "UnknownNowError",
    "next_sound",
    "refused_fetches",
    "speak_seldom",
    "stalled",
    "unread_at",
]

#: How long nothing comes of a partition before it is asked for by itself.
STALL_S: Final = 3.0
_LOOK_S: Final = 1.0
_ANSWER_S: Final = 3.0
_SAID_S: Final = 60.0
#: At most so much is asked for at once; a broker sends one whole batch in any case.
_BYTES: Final = 2**20
#: What a broker says of a place where it cannot walk on; anything else passes.
_BROKEN: Final = (CorruptRecordException, UnknownError)
_TRUNCATED: Final = "the broker sends a part of a batch: the length in front of it is damaged"
_HEADER: Final = 12


class UnknownNowError(RuntimeError):
    """The broker does not answer now."""


class _Answer(NamedTuple):
    """What a broker gives at an offset."""

    raw: bytes
    error: str = ""


async def stalled(fetcher: Any) -> dict[Any, list[Any]]:
    """An `Unread` for each partition that stands still; the position is behind it."""
    watch = _WATCHES.get(fetcher)
    if watch is None:
        watch = _WATCHES[fetcher] = _Watch()
    return await watch.look(fetcher)


def refused_fetches(fetcher: Any) -> dict[Any, list[Any]]:
    """What aiokafka would raise of one partition for all, taken out and stood for."""
    found: dict[Any, list[Any]] = {}
    for tp, fetched in list(fetcher._records.items()):
        error = getattr(fetched, "_error", None)
        if isinstance(error, internals.RecordTooLargeError):
            del fetcher._records[tp]
            offset = error.args[2]  # aiokafka's position is one further
            found[tp] = [Unread(offset, offset, -1, "corrupt", _TRUNCATED)]
    return found


class _Seldom(logging.Filter):
    """Lets aiokafka say once a minute what it says a thousand times a second."""

    _until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is logged."""
        if not str(record.msg).startswith("Unexpected error while fetching"):
            return True
        passes = record.created >= self._until
        if passes:
            self._until = record.created + _SAID_S
        return passes


_SELDOM: Final = _Seldom()


def speak_seldom() -> None:
    """Keep aiokafka from filling the log while a broker answers with an error."""
    internals.log.addFilter(_SELDOM)


class _Watch:
    """Since when each partition of a fetcher has stood where it is."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = 0.0
        self._since: dict[Any, tuple[int, float]] = {}

    async def look(self, fetcher: Any) -> dict[Any, list[Any]]:
        now = self._clock()
        subscription = fetcher._subscriptions.subscription
        if now < self._next or subscription is None or subscription.assignment is None:
            return {}
        self._next = now + _LOOK_S
        assignment = subscription.assignment
        self._since = {tp: since for tp, since in self._since.items() if tp in assignment.tps}
        found: dict[Any, list[Any]] = {}
        for tp in assignment.tps:
            state = assignment.state_value(tp)
            if tp in fetcher._records or state.paused or not state.has_valid_position:
                self._since.pop(tp, None)
            elif self._is_behind(tp, state, now):
                try:
                    unread = await unread_at(fetcher, tp, at := state.position)
                except UnknownNowError:
                    break
                if unread and assignment.active and state.position == at:
                    fetcher.seek_to(tp, unread.last + 1)
                    found[tp] = [unread]
        return found

    def _is_behind(self, tp: Any, state: Any, now: float) -> bool:
        """Whether nothing has come for long, though the partition is not known to be at its end."""
        at, since = self._since.get(tp, (-1, now))
        if at != state.position:
            self._since[tp] = (state.position, now)
            return False
        if now - since < STALL_S:
            return False
        self._since[tp] = (at, now)
        heard = state.timestamp is not None and time.time() * 1000 - state.timestamp < STALL_S * 1e3
        end = state.highwater if state.lso is None or state.lso < 0 else state.lso
        return not heard or end is None or at < end


_WATCHES: weakref.WeakKeyDictionary[Any, _Watch] = weakref.WeakKeyDictionary()


async def unread_at(fetcher: Any, tp: Any, offset: int) -> Unread | None:
    """What stands for the records at an offset if a broker does not give them.

    Raises
    ------
    UnknownNowError
        If the broker does not answer.
    """
    answer, end = await _ask(fetcher, tp, offset), await _end(fetcher, tp)
    if answer.error:
        words = f"the broker answers {answer.error}: the length in front of a batch is damaged"
    elif answer.raw:
        if MemoryRecords(answer.raw).has_next():
            return None
        words = _TRUNCATED
    elif offset >= end:
        return None
    else:
        words = f"the broker gives nothing here, though the log ends at {end}"
    last = await next_sound(fetcher, tp, offset) - 1
    return Unread(offset, last, -1, "corrupt", words)


async def next_sound(fetcher: Any, tp: Any, offset: int) -> int:
    """Where, behind a batch that cannot be trusted, the next one begins; the log's end if nowhere.

    If the next batch follows in its place and can be asked for, that says it. Otherwise offsets
    further and further away are asked for, and then those between the last that was not given and
    the first that was: a broker has an index of some places, and finds what is behind the next one.
    Its entries name the ends of batches, so sound records in front of one may be out of reach.

    Raises
    ------
    UnknownNowError
        If the broker does not answer.
    """
    end = await _end(fetcher, tp)
    raw = (await _ask(fetcher, tp, offset)).raw
    size = _HEADER + int.from_bytes(raw[8:_HEADER], "big", signed=True)
    if size > _HEADER and (following := _sound(raw[size:], offset + 1, end)):
        again = (await _ask(fetcher, tp, following)).raw
        if _sound(again, following, end) == following:
            return following
    below, step, found = offset, 1, 0
    while not found and below + step < end:
        found = _sound((await _ask(fetcher, tp, below + step)).raw, below + step, end)
        if not found:
            below, step = below + step, 2 * step
    above = below + step if found else end
    found = found or end
    while above - below > 1:
        middle = (below + above) // 2
        if sound := _sound((await _ask(fetcher, tp, middle)).raw, middle, end):
            above, found = middle, sound
        else:
            below = middle
    return found


def _sound(raw: bytes, offset: int, end: int) -> int:
    """The first offset of the batch that bytes begin with; 0 if it is not whole or not `offset`'s.

    Its checksum is right and it ends behind `offset`.
    """
    try:
        batch = MemoryRecords(raw).next_batch()
        if batch is None or not batch.validate_crc() or not offset < batch.next_offset <= end:
            return 0
    except Exception:  # whatever damaged bytes are read as
        return 0
    return max(offset, int.from_bytes(raw[:8], "big"))


async def _ask(fetcher: Any, tp: Any, offset: int) -> _Answer:
    """Fetch one partition at one offset."""
    client = fetcher._client
    node = client.cluster.leader_for_partition(tp)
    if node is None or node < 0:
        raise UnknownNowError(f"{tp} has no leader")
    wanted = [(tp.topic, [(tp.partition, offset, _BYTES)])]
    request = FetchRequest(0, 0, _BYTES, fetcher._isolation_level, wanted)
    try:
        async with asyncio.timeout(_ANSWER_S):
            response = await client.send(node, request)
    except (KafkaError, TimeoutError) as error:
        raise UnknownNowError(repr(error)) from error
    [(_, [(_, code, _, *_, raw)])] = response.topics
    kind = for_code(code)
    if kind in _BROKEN:
        return _Answer(b"", kind.__name__)
    if code:
        raise UnknownNowError(kind.__name__)
    return _Answer(raw or b"")


async def _end(fetcher: Any, tp: Any) -> int:
    """Where the log that may be read ends."""
    try:
        ends = await fetcher.end_offsets([tp], _ANSWER_S * 1000)
    except (KafkaError, TimeoutError) as error:
        raise UnknownNowError(repr(error)) from error
    return int(ends[tp])
