"""A file as the records of a topic, for `replay`: rows made events, or events as dumped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stream.commands.mapping import event_rows

if TYPE_CHECKING:
    from stream.decode import SourceOptions
    from stream.decode.record import FileRecord
    from stream.files.row_events import EventRows, RowMapping
    from stream.plans.plan import AnyPlan
    from stream.text.row_problems import RowProblems

__all__ = ["FileRecords"]


class FileRecords:
    """Records of a file under a plan.

    With `labels_apart` its truths come from elsewhere: a column of them is left out.

    Attributes
    ----------
    mapping : RowMapping
        Which column is what; of a dump, which has no columns, none.
    source : SourceOptions, optional
        The format of the records; native if there is none.
    """

    def __init__(
        self,
        data: Path,
        plan: AnyPlan,
        columns: dict[str, Any],
        configured: SourceOptions | None = None,
        *,
        labels_apart: bool = False,
    ) -> None:
        from detectors import ColumnMapping
        from stream.files import Reading
        from stream.files.dumps import source_of
        from stream.files.labels import without_truth
        from stream.files.row_events import EventRows, RowMapping

        self._data, self._plan = data, plan
        self._rows: EventRows | None = None
        self.mapping: RowMapping
        self.source = source_of(data, configured)
        if self.source is not None:
            if named := [name for name, value in columns.items() if value]:
                option = named[0].replace("column_", "--").replace("--ignored", "--ignore")
                raise click.UsageError(
                    f"{data} holds events, which say themselves what is what. Leave {option} out."
                )
            self.mapping = RowMapping(plan.model, "", {}, Reading(), ColumnMapping())
        else:
            rows = self._rows = event_rows(data, plan, columns)
            self.mapping = rows.mapping
            if labels_apart:
                self._rows = EventRows(without_truth(rows.mapping))

    def read(self, refused: RowProblems, on_rows: Callable[[int], object]) -> Iterator[FileRecord]:
        """The records; rows without a usable time go to `refused`."""
        from stream.files import read_batches
        from stream.files.file_records import records_of_dump, records_of_rows

        rows = self._rows
        if rows is None:
            return records_of_dump(self._data, self._plan.model, on_rows)
        batches = read_batches(self._data, rows.mapping.reading, rows.times)
        return records_of_rows(self._checked(rows, batches), rows, refused, on_rows)

    def _checked(
        self, rows: EventRows, batches: Iterator[dict[str, list[Any]]]
    ) -> Iterator[dict[str, list[Any]]]:
        """The batches, once the first has shown that no column is missing."""
        for number, batch in enumerate(batches):
            if not number:
                rows.check_columns(self._data, batch)
            yield batch
