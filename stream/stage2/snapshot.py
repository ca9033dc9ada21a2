"""Snapshots of one summaries partition: blocks of state, and a manifest that makes them one cut.

A block is magic, checksum and payload; the manifest names every block by key and checksum, with the
fence: the first offset of the summaries partition that the state does not contain. State at a fence
is a function of the log before it, so any writer's complete snapshot is as good as another's and
the one with the highest fence is taken.

A block is written under one of two keys, by turns: the keys that the last complete manifest names
are never overwritten by the round after it, so a round that breaks off costs nothing.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from stream.contracts.errors import DriftstreamError

__all__ = [
    "MAX_BLOCK_BYTES",
    "Manifest",
    "Round",
    "SnapshotError",
    "SnapshotWriter",
    "Stored",
    "best_snapshot",
    "cut_blocks",
    "open_block",
    "seal_block",
    "stored_rounds",
]

#: Kafka's default limit is 1 MB a message; a block is cut well below it.
MAX_BLOCK_BYTES: Final = 512_000
#: Four letters and the number of the format: it grows with every change of what a dump holds.
_MAGIC: Final = b"DRFS\x08"
_MANIFEST_MAGIC: Final = b"DRFM\x02"
_SUM_BYTES: Final = 16
#: No block unpacks to more than this, whatever it says.
_MAX_PAYLOAD: Final = 64 * 2**20


class SnapshotError(DriftstreamError, ValueError):
    """A block or manifest that is truncated, corrupted or of another version."""


def _checksum(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=_SUM_BYTES).digest()


def seal_block(payload: bytes, magic: bytes = _MAGIC) -> bytes:
    """A payload with magic and checksum, compressed."""
    packed = zlib.compress(payload, 1)
    return magic + _checksum(packed) + packed


def open_block(data: bytes, magic: bytes = _MAGIC) -> bytes:
    """Inverse of `seal_block`.

    Raises
    ------
    SnapshotError
        If the magic, the version or the checksum is not what was written.
    """
    head = len(magic) + _SUM_BYTES
    if data[:4] != magic[:4]:
        raise SnapshotError(f"not a snapshot: it begins with {data[:4]!r}, not {magic[:4]!r}.")
    if data[4:5] != magic[4:]:
        raise SnapshotError(
            f"format {data[4] if len(data) > 4 else 'none'} of another version of driftstream; "
            f"this one reads {magic[4]}. Run the version that wrote it, or have it rebuilt."
        )
    if len(data) < head or _checksum(data[head:]) != data[len(magic) : head]:
        raise SnapshotError("a snapshot block is truncated or corrupted: its checksum differs.")
    packer = zlib.decompressobj()
    try:
        payload = packer.decompress(data[head:], _MAX_PAYLOAD)
    except zlib.error as error:
        raise SnapshotError(f"a snapshot block does not unpack: {error}") from error
    if not packer.eof or packer.unused_data:
        raise SnapshotError(f"a snapshot block does not end within {_MAX_PAYLOAD} bytes.")
    return payload


class _Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a block is: its key, and the checksum of the whole stored value."""

    key: bytes
    checksum: bytes


class Manifest(msgspec.Struct, frozen=True, array_like=True):
    """Written last in a round: it makes the blocks that it names one consistent cut."""

    partition: int
    fence: int
    writer: str
    sequence: int
    blocks: dict[str, _Place]
    log_id: str = ""  # id of the summaries topic that the fence is an offset of

    def encode(self) -> bytes:
        """Bytes of the manifest."""
        return seal_block(msgspec.msgpack.encode(self), _MANIFEST_MAGIC)

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """Inverse of `encode`; raises SnapshotError."""
        try:
            return msgspec.msgpack.decode(open_block(data, _MANIFEST_MAGIC), type=cls)
        except msgspec.MsgspecError as error:
            raise SnapshotError(f"a snapshot manifest does not decode: {error}") from error


@dataclass(frozen=True, slots=True)
class Round:
    """One snapshot round: send `blocks`, await, send the manifest, await, then `done`."""

    blocks: list[tuple[bytes, bytes]]
    manifest: tuple[bytes, bytes]
    fence: int
    places: dict[str, _Place]


class SnapshotWriter:
    """Plans the rounds of one writer for one summaries partition.

    Parameters
    ----------
    partition : int
    writer : str
        Name of this worker instance, new at every start, so that no two writers share a key.
    log_id : str
        Id of the summaries topic; "" where there is no such thing.
    """

    def __init__(self, partition: int, writer: str, log_id: str = "") -> None:
        self.partition = partition
        self.writer = writer
        self.log_id = log_id
        self._sequence = 0
        self._complete: dict[str, _Place] = {}

    def _key(self, name: str, turn: int) -> bytes:
        return f"block|{self.partition}|{self.writer}|{turn}|{name}".encode()

    @property
    def manifest_keys(self) -> tuple[bytes, bytes]:
        """The two keys its manifests are written under, by turns."""
        first, second = (f"manifest|{self.partition}|{self.writer}|{t}".encode() for t in (0, 1))
        return first, second

    def plan(self, fence: int, dirty: Mapping[str, bytes], names: Iterable[str]) -> Round:
        """A round that writes the dirty blocks and names all blocks of the state.

        `dirty` maps names to payloads; `names` are all there are. Blocks that this writer never
        wrote completely must be among the dirty ones.
        """
        places: dict[str, _Place] = {}
        blocks = []
        for name in names:
            complete = self._complete.get(name)
            if name not in dirty and complete is not None:
                places[name] = complete
                continue
            first = self._key(name, 0)
            key = self._key(name, 1) if complete is not None and complete.key == first else first
            value = seal_block(dirty[name])
            places[name] = _Place(key, _checksum(value))
            blocks.append((key, value))
        sequence = self._sequence + 1
        manifest = Manifest(self.partition, fence, self.writer, sequence, places, self.log_id)
        return Round(blocks, (self.manifest_keys[sequence % 2], manifest.encode()), fence, places)

    def done(self, finished: Round) -> list[bytes]:
        """Note that a round was delivered whole; keys that nothing needs any more."""
        gone = [place.key for name, place in self._complete.items() if name not in finished.places]
        self._complete = finished.places
        self._sequence += 1
        return gone

    @property
    def written(self) -> frozenset[str]:
        """Blocks that a complete manifest of this writer names."""
        return frozenset(self._complete)

    def owns(self, key: bytes) -> bool:
        """Whether a key of the state topic is one of this writer's."""
        return f"|{self.writer}|".encode() in key


class Stored(NamedTuple):
    """A manifest on the state topic, and why it cannot be used; "" if it can."""

    key: bytes
    manifest: Manifest | None
    payloads: dict[str, bytes]
    fault: str


def stored_rounds(
    partition: int, records: Iterable[tuple[bytes, bytes | None]], log_id: str = ""
) -> list[Stored]:
    """Every manifest of a partition among the records of the state topic, highest fence first.

    `records` are (key, value) in log order; a later value of a key replaces the earlier, None
    deletes it. With a `log_id` rounds of another summaries topic are at fault: their fences are
    offsets of another log.
    """
    latest: dict[bytes, bytes] = {}
    for key, value in records:
        if value is None:
            latest.pop(key, None)
        else:
            latest[key] = value
    found = [
        _stored(key, value, latest, partition, log_id)
        for key, value in latest.items()
        if key.startswith(f"manifest|{partition}|".encode())
    ]
    return sorted(found, key=_newest, reverse=True)


def _newest(stored: Stored) -> tuple[int, int]:
    manifest = stored.manifest
    return (-1, -1) if manifest is None else (manifest.fence, manifest.sequence)


def _stored(
    key: bytes, value: bytes, latest: Mapping[bytes, bytes], partition: int, log_id: str
) -> Stored:
    try:
        manifest = Manifest.decode(value)
    except SnapshotError as error:
        return Stored(key, None, {}, str(error))
    if manifest.partition != partition:
        return Stored(key, manifest, {}, f"it is of partition {manifest.partition}.")
    if log_id and manifest.log_id not in ("", log_id):
        fault = (
            f"it is of another summaries topic (id {manifest.log_id}; this one's is {log_id}): "
            "that was made again, or the state topic is shared with another installation."
        )
        return Stored(key, manifest, {}, fault)
    payloads: dict[str, bytes] = {}
    for name, place in manifest.blocks.items():
        block = latest.get(place.key)
        if block is None or _checksum(block) != place.checksum:
            how = "missing" if block is None else "not the one of this round, or damaged"
            return Stored(key, manifest, {}, f"block {name} is {how}.")
        try:
            payloads[name] = open_block(block)
        except SnapshotError as error:
            return Stored(key, manifest, {}, f"block {name}: {error}")
    return Stored(key, manifest, payloads, "")


def best_snapshot(
    partition: int, records: Iterable[tuple[bytes, bytes | None]]
) -> tuple[Manifest, dict[str, bytes]] | None:
    """The complete snapshot with the highest fence: its manifest, and payloads by block name.

    Manifests with a missing, older, newer or damaged block are passed over; None if no other is
    left. `stored_rounds` says why.
    """
    for stored in stored_rounds(partition, records):
        if stored.manifest is not None and not stored.fault:
            return stored.manifest, stored.payloads
    return None


def cut_blocks(name: str, payload: bytes) -> dict[str, bytes]:
    """Blocks of a payload, by name."""
    starts = range(0, len(payload), MAX_BLOCK_BYTES)
    return {f"{name}#{i}": payload[at : at + MAX_BLOCK_BYTES] for i, at in enumerate(starts)}
