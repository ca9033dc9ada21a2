"""Data files: CSV, Parquet and JSON lines, always in batches of rows."""

from __future__ import annotations

from stream.data.absent import no_column_hint
from stream.data.files import DataError
from stream.data.kinds import ColumnInfo
from stream.data.reading import Reading
from stream.data.rows import read_batches
from stream.data.table import DataTable
from stream.data.times import parse_times

__all__ = [
    "ColumnInfo",
    "DataError",
    "DataTable",
    "Reading",
    "no_column_hint",
    "parse_times",
    "read_batches",
]
