"""Dead letters: a refused record as it was, or what of it a message can carry."""

from __future__ import annotations

import pytest
from faust.types import TP

from stream.decode.columns import Reject
from stream.decode.record import FileRecord
from stream.worker.dead_letter import dead_letter
from stream.worker.sender import MAX_VALUE_BYTES, Outgoing

HEAD = 65_536
#: What is left to a value beside a key and headers that are as long as they may be.
ROOM = MAX_VALUE_BYTES - 3 * HEAD


def letter(
    value: bytes | None,
    key: bytes | None = None,
    headers: tuple[tuple[str, bytes], ...] = (),
    *,
    error: str = "no JSON",
    values: bool = True,
) -> tuple[Outgoing, dict[str, str]]:
    record = FileRecord(7, 1_000, value, key, headers)
    sent = dead_letter(
        "dead", TP("predictions", 3), record, Reject(0, "undecodable", error), values=values
    )
    told = {
        name.removeprefix("driftstream.dlq."): (text or b"").decode()
        for name, text in sent.headers
        if name.startswith("driftstream.dlq.")
    }
    return sent, told


@pytest.mark.parametrize("size", [0, 1, HEAD + 1, ROOM - 1, ROOM])
def test_a_value_that_fits_is_sent_as_it_was(size: int) -> None:
    value = bytes(range(256)) * (size // 256) + bytes(size % 256)
    sent, told = letter(value, b"key", (("trace", b"1"),))
    assert (sent.topic, sent.key, sent.value) == ("dead", b"key", value)
    assert sent.headers[0] == ("trace", b"1")
    assert told == {
        "reason": "undecodable",
        "error": "no JSON",
        "topic": "predictions",
        "partition": "3",
        "offset": "7",
        "timestamp": "1000",
    }


@pytest.mark.parametrize("size", [ROOM + 1, 5 * MAX_VALUE_BYTES])
def test_of_a_longer_value_the_head_is_sent_and_how_long_it_was(size: int) -> None:
    sent, told = letter(b"h" * HEAD + b"t" * (size - HEAD))
    assert sent.value == b"h" * HEAD
    assert told["original-bytes"] == str(size)


@pytest.mark.parametrize(("size", "kept"), [(HEAD, True), (HEAD + 1, False)])
def test_a_key_and_headers_are_sent_whole_or_not_at_all(size: int, kept: bool) -> None:
    sent, told = letter(b"v", b"k" * size, (("é", b"x" * (size - 2)),))
    assert (sent.key is not None) is kept
    assert (sent.headers[0][0] == "é") is kept
    assert told.get("original-key-bytes") == (None if kept else str(size))
    assert told.get("original-headers-bytes") == (None if kept else str(size))


def test_however_long_all_parts_are_the_letter_fits_into_a_message() -> None:
    for value, key, of_header in ((ROOM, HEAD, HEAD - 1), (10**7, 10**7, 10**7)):
        sent, _ = letter(b"v" * value, b"k" * key, (("h", b"x" * of_header),), error="e" * 10**6)
        headers = sum(len(name.encode()) + len(text or b"") for name, text in sent.headers)
        assert len(sent.value or b"") + len(sent.key or b"") + headers <= MAX_VALUE_BYTES


def test_without_values_only_where_and_why_is_sent() -> None:
    sent, told = letter(b"secret", b"secret", (("secret", b"secret"),), values=False)
    assert (sent.key, sent.value) == (None, b"")
    assert all(name.startswith("driftstream.dlq.") for name, _ in sent.headers)
    assert "secret" not in "".join(told.values())
