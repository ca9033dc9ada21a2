"""A file as the records of a topic, for `replay`: rows made events, or events as dumped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stream.commands.mapping import event_rows
from stream.commands.shared import RowProblems

if TYPE_CHECKING:
    from stream.plans.plan import AnyPlan
    from stream.replay import FileRecord
    from stream.rows import EventRows, RowMapping

__all__ = ["FileRecords"]


class FileRecords:
    """Records of a file under a plan.

    Attributes
    ----------
    mapping : RowMapping
        Which column is what; of a dump, which has no columns, none.
    """

    def __init__(self, data: Path, plan: AnyPlan, columns: dict[str, Any]) -> None:
        from detectors import ColumnMapping
        from stream.data import Reading
        from stream.data.dumps import is_dump
        from stream.rows import RowMapping

        self._data, self._plan = data, plan
        self._rows: EventRows | None = None
        self.mapping: RowMapping
        if is_dump(data):
            if named := [name for name, value in columns.items() if value]:
                option = named[0].replace("column_", "--").replace("--ignored", "--ignore")
                raise click.UsageError(
                    f"{data} holds events, which say themselves what is what. Leave {option} out."
                )
            self.mapping = RowMapping(plan.model, "", {}, Reading(), ColumnMapping())
        else:
            self._rows = event_rows(data, plan, columns)
            self.mapping = self._rows.mapping

    def read(self, refused: RowProblems, on_rows: Callable[[int], object]) -> Iterator[FileRecord]:
        """The records; rows without a usable time go to `refused`."""
        if self._rows is None:
            return self._dumped(on_rows)
        return self._made(self._rows, refused, on_rows)

    def _dumped(self, on_rows: Callable[[int], object]) -> Iterator[FileRecord]:
        from stream.data.dumps import dump_records
        from stream.replay import FileRecord

        for one in dump_records(self._data, self._plan.model):
            yield FileRecord(one.number, 0, one.value, headers=one.headers)
            on_rows(1)

    def _made(
        self, rows: EventRows, refused: RowProblems, on_rows: Callable[[int], object]
    ) -> Iterator[FileRecord]:
        from stream.data import read_batches
        from stream.replay import FileRecord

        offset = 0
        for batch in read_batches(self._data, rows.mapping.reading, rows.times):
            if not offset:
                rows.check_columns(self._data, batch)
            for event in rows.events(batch):
                if event.problem:
                    refused.add(offset + 1, event.problem, event.reason)
                else:
                    yield FileRecord(offset, 0, event.value)
                offset += 1
            on_rows(len(next(iter(batch.values()))))
