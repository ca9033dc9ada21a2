"""What Arrow's readers do not ask of a stranger's bytes.

Whether a body is compressed: it says itself how much memory it wants, so it is found before
anything is read. And whether Python has an array for a column's type.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Sequence
from typing import Any

import pyarrow as pa

from stream.decode.values import RefusedError

__all__ = ["columns_by_name", "refuse_compression", "undecodable"]


def refuse_compression(buffer: Any) -> None:
    """Look at every message of a stream, and at no body.

    Raises
    ------
    RefusedError
        If a message has a compressed body.

    Notes
    -----
    Walks the messages' headers, which the reader has verified as flatbuffers by then: Message is
    (version, header type, header, ...), RecordBatch (length, nodes, buffers, compression), and
    DictionaryBatch (id, RecordBatch).
    """
    reader = pa.ipc.MessageReader.open_stream(buffer)
    while True:
        try:
            message = reader.read_next_message()
        except StopIteration:
            return
        if message.type == "schema":
            continue
        try:
            meta = message.metadata.to_pybytes()
            table = _follow(meta, _field(meta, _follow(meta, 0), 2))
            if message.type == "dictionary":
                table = _follow(meta, _field(meta, table, 1))
            compressed = _field(meta, table, 3)
        except struct.error as error:
            raise undecodable(error) from None
        if compressed:
            raise RefusedError(
                "undecodable", "The Arrow body is compressed; let Kafka compress instead"
            )


def _follow(meta: bytes, at: int) -> int:
    return at + int(struct.unpack_from("<I", meta, at)[0])


def _field(meta: bytes, table: int, number: int) -> int:
    """Where a table's field is, or 0 if it is not there."""
    vtable = table - int(struct.unpack_from("<i", meta, table)[0])
    size = int(struct.unpack_from("<H", meta, vtable)[0])
    slot = 4 + 2 * number
    if slot + 2 > size:
        return 0
    offset = int(struct.unpack_from("<H", meta, vtable + slot)[0])
    return table + offset if offset else 0


def undecodable(error: BaseException) -> RefusedError:
    """The refusal of damaged bytes; without Arrow's own words, which may quote values."""
    return RefusedError("undecodable", f"Not an Arrow IPC stream ({type(error).__name__})")


def columns_by_name(batch: Any, names: Sequence[str], members: Container[str]) -> dict[str, Any]:
    """The columns of a batch; those without an array in Python, such as intervals, are left out.

    So are dictionaries of such values.

    Raises
    ------
    RefusedError
        If one of those is, or is in, one of the event's members.
    """
    found = {}
    for i, name in enumerate(names):
        try:
            column = batch.column(i)
            if pa.types.is_dictionary(column.type):
                _ = column.dictionary  # an object is made of it here, or never
            found[name] = column
        except KeyError:
            if name.partition(".")[0] in members:
                raise RefusedError(
                    "wrong_type", f"Column {i} of the schema has a type that cannot be read"
                ) from None
    return found
