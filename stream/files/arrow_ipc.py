"""Batches of an Arrow IPC file, which Feather is, or of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

__all__ = ["SUFFIXES", "batches", "schema_of"]

SUFFIXES: Final = (".arrow", ".arrows", ".feather", ".ipc")
_FILE: Final = b"ARROW1"


def schema_of(path: Path) -> Any:
    """The schema of a file or stream.

    Raises
    ------
    pyarrow.ArrowException, OSError
        If it is neither.
    """
    return _reader(path).schema


def batches(path: Path) -> Iterator[Any]:
    """The record batches of a file or stream, one after the other."""
    reader = _reader(path)
    if hasattr(reader, "num_record_batches"):
        for i in range(reader.num_record_batches):
            yield reader.get_batch(i)
    else:
        yield from reader


def _reader(path: Path) -> Any:
    source = pa.memory_map(str(path))
    if source.read(len(_FILE)) == _FILE:
        return pa.ipc.open_file(source)
    source.seek(0)
    return pa.ipc.open_stream(source)
