"""Records read by the run are those that aiokafka gives, at the same positions."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from aiokafka import codec as aiokafka_codec
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.contracts.unread import Unread
from stream.kafka import batch_fetch, unpack
from tests.integration.fetches import batch, read_all, result_of, seal


def plain(record: Any) -> tuple[Any, ...]:
    return record.offset, record.timestamp, record.key, record.value, tuple(record.headers)


def log(sizes: list[int]) -> tuple[bytes, list[tuple[int, int]], int]:
    """Batches of these sizes: every third of a transaction that is aborted, some compressed."""
    raw, offset, aborted = b"", 0, []
    for i, n in enumerate(sizes):
        if i % 3 == 2:
            raw += batch(offset, n, producer=7)
            aborted.append((7, offset))
            raw += batch(offset + n, 1, producer=7, control=True)
            offset += n + 1
        else:
            raw += batch(offset, n, producer=7 if i % 3 == 1 else -1, codec=(i + n) % 5)
            offset += n
    return raw, aborted, offset


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=8),
    st.lists(st.integers(1, 7), min_size=1, max_size=20),
    st.integers(0, 8),
)
def test_runs_of_any_length_give_what_aiokafka_gives(
    sizes: list[int], polls: list[int], at: int
) -> None:
    raw, aborted, end = log(sizes)
    at = min(at, sizes[0] - 1)  # a fetch begins with the batch that holds the position
    theirs, their_place = result_of(raw, at, aborted)
    ours, our_place = result_of(raw, at, aborted)
    run = batch_fetch._Run(ours)
    for k in range(200):
        most = polls[k % len(polls)]
        expected = theirs.getall(most)
        got = run.getall(most)
        assert list(map(plain, got)) == list(map(plain, expected))
        assert len(got) <= most
        assert our_place.position == their_place.position or not got
        if not theirs.has_more():
            break
    while ours.has_more():
        assert run.getall(1) == []
    assert our_place.position == their_place.position == end


def changed(whole: bytes, at: int, byte: int, *, sealed: bool = True) -> bytes:
    """A batch with one byte changed, and a checksum that is right or not."""
    damaged = bytearray(whole)
    damaged[at] = byte
    if sealed:
        seal(damaged)
    return bytes(damaged)


def shown(found: list[Any]) -> list[Any]:
    """Offsets, and of what was not read (first, last, reason)."""
    return [
        (one.offset, one.last, one.reason) if type(one) is Unread else one.offset for one in found
    ]


@pytest.mark.parametrize("codec", range(5))
@pytest.mark.parametrize("most", [1, 3, 100])
def test_a_batch_with_a_wrong_checksum_is_unread_and_the_next_is_read(
    codec: int, most: int
) -> None:
    whole = batch(4, 4, codec=codec)
    damaged = changed(whole, -1, whole[-1] ^ 1, sealed=False)
    found, position = read_all(batch(0, 4) + damaged + batch(8, 2), most=most)
    assert shown(found) == [0, 1, 2, 3, (4, 7, "corrupt"), 8, 9]
    assert found[4].timestamp == -1, "what its header says is not known to be right"
    assert "checksum" in found[4].error
    assert position == 10


@pytest.mark.parametrize("codec", range(1, 5))
def test_a_payload_that_does_not_unpack_is_unread(codec: int) -> None:
    whole = batch(4, 4, codec=codec)
    for damaged in (
        changed(whole, 61, whole[61] ^ 0xFF),
        _resized(whole[:-5]),
        _resized(whole[:61]),
    ):
        found, _ = read_all(batch(0, 4) + damaged + batch(8, 2))
        read = [one for one in shown(found) if isinstance(one, int)]
        lost = [one for one in shown(found) if not isinstance(one, int)]
        [(first, last, reason)] = lost
        assert read == [*range(first), 8, 9], "what was read before it stays"
        assert 4 <= first <= last == 7
        assert reason == "corrupt"


def _resized(whole: bytes) -> bytes:
    damaged = bytearray(whole)
    damaged[8:12] = (len(whole) - 12).to_bytes(4, "big")
    seal(damaged)
    return bytes(damaged)


@pytest.mark.parametrize("codec", [5, 6, 7])
def test_an_unknown_codec_is_unread(codec: int) -> None:
    whole = batch(4, 4)
    found, _ = read_all(batch(0, 4) + changed(whole, 22, whole[22] | codec) + batch(8, 1))
    assert shown(found) == [0, 1, 2, 3, (4, 7, "unknown_codec"), 8]
    assert f"{codec:#04x}" in found[4].error


@pytest.mark.parametrize("codec", range(5))
@pytest.mark.parametrize("most", [1, 2, 100])
def test_a_batch_that_breaks_in_its_middle_is_read_up_to_there(codec: int, most: int) -> None:
    """The same records for every size of poll: chunks must not depend on it."""
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, 0, 0, 10**6)
    for i in range(6):
        builder.append(i, 1_000, None, b"v", [("é" if i == 3 else "h", b"w")])
    whole = builder.build()
    whole[22] |= codec
    payload = bytes(whole[61:]).replace("é".encode(), b"\xff\xfe")
    if codec:
        name = ("gzip", "snappy", "lz4", "zstd")[codec - 1]
        payload = getattr(aiokafka_codec, f"{name}_encode")(payload)
    found, position = read_all(_resized(bytes(whole[:61]) + payload) + batch(6, 1), most=most)
    assert shown(found) == [0, 1, 2, (3, 5, "batch_undecodable"), 6]
    assert found[3].error == "the name of a header is not UTF-8"
    assert position == 7


def test_a_header_that_cannot_be_is_one_record_unread() -> None:
    """Its checksum is wrong, so its number of records may be as well."""
    whole = batch(4, 4)
    damaged = changed(whole, 23, 0x7F, sealed=False)  # last offset delta
    found, position = read_all(batch(0, 4) + damaged)
    assert shown(found) == [0, 1, 2, 3, (4, 4, "corrupt")]
    assert position == 5


@pytest.mark.parametrize("codec", range(1, 5))
def test_a_bomb_is_unread_and_what_follows_is_read(codec: int) -> None:
    builder = DefaultRecordBatchBuilder(2, codec, False, -1, 0, 0, 2**30)
    builder.append(0, 5_000, None, bytes(unpack.MAX_UNPACKED_BYTES), [])
    bomb = bytes(builder.build())
    found, position = read_all(bomb + batch(1, 2))
    assert shown(found) == [(0, 0, "batch_too_large"), 1, 2]
    assert found[0].timestamp == 5_000
    assert position == 3


@pytest.mark.parametrize("codec", range(1, 5))
def test_many_records_of_a_large_batch_are_made_a_few_at_a_time(codec: int) -> None:
    builder = DefaultRecordBatchBuilder(2, codec, False, -1, 0, 0, 2**30)
    for i in range(2_400):
        builder.append(i, 5_000, None, bytes(20_000), [])
    batch_fetch.use_bounded_codecs()
    result, _ = result_of(bytes(builder.build()), 0, [])
    run = batch_fetch._Run(result)
    found = run.getall(4_000)
    assert (
        0
        < sum(len(r.value) for r in found)
        <= batch_fetch.POLL_BYTES + batch_fetch._AT_ONCE * 20_000
    )
    assert found.size == sum(len(r.value) for r in found)
    assert run.getall(4_000) == [], "no room is left in this poll"
    run.room = batch_fetch._Room()
    assert run.getall(4_000)[0].offset == len(found)


def test_old_formats_are_read_and_bounded() -> None:
    batch_fetch.use_bounded_codecs()
    for codec in (1, 2, 3):
        builder = LegacyRecordBatchBuilder(1, codec, 10**9)
        for i in range(3):
            builder.append(i, 1_000, None, b"old %d" % i)
        raw = bytearray(builder.build())
        raw[0:8] = (2).to_bytes(8, "big")  # a wrapper has the offset of its last
        assert shown(read_all(bytes(raw))[0]) == [0, 1, 2], codec
        builder = LegacyRecordBatchBuilder(1, codec, 10**9)
        builder.append(0, 1_000, None, bytes(unpack.MAX_UNPACKED_BYTES))
        found, position = read_all(bytes(builder.build()))
        assert shown(found) == [(0, 0, "batch_too_large")], codec
        assert position == 1


def test_a_fetch_is_freed_when_it_is_dropped_without_the_collector() -> None:
    """A cycle held 200 MB more: workers collect seldom."""
    result, _ = result_of(batch(0, 4), 0, [])
    result.getall = batch_fetch._Run(result).getall
    assert len(result.getall(2)) == 2
    gone = weakref.ref(result), weakref.ref(result._partition_records)
    gc.disable()
    try:
        del result
        assert [one() for one in gone] == [None, None]
    finally:
        gc.enable()


def test_a_partition_that_was_lost_gives_nothing() -> None:
    result, place = result_of(batch(0, 4), 0, [])
    place.active = False
    assert batch_fetch._Run(result).getall(9) == []


def test_the_installed_aiokafka_is_the_one_this_was_written_against() -> None:
    batch_fetch.check_aiokafka()


def test_another_aiokafka_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FetchResult, "getall", lambda self: [])
    with pytest.raises(RuntimeError, match=r"FetchResult.getall should take .* Install aiokafka"):
        batch_fetch.check_aiokafka()


@pytest.mark.parametrize("at", [8, 16])
def test_a_fetch_that_cannot_be_cut_into_batches_ends_there(at: int) -> None:
    """aiokafka gives the same error for ever; reading begins anew behind it."""
    whole = bytearray(batch(4, 4))
    whole[at] = 0 if at == 16 else 0x7F
    found, position = read_all(bytes(whole), 4)
    assert shown(found) in ([(4, 4, "corrupt")], [])
    assert position == 4 + len(found)
    assert found or at == 8, "a length beyond the fetch is a batch that is not there yet"
