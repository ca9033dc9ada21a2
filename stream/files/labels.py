"""Columns of a file that has labels alone, which come later than their predictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from stream.decode import SourceOptions
from stream.decode.record import FileRecord
from stream.files import DataError, no_column_hint, read_batches
from stream.files.dumps import source_of
from stream.files.file_records import records_of_dump
from stream.files.row_events import EventRows, RowMapping
from stream.text.row_problems import RowProblems

__all__ = [
    "BY_CALL",
    "BY_COMMAND",
    "LabelOptions",
    "label_mapping",
    "label_records",
    "records_of_labels",
    "without_truth",
]


class LabelOptions(NamedTuple):
    """How a caller names the columns, for errors: of times, and in fitting of ids and truths."""

    time: str
    identity: str
    actual: str


BY_COMMAND: Final = LabelOptions("--label-time COLUMN", "--id COLUMN", "--actual COLUMN")
BY_CALL: Final = LabelOptions("label_time=", "prediction_id=", "actual=")
#: What events call their id.
_ID: Final = "prediction_id"


def label_mapping(
    mapping: RowMapping, time: str | None, options: LabelOptions, *, dumped: bool = False
) -> RowMapping:
    """What the columns of labels are, of a model whose predictions have this mapping.

    `time` is the column that says when a label was known; `options` are for errors. Where
    predictions are `dumped` events, ids may have no column in the reference: then it is
    `prediction_id`.

    Raises
    ------
    DataError
        If the model has no ids or no truths, or the time is none of its own.
    """
    actual = [name for name, role in mapping.roles.items() if role == "actual"]
    identity = mapping.columns.id or (_ID if dumped else None)
    if not actual:
        raise DataError(
            f"labels are the truths of {mapping.model}, and its reference has none. Fit it on rows "
            f"with their truth: {options.actual}."
        )
    if identity is None:
        raise DataError(
            f"labels are joined by id, and the reference of {mapping.model} knows no column of "
            f"ids. Fit it again and name that of the predictions: {options.identity}."
        )
    if time is None:
        raise DataError(
            f"labels need the time at which each was known. Name its column: {options.time}."
        )
    if time in (identity, actual[0]):
        what = "ids" if time == identity else "truths"
        raise DataError(
            f"{time!r} is the column of {what}. Name that of the times: {options.time}."
        )
    columns = replace(mapping.columns, timestamp=time, id=identity)
    return replace(mapping, roles={actual[0]: "actual"}, columns=columns, segments=())


def without_truth(mapping: RowMapping) -> RowMapping:
    """The mapping of predictions whose truths come from elsewhere."""
    roles = {name: role for name, role in mapping.roles.items() if role != "actual"}
    return replace(mapping, roles=roles, columns=replace(mapping.columns, actual=None))


def label_records(
    data: Path,
    mapping: RowMapping,
    time: str | None,
    options: LabelOptions,
    refused: RowProblems,
    said: SourceOptions | None = None,
    *,
    dumped: bool = False,
) -> tuple[Iterator[FileRecord], SourceOptions | None]:
    """The labels in a file as records, and their format; None if it is native.

    Rows of columns become events with an actual alone. A dump holds such events, among others.

    `refused` gets rows without a usable time or without a truth; `said` is the format that the
    config says of the topic; the rest is as of `label_mapping`.

    Raises
    ------
    DataError
        If a column is missing, or `label_mapping` does so.
    """
    source = source_of(data, said)
    if source is not None:
        if time is not None:
            raise DataError(
                f"{data} holds events, which have their times. Leave {options.time} out."
            )
        return records_of_dump(data, mapping.model), source
    rows = EventRows(label_mapping(mapping, time, options, dumped=dumped))
    return records_of_labels(_batches(data, rows), rows, refused), None


def records_of_labels(
    batches: Iterable[dict[str, list[Any]]], rows: EventRows, refused: RowProblems
) -> Iterator[FileRecord]:
    """An event for each row that says a truth, recorded at its time; the others go to `refused`."""
    (truth,) = rows.mapping.roles
    row = 0
    for batch in batches:
        for said, event in zip(batch[truth], rows.events(batch), strict=True):
            row += 1
            if said is None:  # as in a table of all predictions, before it is known
                refused.add(row, f"{truth} is missing", "no_truth")
            elif event.problem:
                refused.add(row, event.problem, event.reason)
            else:
                yield FileRecord(row - 1, round(event.seconds * 1000), event.value)


def _batches(data: Path, rows: EventRows) -> Iterator[dict[str, list[Any]]]:
    for number, batch in enumerate(read_batches(data, rows.mapping.reading, rows.times)):
        for name in () if number else rows.wanted:
            if name not in batch:
                raise DataError(
                    f"{data}: labels need the columns {', '.join(map(repr, rows.wanted))}. There "
                    f"is no {name!r}. {no_column_hint(data, name, batch, rows.wanted)} Rename it."
                )
        yield batch
