"""What separates the fields of a CSV, and where it begins: found in its first rows."""

from __future__ import annotations

import csv
import re
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Final

import pyarrow as pa

from stream.text.counted import counted

__all__ = ["find_dialect", "uneven_lines"]

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
    text = _start_of(path)
    if said := _SAID.match(text):
        return said[1], 1
    if ".tsv" in path.suffixes:
        return "\t", 0
    lines = _whole_lines(text)
    fields = {candidate: _fields(lines, candidate) for candidate in _CANDIDATES}
    return max(_CANDIDATES, key=lambda candidate: fields[candidate]), 0  # the first of equals


def uneven_lines(path: Path) -> str:
    """Say why no separator was found, where the first rows do not have as many fields each.

    An empty text if nothing can be said: they have, or there is no separator in most of them.
    """
    lines = _whole_lines(_start_of(path))
    for delimiter in sorted(_CANDIDATES, key=lambda d: -sum(d in line for line in lines)):
        try:
            reader = csv.reader(lines, delimiter=delimiter)
            rows = [(reader.line_num, len(row)) for row in islice(reader, _SAMPLE_ROWS) if row]
        except csv.Error:
            continue
        usual = Counter(size for _, size in rows).most_common(1)[0][0] if rows else 0
        odd = next(((number, size) for number, size in rows if size != usual), None)
        if usual > 1 and odd is not None:
            name = {"\t": "a tab"}.get(delimiter, repr(delimiter))
            return (
                f"Separated by {name}, line {odd[0]} has {counted(odd[1], 'field')} and most have "
                f"{usual}: set quotes around fields that hold the separator, take away lines "
                "above the header, or name the separator (fit --delimiter)."
            )
    return ""


def _start_of(path: Path) -> str:
    with pa.input_stream(str(path), compression="detect") as stream:
        text: str = stream.read(_SAMPLE_BYTES).decode(errors="replace")
    return text.removeprefix("\ufeff")


def _whole_lines(text: str) -> list[str]:
    lines = text.splitlines(keepends=True)
    if len(text) > 1 and len(lines) > 1 and len(text.encode()) >= _SAMPLE_BYTES - 4:
        lines.pop()  # cut off within
    return lines


def _fields(lines: list[str], delimiter: str) -> int:
    """Fields of the header if all rows have as many, else 0."""
    try:
        rows = [
            row
            for row, _ in zip(
                csv.reader(lines, delimiter=delimiter), range(_SAMPLE_ROWS), strict=False
            )
            if row
        ]
    except csv.Error:
        return 0
    # The last may be cut off within quotes.
    rows = rows[:-1] if len(rows) > 2 else rows
    size = len(rows[0]) if rows else 0
    return size if all(len(row) == size for row in rows) else 0
