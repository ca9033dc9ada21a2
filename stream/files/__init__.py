"""Data files: CSV, Parquet and JSON lines, always in batches of rows."""

from __future__ import annotations

from stream.files.absent import no_column_hint
from stream.files.files import DataError
from stream.files.kinds import ColumnInfo
from stream.files.reading import Reading
from stream.files.rows import read_batches
from stream.files.table import DataTable
from stream.files.times import parse_times

__all__ = [
    "ColumnInfo",
    "DataError",
    "DataTable",
    "Reading",
    "no_column_hint",
    "parse_times",
    "read_batches",
]
