"""Snapshots: rounds that break off anywhere, other writers, damage."""

from __future__ import annotations

import random
import zlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.stage2 import snapshot as module
from stream.stage2.snapshot import (
    Manifest,
    SnapshotError,
    SnapshotWriter,
    best_snapshot,
    open_block,
    seal_block,
)

few = settings(derandomize=True, max_examples=100, deadline=None)
Records = list[tuple[bytes, bytes | None]]


def write(
    log: Records, writer: SnapshotWriter, fence: int, dirty, names, *, stop: int | None = None
):
    """Append a round to the state topic, or its first `stop` records only."""
    planned = writer.plan(fence, dirty, names)
    records = [*planned.blocks, planned.manifest]
    log.extend(records[:stop])
    if stop is None or stop >= len(records):
        log.extend((key, None) for key in writer.done(planned))
    return len(records)


def compacted(log: Records) -> Records:
    latest = dict(log)
    return [(key, value) for key, value in latest.items() if value is not None]


def restored(log: Records, partition: int = 0):
    found = best_snapshot(partition, log)
    again = best_snapshot(partition, compacted(log))
    assert (found is None) == (again is None)
    if found is None:
        return None
    assert again is not None
    assert again[1] == found[1]
    return found[0].fence, found[1]


@given(st.binary(max_size=2_000))
@few
def test_a_block_comes_back(payload):
    assert open_block(seal_block(payload)) == payload


@given(st.binary(min_size=1, max_size=300), st.data())
@few
def test_a_damaged_block_is_refused(payload, data):
    sealed = bytearray(seal_block(payload))
    at = data.draw(st.integers(0, len(sealed) - 1))
    flipped = bytes([*sealed[:at], sealed[at] ^ data.draw(st.integers(1, 255)), *sealed[at + 1 :]])
    for damaged in (flipped, bytes(sealed[:at]), bytes(sealed) + b"x"):
        with pytest.raises(SnapshotError):
            open_block(damaged)


def test_a_block_that_checks_but_does_not_unpack_is_refused(monkeypatch):
    def stored(packed: bytes) -> bytes:
        return module._MAGIC + module._checksum(packed) + packed

    for packed in (b"not packed", b"", zlib.compress(b"a" * 99)[:-3], zlib.compress(b"a") + b"b"):
        with pytest.raises(SnapshotError):
            open_block(stored(packed))
    monkeypatch.setattr(module, "_MAX_PAYLOAD", 1_000)
    assert open_block(seal_block(b"a" * 1_000)) == b"a" * 1_000
    with pytest.raises(SnapshotError, match="within 1000 bytes"):
        open_block(seal_block(b"a" * 1_001))


@given(st.integers(0, 2**32))
@few
def test_any_beginning_of_a_round_leaves_the_last_whole_one(seed):
    """Rounds that change, add and drop blocks; every one of them broken off everywhere."""
    rng = random.Random(seed)
    writer = SnapshotWriter(0, "w")
    log: Records = []
    state: dict[str, bytes] = {}
    for fence in range(1, 12):
        before = (fence - 1, dict(state)) if fence > 1 else None
        changed = set(rng.sample("abcde", rng.randint(0, 5)))
        for name in changed:
            if name in state and rng.random() < 0.3:
                del state[name]
            else:
                state[name] = f"{name} at {fence}".encode()
        dirty = {n: p for n, p in state.items() if n in changed or n not in writer.written}
        size = len(dirty) + 1
        for stop in range(size):
            attempt = list(log)
            write(attempt, writer, fence, dirty, list(state), stop=stop)
            assert restored(attempt) == before
        assert write(log, writer, fence, dirty, list(state)) == size
        assert restored(log) == (fence, state)


def test_blocks_that_did_not_change_are_not_written_again():
    writer = SnapshotWriter(0, "w")
    log: Records = []
    write(log, writer, 1, {"a": b"1", "b": b"2"}, ["a", "b"])
    planned = writer.plan(2, {"a": b"3"}, ["a", "b"])
    assert len(planned.blocks) == 1
    assert len({key for key, _ in log} & {planned.blocks[0][0], planned.manifest[0]}) == 0


def test_the_highest_fence_wins_whoever_wrote_it():
    log: Records = []
    write(log, SnapshotWriter(0, "new"), 9, {"a": b"new"}, ["a"])
    write(log, SnapshotWriter(0, "zombie"), 5, {"a": b"old"}, ["a"])
    assert restored(log) == (9, {"a": b"new"})


def test_a_writer_that_is_deleted_half_is_passed_over():
    log: Records = []
    write(log, SnapshotWriter(0, "old"), 5, {"a": b"old"}, ["a"])
    newer = SnapshotWriter(0, "new")
    write(log, newer, 9, {"a": b"new"}, ["a"])
    block = next(key for key, _ in log if newer.owns(key) and key.startswith(b"block"))
    log.append((block, None))
    assert restored(log) == (5, {"a": b"old"})


@given(st.data())
@few
def test_damage_anywhere_in_the_topic_leaves_the_other_snapshot_or_none(data):
    log: Records = []
    write(log, SnapshotWriter(0, "one"), 5, {"a": b"1", "b": b"2"}, ["a", "b"])
    write(log, SnapshotWriter(0, "two"), 9, {"a": b"3", "b": b"4"}, ["a", "b"])
    at = data.draw(st.integers(0, len(log) - 1))
    key, value = log[at]
    assert value is not None
    if data.draw(st.booleans()):
        log[at] = (key, value[: data.draw(st.integers(0, len(value) - 1))])
    else:
        log[at] = (key, data.draw(st.binary(max_size=40)))
    expected = (5, {"a": b"1", "b": b"2"}) if at >= 3 else (9, {"a": b"3", "b": b"4"})
    assert restored(log) == expected


def test_manifests_of_other_partitions_and_other_versions_are_passed_over():
    log: Records = []
    write(log, SnapshotWriter(10, "w"), 5, {"a": b"1"}, ["a"])
    assert restored(log, partition=1) is None
    log.append((b"manifest|1|w|0", seal_block(b"\x91\x00", b"DRFM\x02")))
    log.append((b"manifest|1|w|1", seal_block(b"\x91\x00", b"DRFM\x03")))
    log.append((b"manifest|1|x|1", b""))
    log.append((b"else", b"what"))
    assert restored(log, partition=1) is None


def test_what_cannot_be_used_says_why():
    log: Records = []
    write(log, SnapshotWriter(0, "w"), 5, {"a": b"1"}, ["a"])
    block, manifest = (dict(log)[key] for key in (log[0][0], log[1][0]))
    assert [stored.fault for stored in module.stored_rounds(0, log)] == [""]
    other = b'{"version":1}'
    cases = {
        "block a is missing.": [*log, (log[0][0], None)],
        "block a is not the one of this round, or damaged.": [*log, (log[0][0], block[:-1])],
        "not a snapshot: it begins with b'{\"ve', not b'DRFM'.": [*log, (log[1][0], other)],
        "format 1 of another version of driftstream; this one reads 2. Run the version that wrote "
        "it, or have it rebuilt.": [*log, (log[1][0], b"DRFM\x01" + manifest[5:])],
        "a snapshot block is truncated or corrupted: its checksum differs.": [
            *log,
            (log[1][0], manifest[:-2]),
        ],
    }
    for words, records in cases.items():
        assert [stored.fault for stored in module.stored_rounds(0, records)] == [words]
        assert best_snapshot(0, records) is None


def test_a_snapshot_of_another_log_is_refused():
    """Its fence is an offset of a topic that is not there any more."""
    log: Records = []
    write(log, SnapshotWriter(0, "old", "id-1"), 9, {"a": b"1"}, ["a"])
    assert restored(log) == (9, {"a": b"1"})
    [stored] = module.stored_rounds(0, log, "id-2")
    assert stored.fault.startswith("it is of another summaries topic (id id-1; this one's is id-2)")
    assert module.stored_rounds(0, log, "id-1")[0].fault == ""
    write(log, SnapshotWriter(0, "new", "id-2"), 3, {"a": b"2"}, ["a"])
    found = module.stored_rounds(0, log, "id-2")
    assert [(s.manifest.fence, bool(s.fault)) for s in found] == [(9, True), (3, False)]
    moved = [(key.replace(b"|0|old", b"|4|old"), value) for key, value in log]
    assert module.stored_rounds(4, moved)[0].fault == "it is of partition 0."


def test_a_manifest_that_is_none_says_so():
    packed = seal_block(msgspec.msgpack.encode({"partition": 0}), b"DRFM\x02")
    with pytest.raises(SnapshotError, match="does not decode"):
        Manifest.decode(packed)
