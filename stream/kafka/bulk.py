"""Records as aiokafka's C code makes them, a run at a time: a sixth of all CPU less.

aiokafka wraps each record of a fetch into an object of its own in a Python generator, which costs
as much as decoding its JSON. Here the C iterator of a record batch is read by `islice`. The rules
are aiokafka's: checksums, aborted transactions, control batches, positions. So is the bound: no
more than the records of one poll are made at once, the rest stays encoded.

Where aiokafka is not built as this was written against, its own way is taken.
"""

from __future__ import annotations

import asyncio
import inspect
import weakref
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any, Final

from aiokafka.consumer import fetcher as internals
from aiokafka.errors import CorruptRecordException

__all__ = ["fetched_records", "is_known"]

#: What is used of aiokafka's fetcher, with the parameters it was written against.
_METHODS: Final = (
    (internals.Fetcher, "fetched_records", ("self", "partitions", "timeout", "max_records")),
    (internals.Fetcher, "_create_fetch_waiter", ("self",)),
    (internals.FetchResult, "getall", ("self", "max_records")),
    (internals.FetchResult, "check_assignment", ("self", "tp")),
    (internals.FetchResult, "_update_position", ("self",)),
    (internals.PartitionRecords, "_unpack_records", ("self",)),
    (internals.PartitionRecords, "_consume_aborted_up_to", ("self", "batch_offset")),
    (internals.PartitionRecords, "_contains_abort_marker", ("self", "next_batch")),
)


@cache
def is_known() -> bool:
    """Whether the installed aiokafka has the parts that are used here."""
    for kind, name, expected in _METHODS:
        method = getattr(kind, name, None)
        if method is None or tuple(inspect.signature(method).parameters) != expected:
            return False
    return True


async def fetched_records(
    fetcher: Any, partitions: Any, timeout: float, max_records: int
) -> dict[Any, list[Any]]:
    """What `Fetcher.fetched_records` gives, with records that have no topic and partition."""
    found: dict[Any, list[Any]] = {}
    for waited in (False, True):
        for result in fetcher._records.values():
            if type(result) is internals.FetchResult and "getall" not in vars(result):
                result.getall = _Run(result).getall
        found = await fetcher.fetched_records(partitions, timeout=0, max_records=max_records)
        if found or waited or not timeout:
            break
        waiter = fetcher._create_fetch_waiter()
        done, _ = await asyncio.wait([waiter], timeout=timeout)
        if not done:
            waiter.cancel()
            break
        waiter.result()  # raises what the coordinator has to say, such as a missing right
    return found


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

    def getall(self, max_records: int | None = None) -> list[Any]:
        """At most so many of the next records; the position is behind them."""
        result = self._result
        if not result.check_assignment(result._topic_partition) or not result.has_more():
            return []
        found: list[Any] = []
        while max_records is None or len(found) < max_records:
            if self._batch is None and not self._open():
                result._update_position()
                result._partition_records = None
                return found
            found += self._take(None if max_records is None else max_records - len(found))
        result._update_position()
        return found

    def _take(self, most: int | None) -> list[Any]:
        """At most so many records of the open batch."""
        assert self._batch is not None
        source = self._source
        records = list(islice(self._batch, most))
        if most is None or len(records) < most:
            self._batch = None
            following = self._batch_end
        else:
            following = records[-1].offset + 1
        # A fetch begins with the batch that holds the position, so with records before it.
        if records and records[0].offset < source.next_fetch_offset:
            records = [r for r in records if r.offset >= source.next_fetch_offset]
        source.next_fetch_offset = max(following, source.next_fetch_offset)
        return records

    def _open(self) -> bool:
        """Open the next batch that holds records for us; False at the end of the fetch."""
        source = self._source
        while source._records.has_next():
            batch = source._records.next_batch()
            if source._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {source._tp}")
            if not self._is_dropped(batch):
                # Its own iterator can be asked for only once.
                self._batch, self._batch_end = islice(batch, None), batch.next_offset
                return True
            source.next_fetch_offset = batch.next_offset
        return False

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
