"""Whether every codec of Kafka is read here, proved by a small batch of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from kafka.record import default_records as of_kafka
from kafka.record import legacy_records as of_kafka_old

from stream.kafka import batch_fetch, unpack

__all__ = ["bound_kafka_python", "unread_codecs"]

_NUMBERS: Final[Mapping[str, int]] = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
_VALUE: Final = b"what goes in comes out, " * 40


def bound_kafka_python() -> None:
    """Make kafka-python unpack batches by `stream.kafka.unpack`."""
    unpack.use_in(of_kafka, of_kafka_old)


def unread_codecs() -> Iterator[str]:
    """Say of each codec and client that does not give a packed batch back; nothing if all do."""
    batch_fetch.use_bounded_codecs()
    bound_kafka_python()
    readers: dict[str, Callable[[bytes], Any]] = {
        "aiokafka": DefaultRecordBatch,
        "kafka-python": of_kafka.DefaultRecordBatch,
    }
    for codec, number in _NUMBERS.items():
        try:
            builder = DefaultRecordBatchBuilder(2, number, False, -1, 0, 0, 1 << 16)
            builder.append(0, 0, None, _VALUE, [])
            packed = bytes(builder.build())
        except Exception as error:
            yield f"{codec}: a batch cannot be packed: {error}. {unpack.ADVICE}."
            continue
        for client, read in readers.items():
            try:
                values = [record.value for record in read(packed)]
            except Exception as error:
                yield f"{codec}: {client} cannot unpack a batch: {error}. {unpack.ADVICE}."
                continue
            if values != [_VALUE]:
                yield f"{codec}: {client} unpacks a batch to something else. {unpack.ADVICE}."
