"""Rows and dumps as the records of a topic, for a replay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stream.decode.record import FileRecord
from stream.files.dumps import dump_records
from stream.files.row_events import EventRows
from stream.text.row_problems import RowProblems

__all__ = ["records_of_dump", "records_of_rows"]

OnRows = Callable[[int], object]


def records_of_dump(
    data: Path, model: str, on_rows: OnRows = lambda rows: None
) -> Iterator[FileRecord]:
    """The events of a dump; `model` is the name for an Arrow file that names none."""
    for one in dump_records(data, model):
        yield FileRecord(one.number, 0, one.value, headers=one.headers)
        on_rows(1)


def records_of_rows(
    batches: Iterable[Mapping[str, list[Any]]],
    rows: EventRows,
    refused: RowProblems,
    on_rows: OnRows = lambda rows: None,
) -> Iterator[FileRecord]:
    """An event for each row; rows without a usable time go to `refused`.

    `on_rows` is told how many rows were read, batch by batch.
    """
    offset = 0
    for batch in batches:
        for event in rows.events(batch):
            if event.problem:
                refused.add(offset + 1, event.problem, event.reason)
            else:
                yield FileRecord(offset, 0, event.value)
            offset += 1
        on_rows(len(next(iter(batch.values()))))
