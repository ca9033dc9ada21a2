"""Records as aiokafka's C code makes them, a run at a time: a sixth of all CPU less.

aiokafka wraps each record of a fetch into an object of its own in a Python generator, which costs
as much as decoding its JSON. Here the C iterator of a record batch is read by `islice`. The rules
are aiokafka's: checksums, aborted transactions, control batches, positions. So is the bound: no
more than the records of one poll are made at once, the rest stays encoded.

A batch that cannot be read is no exception, which would end all reading: an `Unread` stands for its
records at the end of a run, and the next run goes on behind it. Compressed batches are unpacked by
`stream.kafka.unpack`, and of what they hold no more than `POLL_BYTES` and one batch are made in a
poll. Where the header of a batch is damaged, `stream.kafka.stalls` finds out where the next begins.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
import weakref
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, Final

import aiokafka
from aiokafka.consumer import fetcher as internals
from aiokafka.errors import UnsupportedCodecError
from aiokafka.record import default_records, legacy_records

from stream.contracts.errors import IncompatibleClientError
from stream.contracts.unread import Unread
from stream.kafka import stalls, unpack

__all__ = ["Packed", "check_aiokafka", "fetched_records", "use_bounded_codecs"]

log = logging.getLogger(__name__)
#: Bytes of values out of compressed batches that one poll makes before it stops.
POLL_BYTES: Final = 4 * 2**20
#: A batch that says it has more is damaged where it says so.
_MAX_RECORDS: Final = 10_000_000
#: Records of a compressed batch between two looks at that.
_AT_ONCE: Final = 500

#: What is used of aiokafka's fetcher, with the parameters it was written against.
_METHODS: Final = (
    (internals.Fetcher, "fetched_records", ("self", "partitions", "timeout", "max_records")),
    (internals.Fetcher, "_create_fetch_waiter", ("self",)),
    (internals.Fetcher, "seek_to", ("self", "tp", "offset")),
    (internals.Fetcher, "end_offsets", ("self", "partitions", "timeout_ms")),
    (internals.FetchResult, "getall", ("self", "max_records")),
    (internals.FetchResult, "check_assignment", ("self", "tp")),
    (internals.FetchResult, "_update_position", ("self",)),
    (internals.PartitionRecords, "_unpack_records", ("self",)),
    (internals.PartitionRecords, "_consume_aborted_up_to", ("self", "batch_offset")),
    (internals.PartitionRecords, "_contains_abort_marker", ("self", "next_batch")),
)


class Packed(list[Any]):
    """Records of a run.

    `size` is the bytes of those that were compressed. `doubtful`: the last stands for a batch whose
    checksum is wrong, so it may not end where it says. `holes` are (first, last) of offsets that
    the log has not.
    """

    size = 0
    doubtful = False
    holes: tuple[tuple[int, int], ...] = ()


def check_aiokafka() -> None:
    """Compare aiokafka with what this module was written against.

    Raises
    ------
    IncompatibleClientError
        If it has not the parts that are used here.
    """
    for kind, name, expected in _METHODS:
        method = getattr(kind, name, None)
        got = tuple(inspect.signature(method).parameters) if callable(method) else None
        if got != expected:
            raise IncompatibleClientError(
                f"aiokafka {aiokafka.__version__}: {kind.__name__}.{name} should take {expected}; "
                f"got {got}. Install aiokafka>=0.12,<0.15."
            )


def use_bounded_codecs() -> None:
    """Make aiokafka unpack batches by `stream.kafka.unpack`; what it cannot get it says seldom."""
    stalls.speak_seldom()
    kinds = (default_records.DefaultRecordBatch, legacy_records.LegacyRecordBatch)
    # Built in C they are modules of their own, and each has its copies of the functions.
    built = (sys.modules[kind.__module__] for kind in kinds)
    unpack.use_in(default_records, legacy_records, *built)


async def fetched_records(
    fetcher: Any, partitions: Any, timeout: float, max_records: int
) -> dict[Any, list[Any]]:
    """What `Fetcher.fetched_records` gives, with records that have no topic and partition."""
    if stood := stalls.refused_fetches(fetcher) or await stalls.stalled(fetcher):
        return stood
    found: dict[Any, list[Any]] = {}
    for waited in (False, True):
        room = _Room()
        for result in fetcher._records.values():
            if type(result) is internals.FetchResult:
                if "getall" not in vars(result):
                    result.getall = _Run(result).getall
                result.getall.__self__.room = room
        found = await fetcher.fetched_records(partitions, timeout=0, max_records=max_records)
        if found or waited or not timeout:
            break
        waiter = fetcher._create_fetch_waiter()
        done, _ = await asyncio.wait([waiter], timeout=timeout)
        if not done:
            waiter.cancel()
            break
        waiter.result()  # raises what the coordinator has to say, such as a missing right
    for tp, records in list(found.items()):
        if getattr(records, "doubtful", False):
            found[tp] = await _settled(fetcher, tp, records)
    return {tp: records for tp, records in found.items() if records}


async def _settled(fetcher: Any, tp: Any, records: list[Any]) -> list[Any]:
    """The same with the true end of the batch that cannot be read; the position is behind it.

    Without the batch, to be read again, if the broker does not say now.
    """
    unread = records.pop()
    try:
        behind = await stalls.next_sound(fetcher, tp, unread.offset)
    except stalls.UnknownNowError:
        behind = unread.offset
    else:
        records.append(replace(unread, last=behind - 1))
    if behind != unread.last + 1:
        fetcher.seek_to(tp, behind)
    return records


class _Room:
    """What may still be made of compressed batches in this poll."""

    left = POLL_BYTES


class _Run:
    """The records of one fetch of a partition; `getall` is that of `FetchResult`."""

    def __init__(self, result: Any) -> None:
        # No cycles, here by a weak reference and there by aiokafka's own generator: they keep
        # megabytes of a fetch until the collector looks, which is seldom.
        self._result: Any = weakref.proxy(result)
        self._source = result._partition_records
        self._source._records_iterator = None
        self._batch: Iterator[Any] | None = None
        self._batch_end = 0
        self._batch_time = (-1, 0)  # and its type
        self._packed = self._broken = self._doubtful = False
        state = result._assignment.state_value(result._topic_partition)
        self._end = getattr(state, "highwater", None)
        self.room = _Room()

    def getall(self, max_records: int | None = None) -> list[Any]:
        """At most so many of the next records; the position is behind them."""
        result = self._result
        if not result.check_assignment(result._topic_partition) or not result.has_more():
            return []
        found = Packed()
        while self.room.left > 0 and (max_records is None or len(found) < max_records):
            if self._batch is not None or self._open(found):
                self._take(found, None if max_records is None else max_records - len(found))
            elif not found or type(found[-1]) is not Unread:
                result._update_position()
                result._partition_records = None
                return found
            if found and type(found[-1]) is Unread:
                found.doubtful = self._doubtful
                break
        result._update_position()
        return found

    def _take(self, found: Packed, max_records: int | None) -> None:
        """Add at most so many records of the open batch."""
        assert self._batch is not None
        source = self._source
        if self._packed:
            max_records = _AT_ONCE if max_records is None else min(max_records, _AT_ONCE)
        records: list[Any] = []
        try:
            records.extend(islice(self._batch, max_records))
        except MemoryError:
            raise
        except Exception as error:  # what was read before it is in the list
            self._batch = None
            following = records[-1].offset + 1 if records else source.next_fetch_offset
            failed: Exception | None = error
        else:
            failed = None
            if max_records is None or len(records) < max_records:
                self._batch = None
                following = self._batch_end
            else:
                following = records[-1].offset + 1
        # A fetch begins with the batch that holds the position, so with records before it.
        if records and records[0].offset < source.next_fetch_offset:
            records = [r for r in records if r.offset >= source.next_fetch_offset]
        source.next_fetch_offset = max(following, source.next_fetch_offset)
        found += records
        if self._packed:
            size = sum(len(record.value or b"") for record in records)
            found.size += size
            self.room.left -= size
        if failed is not None:
            self._give_up(found, failed)

    def _open(self, found: Packed) -> bool:
        """Open the next batch that holds records for us; False at the end, or if it is unread."""
        source = self._source
        while not self._broken and source._records.has_next():
            self._batch_end, self._batch_time = source.next_fetch_offset + 1, (-1, 0)
            try:
                self._broken = self._doubtful = True  # where it ends is where the next begins
                batch = source._records.next_batch()
                self._broken = False
                self._batch_end = batch.next_offset
                if source._check_crcs and not batch.validate_crc():
                    raise ValueError("its checksum does not match its bytes")
                # Its offset is in no checksum.
                if self._end is not None and batch.next_offset > self._end:
                    raise ValueError(f"its offsets are beyond the log's end, {self._end}")
                self._doubtful = False
                if hasattr(batch, "max_timestamp"):  # old formats have it in their records
                    if batch.base_offset > source.next_fetch_offset:
                        found.holes += ((source.next_fetch_offset, batch.base_offset - 1),)
                    self._batch_time = (batch.max_timestamp, batch.timestamp_type)
                if not self._is_dropped(batch):
                    self._packed = bool(getattr(batch, "compression_type", 1))
                    # Its own iterator can be asked for only once, and unpacks.
                    self._batch = islice(batch, None)
                    return True
            except MemoryError:
                raise
            except Exception as error:
                if not 0 < self._batch_end - source.next_fetch_offset <= _MAX_RECORDS:
                    self._batch_end = source.next_fetch_offset + 1  # a damaged header
                self._give_up(found, error)
                return False
            source.next_fetch_offset = batch.next_offset
        return False

    def _give_up(self, found: list[Any], error: Exception) -> None:
        """Put an `Unread` for the rest of a batch, and go on behind it."""
        first, last = self._source.next_fetch_offset, self._batch_end - 1
        if isinstance(error, unpack.TooLargeError):
            reason = "batch_too_large"
        elif isinstance(error, UnicodeDecodeError):  # the broker takes any bytes for one
            reason, error = "batch_undecodable", ValueError("the name of a header is not UTF-8")
        elif isinstance(error, (UnsupportedCodecError, unpack.MissingCodecError)):
            reason = "unknown_codec"
        else:
            reason = "corrupt"
        words = " ".join(str(error).split()) or type(error).__name__
        if first > last:  # all its offsets were read, and something is behind them
            log.warning("%s: after offset %d: %s", self._source._tp, last, words)
            return
        self._source.next_fetch_offset = self._batch_end
        at, by = self._batch_time
        found.append(Unread(first, last, at, reason, words[:300], by))

    def _is_dropped(self, batch: Any) -> bool:
        """Whether a batch is a marker, or of a transaction that was aborted."""
        source = self._source
        committed_only = source._isolation_level == internals.READ_COMMITTED
        if committed_only and batch.producer_id is not None:
            source._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and source._contains_abort_marker(batch):
                source._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in source._aborted_producers:
                return True
        return bool(batch.is_control_batch)
