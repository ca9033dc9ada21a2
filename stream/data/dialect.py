"""What separates the fields of a CSV, and where it begins: found in its first rows."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Final

import pyarrow as pa

__all__ = ["find_dialect"]

_CANDIDATES: Final = (",", ";", "\t", "|")
_SAMPLE_BYTES: Final = 256 << 10
_SAMPLE_ROWS: Final = 100
#: The first line by which spreadsheets are told the separator.
_SAID: Final = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)


def find_dialect(path: Path) -> tuple[str, int]:
    """The separator, and how many lines there are before the header.

    A first line such as `sep=;` says the separator. Else it is the one by which all first rows
    have as many fields as the header, and which makes most of them; else a comma. A file named
    `.tsv` has tabs.
    """
    with pa.input_stream(str(path), compression="detect") as stream:
        text = stream.read(_SAMPLE_BYTES).decode(errors="replace").removeprefix("\ufeff")
    if said := _SAID.match(text):
        return said[1], 1
    if ".tsv" in path.suffixes:
        return "\t", 0
    lines = text.splitlines(keepends=True)
    if len(text) > 1 and len(lines) > 1 and len(text.encode()) >= _SAMPLE_BYTES - 4:
        lines.pop()  # cut off within
    fields = {candidate: _fields(lines, candidate) for candidate in _CANDIDATES}
    return max(_CANDIDATES, key=lambda candidate: fields[candidate]), 0  # the first of equals


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
