"""Compressed batches unpack to what others packed, and to no more than the limit."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from collections.abc import Callable

import cramjam
import lz4.frame
import pytest
import snappy
import zstandard
from aiokafka import codec as aiokafka_codec
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kafka import codec as kafka_codec

from stream.kafka.unpack import CODECS, MAX_UNPACKED_BYTES, TooLargeError, UnpackError


def zstd_stream(data: bytes) -> bytes:
    """As the Java producer writes it: the size of the content is not said."""
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(data) + packer.flush()


def xerial(data: bytes) -> bytes:
    """Snappy with its version little-endian, as some brokers write it."""
    packed = bytearray(aiokafka_codec.snappy_encode(data))
    packed[8:16] = struct.pack("<ii", 1, 1)
    return bytes(packed)


#: (codec, packer): every way in which producers write a batch.
PACKERS: list[tuple[str, Callable[[bytes], bytes]]] = [
    *((c, getattr(aiokafka_codec, f"{c}_encode")) for c in CODECS),
    *((c, getattr(kafka_codec, f"{c}_encode")) for c in CODECS),
    ("gzip", lambda data: gzip.compress(data[:5]) + gzip.compress(data[5:])),
    ("lz4", lambda data: lz4.frame.compress(data, store_size=True)),
    ("lz4", lambda data: lz4.frame.compress(data[:5]) + lz4.frame.compress(data[5:])),
    ("snappy", snappy.compress),
    ("snappy", xerial),
    ("zstd", zstd_stream),
    ("zstd", lambda data: zstd_stream(data[:5]) + zstd_stream(data[5:])),
    ("zstd", zstandard.ZstdCompressor(level=22).compress),
]
every_packer = pytest.mark.parametrize(
    ("codec", "pack"), PACKERS, ids=[f"{c}-{i}" for i, (c, _) in enumerate(PACKERS)]
)


def attempt(codec: str, packed: bytes) -> tuple[bytes | None, UnpackError | None]:
    try:
        return bytes(CODECS[codec](packed)), None
    except UnpackError as error:
        return None, error


@every_packer
@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=300), st.integers(1, 900))
@example(bytes(10_000_000), 1)
def test_what_was_packed_comes_back(
    codec: str, pack: Callable[[bytes], bytes], piece: bytes, times: int
) -> None:
    data = (piece or b"x") * times
    assert CODECS[codec](pack(data)) == data
    assert CODECS[codec](pack(data), limit=len(data)) == data
    with pytest.raises(TooLargeError):
        CODECS[codec](pack(data), limit=len(data) - 1)


@every_packer
def test_a_bomb_is_refused_with_little_more_memory_than_the_limit(
    codec: str, pack: Callable[[bytes], bytes]
) -> None:
    packed = pack(bytes(MAX_UNPACKED_BYTES + 5_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError, match="more than 67,108,864 bytes"):
            CODECS[codec](packed)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.3 * MAX_UNPACKED_BYTES + 3 * len(packed)


@pytest.mark.parametrize("codec", CODECS)
def test_a_size_that_is_said_is_refused_before_anything_is_unpacked(codec: str) -> None:
    size = MAX_UNPACKED_BYTES + 1
    packed = {
        "lz4": lambda: lz4.frame.compress(bytes(size), store_size=True)[:400],
        "zstd": lambda: zstandard.ZstdCompressor().compress(bytes(size))[:30],
        "snappy": lambda: bytes(cramjam.snappy.compress_raw(bytes(size)))[:400],
        "gzip": lambda: gzip.compress(bytes(size)),  # says it modulo 4 GiB, at its end
    }[codec]()
    with pytest.raises(TooLargeError):
        CODECS[codec](packed)


@every_packer
def test_what_is_cut_off_is_an_error_or_less(codec: str, pack: Callable[[bytes], bytes]) -> None:
    """Zstd that does not say its size cannot know; the records within say so then."""
    data = b"".join(b"%d," % i for i in range(20_000))
    packed = pack(data)
    for cut in (0, 1, 9, 17, len(packed) // 2, len(packed) - 1):
        got, error = attempt(codec, packed[:cut])
        if got is None:
            assert type(error) is UnpackError
            assert len(str(error)) > 10
        else:
            assert len(got) < len(data)
            assert codec == "zstd" or cut in (0, 17), "cut between two members it is whole"


@pytest.mark.parametrize("codec", CODECS)
@given(junk=st.binary(max_size=200))
@example(junk=b"\x82SNAPPY\x00" + bytes(8) + b"\xff\xff\xff\xff" * 9)
@example(junk=b"\x82SNAPPY\x00")
@example(junk=b"\xff\xff\xff\xff\xff\xff")
def test_junk_is_an_error_with_words(codec: str, junk: bytes) -> None:
    got, error = attempt(codec, junk)
    assert got is not None or str(error)


@pytest.mark.parametrize(("codec", "pack"), [p for p in PACKERS if p[0] != "snappy"])
@pytest.mark.parametrize("tail", [b"x", b"\0" * 9, b"what is behind the records" * 50])
def test_what_follows_is_passed_over(
    codec: str, pack: Callable[[bytes], bytes], tail: bytes
) -> None:
    """Brokers take it: if it were an error, whoever sends could stop a partition."""
    assert CODECS[codec](pack(b"records" * 99) + tail) == b"records" * 99


@pytest.mark.parametrize("codec", ["gzip", "lz4"])
def test_many_empty_members_cost_nothing(codec: str) -> None:
    empty = {"gzip": gzip.compress(b""), "lz4": lz4.frame.compress(b"")}[codec]
    with pytest.raises(TooLargeError, match="more than 64"):
        CODECS[codec](empty * 40_000)
