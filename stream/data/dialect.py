"""What separates the fields of a CSV: found in its first rows."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import pyarrow as pa

__all__ = ["find_delimiter"]

_CANDIDATES: Final = (",", ";", "\t", "|")
_SAMPLE_BYTES: Final = 256 << 10
_SAMPLE_ROWS: Final = 100


def find_delimiter(path: Path) -> str:
    """The separator by which all first rows have as many fields as the header; else a comma.

    Of several it is the one that makes most fields. A file named `.tsv` has tabs.
    """
    if ".tsv" in path.suffixes:
        return "\t"
    with pa.input_stream(str(path), compression="detect") as stream:
        text = stream.read(_SAMPLE_BYTES).decode(errors="replace").removeprefix("\ufeff")
    lines = text.splitlines(keepends=True)
    if len(text) > 1 and len(lines) > 1 and len(text.encode()) >= _SAMPLE_BYTES - 4:
        lines.pop()  # cut off within
    fields = {candidate: _fields(lines, candidate) for candidate in _CANDIDATES}
    return max(_CANDIDATES, key=lambda candidate: fields[candidate])  # the first of equals


def _fields(lines: list[str], delimiter: str) -> int:
    """Fields of the header if all rows have as many, else 0."""
    try:
        rows = [row for row, _ in zip(csv.reader(lines, delimiter=delimiter),
                                      range(_SAMPLE_ROWS), strict=False) if row]  # fmt: skip
    except csv.Error:
        return 0
    # The last may be cut off within quotes.
    rows = rows[:-1] if len(rows) > 2 else rows
    size = len(rows[0]) if rows else 0
    return size if all(len(row) == size for row in rows) else 0
