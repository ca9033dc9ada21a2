"""Record batches in the segment files of a broker's data folder, to be damaged there.

A broker checks what it is sent and not what it has: damage is of disks, or of other tools.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import crc32c

ATTRIBUTES = 21  # from here on the checksum counts
PAYLOAD = 61


class Stored(NamedTuple):
    """One batch: its file, where it is there, and its offsets."""

    path: Path
    at: int
    size: int
    first: int
    last: int


def stored_batches(data_dir: Path, topic: str, partition: int) -> list[Stored]:
    """The batches of a partition as they are on disk."""
    [folder] = [f for f in data_dir.rglob(f"{topic}-{partition}") if f.is_dir()]
    return [b for path in sorted(folder.glob("*.log")) for b in _batches(path)]


def _batches(path: Path) -> Iterator[Stored]:
    raw, at = path.read_bytes(), 0
    while at + PAYLOAD <= len(raw):
        size = 12 + int.from_bytes(raw[at + 8 : at + 12], "big")
        if size == 12:
            return  # a file is made longer than what is in it
        first = int.from_bytes(raw[at : at + 8], "big")
        yield Stored(path, at, size, first, first + int.from_bytes(raw[at + 23 : at + 27], "big"))
        at += size


def damage(batch: Stored, at: int, xor: int, *, sealed: bool) -> None:
    """Change a byte; `sealed` with a checksum that is right."""
    with batch.path.open("r+b") as file:
        file.seek(batch.at)
        raw = bytearray(file.read(batch.size))
        raw[at] ^= xor
        if sealed:
            raw[17:21] = crc32c.crc32c(bytes(raw[ATTRIBUTES:])).to_bytes(4, "big")
        file.seek(batch.at)
        file.write(raw)


def overwrite(batch: Stored, at: int, raw: bytes) -> None:
    """Put bytes into a batch, whatever its checksum says of them."""
    with batch.path.open("r+b") as file:
        file.seek(batch.at + at)
        file.write(raw)
