"""Dumps of a topic: what producers sent, as JSON lines or Arrow IPC."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa

from stream.contracts.prediction_event import ARROW_CONTENT_TYPE
from stream.decode.formats import cloudevents
from stream.decode.formats.cloudevents import STRUCTURED_TYPE
from stream.decode.formats.contract import SourceOptions
from stream.decode.formats.registry import is_native, recognise
from stream.files import arrow_ipc
from stream.files.files import DataError

__all__ = ["Dumped", "dump_records", "source_of"]

_JSON: Final = (".jsonl", ".ndjson", ".json")
_PACKED: Final = (".gz", ".bz2", ".zst")
#: Bytes of an Arrow batch as it is handed on: a worker takes a megabyte.
_BATCH_BYTES: Final = 500_000
_MAX_ROWS: Final = 50_000
_MEMBERS: Final = ("features.", "prediction", "actual", "latency_seconds", "segments.")


class Dumped(NamedTuple):
    """A message of a dump: its line, or the first row of a batch, from 0; value and headers."""

    number: int
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


def source_of(path: Path, said: SourceOptions | None = None) -> SourceOptions | None:
    """The format of the events in a file; None if it holds rows of columns instead.

    JSON lines are native events if the first that is not blank has `model` with a name, and
    `timestamp` or `columns`; else they are what the config has `said` of their topic, or what that
    line looks like. Arrow files hold events if their schema names a model, or they have `timestamp`
    and columns such as `features.amount`.
    """
    form = _form(path)
    if form == "json":
        return _source_of_lines(path, said)
    return SourceOptions() if form == "arrow" and _has_events(path) else None


def _source_of_lines(path: Path, said: SourceOptions | None) -> SourceOptions | None:
    found = _first(path)
    if is_native(found):
        return SourceOptions()
    if said is not None and said.format != "native":
        return said
    row = recognise(found) if found is not None else None
    return None if row is None else SourceOptions(row.name)


def _first(path: Path) -> dict[str, Any] | None:
    """The object in the first line that is not blank, if it is one."""
    first = next(filter(bytes.strip, _lines(path)), b"")
    try:
        found = json.loads(first)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _has_events(path: Path) -> bool:
    schema = _schema(path)
    named = b"model.name" in (schema.metadata or {})
    members = any(name.startswith(_MEMBERS) for name in schema.names)
    return named or ("timestamp" in schema.names and members)


def dump_records(path: Path, model: str = "") -> Iterator[Dumped]:
    """The messages of a dump.

    Parameters
    ----------
    path : Path
        Of the file.
    model : str
        Name for an Arrow file that names none.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    if _form(path) == "arrow":
        yield from _arrow(path, model)
        return
    # An envelope is one whatever the topic's format is, which a header says of records.
    row = recognise(_first(path) or {})
    headers = (("content-type", STRUCTURED_TYPE),) if row is cloudevents.FORMAT else ()
    for number, line in enumerate(_lines(path)):
        if line.strip():
            yield Dumped(number, line, headers)


def _form(path: Path) -> str:
    suffixes = [s.lower() for s in path.suffixes if s.lower() not in _PACKED]
    last = suffixes[-1] if suffixes else ""
    return "json" if last in _JSON else "arrow" if last in arrow_ipc.SUFFIXES else ""


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            rest = b""
            while block := stream.read(1 << 20):
                *lines, rest = (rest + block).split(b"\n")
                yield from lines
            if rest:
                yield rest
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: {error}. Correct the file at that place.") from error


def _schema(path: Path) -> Any:
    try:
        return arrow_ipc.schema_of(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path}: is no Arrow IPC file or stream: {error}. Write it with pyarrow.ipc."
        ) from error


def _arrow(path: Path, model: str) -> Iterator[Dumped]:
    """Batches as the streams that are on a topic: uncompressed, and no larger than is taken."""
    schema = _schema(path)
    about = dict(schema.metadata or {})
    about.setdefault(b"model.name", model.encode())
    schema = schema.with_metadata(about)
    headers = (("content-type", ARROW_CONTENT_TYPE.encode()),)
    start = 0
    try:
        for batch in arrow_ipc.batches(path):
            rows = max(1, min(_MAX_ROWS, _BATCH_BYTES * batch.num_rows // max(1, batch.nbytes)))
            for at in range(0, batch.num_rows, rows):
                sink = pa.BufferOutputStream()
                with pa.ipc.new_stream(sink, schema) as stream:
                    stream.write_batch(batch.slice(at, rows).cast(schema))
                yield Dumped(start + at, sink.getvalue().to_pybytes(), headers)
            start += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: {error}. Correct the file after row {start:,}.") from error
