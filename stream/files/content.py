"""What a file is by its first bytes: a name says what it should be."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow as pa

__all__ = ["NOT_UTF8", "mistaken_for_text"]

#: What to do with a text that is not UTF-8.
NOT_UTF8: Final = (
    "it is not UTF-8 text; spreadsheets often write Windows-1252. Save it as UTF-8, "
    "or: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW"
)
_UTF_16: Final = "it is UTF-16 text. Save it as UTF-8, or: iconv -f UTF-16 -t UTF-8 FILE > NEW"
_NAMED: Final = "by its first bytes it is {}, not text. Name it {}"
_FIRST: Final = {
    b"\xff\xfe": _UTF_16,
    b"\xfe\xff": _UTF_16,
    b"PAR1": _NAMED.format("Parquet", "*.parquet"),
    b"ARROW1": _NAMED.format("Arrow", "*.arrow"),
    b"PK\x03\x04": _NAMED.format("a zip file or a workbook", "so, and save its rows as CSV UTF-8"),
    b"\x1f\x8b": _NAMED.format("gzip", "*.gz"),
    b"BZh": _NAMED.format("bzip2", "*.bz2"),
    b"\x28\xb5\x2f\xfd": _NAMED.format("zstd", "*.zst"),
}
_BYTES: Final = 8


def mistaken_for_text(path: Path) -> str:
    """Why what is in a file (unpacked, by its name) cannot be text in UTF-8, or an empty text."""
    with pa.input_stream(str(path), compression="detect") as stream:
        head = stream.read(_BYTES)
    return next((words for first, words in _FIRST.items() if head.startswith(first)), "")
