"""Tables of pyarrow as messages; loaded only where one is given."""

from __future__ import annotations

from collections.abc import Iterator
from time import time
from typing import Any, Final

import pyarrow as pa

from stream.contracts.prediction_event import ARROW_CONTENT_TYPE, ModelId
from stream.publishing.batches import Batch, Refuse, Roles, cut
from stream.publishing.errors import InvalidEventError

__all__ = ["arrow_batches"]

_MAX_ROWS: Final = 8_192
_HEADERS: Final = [("content-type", ARROW_CONTENT_TYPE.encode())]


def arrow_batches(
    frame: Any, roles: Roles, model: ModelId, max_message_bytes: int, refuse: Refuse
) -> Iterator[Batch]:
    """The rows of a table as Arrow streams; its columns go as they are.

    Raises
    ------
    InvalidEventError
        If columns are of different lengths, or named and not there.
    """
    table = pa.table(frame) if isinstance(frame, pa.RecordBatch) else frame
    columns = roles.split(dict(zip(table.column_names, table.columns)))
    try:
        held = {name: _as_column(column) for name, column in columns.items()}
        if "timestamp" not in held:
            now = pa.scalar(int(time() * 1000), pa.timestamp("ms", tz="UTC"))
            held["timestamp"] = pa.repeat(now, table.num_rows)
        named = pa.table(held)
    except pa.ArrowException as error:
        raise InvalidEventError(f"columns cannot be used: {error}.") from error
    timed = named.filter(named["timestamp"].is_valid())
    if lost := named.num_rows - timed.num_rows:
        refuse("invalid", lost, f"{lost:,} rows were dropped: they have no timestamp.")
    about = {"model.name": model.name, "model.version": model.version}
    timed = timed.replace_schema_metadata(about)

    def make(start: int, end: int) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, timed.schema) as stream:
            stream.write_table(timed.slice(start, end - start))
        value: bytes = sink.getvalue().to_pybytes()
        return value

    for value, rows in cut(timed.num_rows, _MAX_ROWS, max_message_bytes, make, refuse):
        yield value, _HEADERS, rows


def _as_column(column: Any) -> Any:
    return column if isinstance(column, pa.Array | pa.ChunkedArray) else pa.array(column)
