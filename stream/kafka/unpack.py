"""Compressed record batches, unpacked to at most so many bytes.

aiokafka and kafka-python unpack a batch whole, whatever it comes to: .4 MB of zeros compressed well
are 400 MB and more. What is here stops at a limit instead: by what the batch says of its own size
where it says so, and otherwise while it is unpacked.

The limit is a constant and no setting: whether a batch is refused must be a function of the log, so
that every worker, and the same one after a restart, decides the same.

What follows the packed records is passed over, as the broker and the Java clients do: nobody can
send what they take and workers do not.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final

from stream.contracts.errors import DriftstreamError

__all__ = [
    "ADVICE",
    "CODECS",
    "MAX_UNPACKED_BYTES",
    "MissingCodecError",
    "TooLargeError",
    "UnpackError",
    "use_in",
]

ADVICE: Final = "Install what reads Kafka's codecs: pip install cramjam lz4 zstandard python-snappy"

#: Producers fill batches of 16 kB to 1 MB before they compress them, and an event may have 1 MiB.
MAX_UNPACKED_BYTES: Final = 64 * 2**20
#: Unpacked at a time: what a refused batch takes beyond the limit.
_STEP: Final = 4 * 2**20
#: Producers write one gzip member or lz4 frame a batch. Each costs a copy of what follows it, so a
#: batch of a hundred thousand empty ones would take minutes.
_MAX_FRAMES: Final = 64
#: The largest that zstd itself writes below `--ultra --long`; only what is used of it is touched.
_MAX_WINDOW: Final = 2**27
_XERIAL: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER: Final = 16


class UnpackError(DriftstreamError, ValueError):
    """A batch that cannot be unpacked."""


class TooLargeError(UnpackError):
    """A batch that unpacks to more than the limit."""


class MissingCodecError(UnpackError):
    """A batch whose codec's library is not installed here."""


class _Output:
    """What is unpacked so far."""

    def __init__(self, limit: int) -> None:
        self.bytes = bytearray()
        self._limit = limit

    def expect(self, size: int) -> None:
        """Refuse what says itself that it is too large."""
        if len(self.bytes) + size > self._limit:
            raise TooLargeError(f"unpacks to more than {self._limit:,} bytes")

    def add(self, piece: bytes) -> None:
        """Take the next bytes in."""
        self.expect(len(piece))
        self.bytes += piece


def _gzip(data: bytes, out: _Output) -> None:
    for _ in range(_MAX_FRAMES):
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            piece = member.decompress(data, _STEP)
            if not piece and not member.eof and not member.unconsumed_tail:
                raise UnpackError("gzip: the data ends within a member")
            out.add(piece)
            data = member.unconsumed_tail
        data = member.unused_data
        if not data.startswith(b"\x1f\x8b"):
            return
    raise TooLargeError(f"has more than {_MAX_FRAMES} gzip members")


def _lz4(data: bytes, out: _Output) -> None:
    import lz4.frame

    for _ in range(_MAX_FRAMES):
        out.expect(lz4.frame.get_frame_info(data)["content_size"])
        frame = lz4.frame.LZ4FrameDecompressor()
        step = min(_STEP, 4 * len(data) + 65_536)  # its buffer is made of this size
        while not frame.eof:
            piece = frame.decompress(data, max_length=step)
            if not piece and not frame.eof:
                raise UnpackError("lz4: the data ends within a frame")
            out.add(piece)
            data = b""  # it keeps what it has not used
        data = frame.unused_data or b""
        if not data.startswith(b"\x04\x22\x4d\x18"):
            return
    raise TooLargeError(f"has more than {_MAX_FRAMES} lz4 frames")


def _zstd(data: bytes, out: _Output) -> None:
    import zstandard

    declared = zstandard.frame_content_size(data)  # -1 where the frame does not say
    out.expect(max(declared, 0))
    unpacker = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    with unpacker.stream_reader(data, read_across_frames=True) as stream:
        try:
            while piece := stream.read1(_STEP):  # `read` would lose what it has at an error
                out.add(piece)
        except zstandard.ZstdError:
            if not out.bytes:
                raise
    if len(out.bytes) < declared:
        raise UnpackError("zstd: the data ends within a frame")


def _snappy(data: bytes, out: _Output) -> None:
    if not data.startswith(_XERIAL):
        _snappy_block(data, out)
        return
    at = _XERIAL_HEADER
    if len(data) <= at:
        raise UnpackError("snappy: the data ends within its header")
    while at < len(data):
        (size,) = struct.unpack_from("!i", data, at)
        block = data[at + 4 : at + 4 + size]
        if size <= 0 or len(block) < size:
            raise UnpackError("snappy: the data ends within a block")
        _snappy_block(block, out)
        at += 4 + size


def _snappy_block(block: bytes, out: _Output) -> None:
    import cramjam

    size = shift = 0
    for byte in block[:5]:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    out.expect(size)
    out.add(bytes(cramjam.snappy.decompress_raw(block)))


_UNPACK: Final[Mapping[str, Callable[[bytes, _Output], None]]] = {
    "gzip": _gzip,
    "snappy": _snappy,
    "lz4": _lz4,
    "zstd": _zstd,
}


def _bounded(codec: str) -> Callable[..., bytearray]:
    unpack = _UNPACK[codec]

    def decode(payload: Any, limit: int = MAX_UNPACKED_BYTES) -> bytearray:
        """The unpacked bytes; UnpackError if they are too many or none."""
        out = _Output(limit)
        try:
            unpack(bytes(payload), out)
        except (UnpackError, MemoryError):  # the latter says nothing of the batch
            raise
        except ImportError as error:
            raise MissingCodecError(f"{codec}: {error}. {ADVICE}") from error
        except Exception as error:  # each library has its own
            raise UnpackError(f"{codec}: {error}") from error
        return out.bytes

    return decode


#: Codec -> a function of a payload that gives what it unpacks to.
CODECS: Final = {codec: _bounded(codec) for codec in _UNPACK}


def use_in(*modules: ModuleType) -> None:
    """Make a client's record modules unpack by these functions."""
    for module in modules:
        for codec, decode in CODECS.items():
            if hasattr(module, f"{codec}_decode"):
                setattr(module, f"{codec}_decode", decode)
