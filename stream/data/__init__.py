"""Data files: CSV, Parquet and JSON lines, always in batches of rows."""

from __future__ import annotations

from stream.data.files import DataError
from stream.data.kinds import ColumnInfo
from stream.data.reading import Reading
from stream.data.rows import read_batches
from stream.data.table import DataTable
from stream.data.times import parse_times

__all__ = ["ColumnInfo", "DataError", "DataTable", "Reading", "parse_times", "read_batches"]
