"""A batch that cannot be read is one record of its chunk, a dead letter, and skipped by a fact."""

from __future__ import annotations

import sys

import pytest
from faust.types import TP
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from stream.contracts.summary_message import Progress, Source, decode_message
from stream.contracts.unread import Unread
from stream.decode.columns import REASONS
from stream.decode.native import NativeDecoder
from stream.decode.record import FileRecord, Record, offset_after
from stream.kafka.codecs import unread_codecs
from stream.kafka.skips import Skip, SkipBook, skip_record
from stream.plans.plan import PlanBook
from stream.stage1.summarise import Flush, Summariser
from stream.worker.dead_letter import dead_letter
from stream.worker.partition_stop import as_skipped, stop_at_unreadable
from tests.stream.harness import START_S, make_events, make_plan

TP_0 = TP("predictions", 3)
NOW_MS = (START_S + 3_600) * 1000


def unread(first: int, last: int, reason: str = "corrupt") -> Unread:
    return Unread(first, last, NOW_MS, reason, "its checksum does not match its bytes")


def a_skip(first: int, last: int, topic_id: str = "id") -> Skip:
    return Skip(
        *("predictions", topic_id, 3, first, last, "corrupt", "torn", "ada"),
        "2026-01-02T03:04:05Z",
    )


@pytest.fixture(scope="module")
def book() -> PlanBook:
    book = PlanBook()
    book.add(make_plan())
    return book


def log(holes: list[int]) -> list[Record]:
    """Events, and a batch of 7 offsets that cannot be read at each of these places."""
    events = iter(make_events(1, 300))
    records: list[Record] = []
    offset = 0
    for i in range(120):
        if i in holes:
            records.append(unread(offset, offset + 6, "batch_too_large"))
            offset += 7
        records.append(FileRecord(offset, NOW_MS, next(events)))
        offset += 1
    return records


def in_runs(records: list[Record], sizes: list[int]) -> list[list[Record]]:
    """As they are polled: an unread batch ends its run."""
    runs: list[list[Record]] = [[]]
    for record in records:
        if runs[-1] and (
            type(runs[-1][-1]) is Unread or len(runs[-1]) >= sizes[len(runs) % len(sizes)]
        ):
            runs.append([])
        runs[-1].append(record)
    return runs


def outcome(flushes: list[Flush]) -> tuple[list[object], dict[bytes, bytes], list[int]]:
    letters = [
        (record.offset, offset_after(record), reject.reason)
        for flush in flushes
        for record, reject in flush.rejects
    ]
    commits = [flush.commit for flush in flushes if flush.commit is not None]
    return letters, {k: v for flush in flushes for k, v in flush.summaries}, commits


@settings(max_examples=30, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(
    holes=st.lists(st.integers(0, 119), max_size=4),
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=5),
    chunk=st.integers(5, 60),
)
def test_chunks_are_the_same_for_every_size_of_poll(
    book: PlanBook, holes: list[int], sizes: list[int], chunk: int
) -> None:
    source = Source("id", "predictions", 3, 4)
    outcomes = []
    for cut in (sizes, [1]):
        stage = Summariser(source, book, NativeDecoder(book), chunk_records=chunk)
        flushes = [f for run in in_runs(log(holes), cut) for f in stage.add(run)]
        if (last := stage.flush_idle()) is not None:
            flushes.append(last)
        outcomes.append((outcome(flushes), decode_message(flushes[-1].progress)))
    assert outcomes[0] == outcomes[1]
    (letters, _, commits), progress = outcomes[0]
    assert isinstance(progress, Progress)
    assert progress.through == offset_after(log(holes)[-1]) - 1
    assert letters == [
        (r.offset, r.offset + 7, "batch_too_large") for r in log(holes) if type(r) is Unread
    ]
    starts = {record.offset for record in log(holes)} | {progress.through + 1}
    assert set(commits) <= starts, "a chunk begins where a record does"


def test_a_dead_letter_of_a_batch_names_its_offsets(book: PlanBook) -> None:
    stage = Summariser(Source("id", "predictions", 3, 4), book, NativeDecoder(book))
    stage.add([unread(40, 47, "batch_skipped")])
    [(record, reject)] = stage.flush_idle().rejects  # type: ignore[union-attr]
    letter = dead_letter("dead", TP_0, record, reject)
    about = {name.rpartition(".")[2]: value.decode() for name, value in letter.headers}
    assert (about["offset"], about["last-offset"], about["partition"]) == ("40", "47", "3")
    assert about["reason"] == "batch_skipped"
    assert about["error"] == "its checksum does not match its bytes"
    assert letter.value == b""
    assert stage.stats.rejected == {"batch_skipped": 1}
    assert "batch_skipped" in REASONS


def test_what_stops_and_what_is_passed_over() -> None:
    book = SkipBook(lambda _: "id")
    for reason, sent in (
        ("corrupt", False),
        ("unknown_codec", False),
        ("batch_too_large", True),
        ("batch_undecodable", True),
    ):
        batch = unread(40, 47, reason)
        assert (as_skipped(TP_0, batch, book, events=True) is not None) is sent
        assert as_skipped(TP_0, batch, book, events=False) is None
        stop = stop_at_unreadable(TP_0, batch)
        assert (stop.reason, stop.offset, stop.unread) == (reason, 40, batch)
        assert "predictions[3]: the batch at offset 40" in stop.words
        assert "driftstream skip predictions 3 40 -c CONFIG" in stop.words


@pytest.mark.parametrize("events", [True, False])
def test_a_skip_passes_its_batch_and_no_other(events: bool) -> None:
    book = SkipBook(lambda _: "id")
    assert book.add(*skip_record(a_skip(42, 47)))  # whoever skipped looked from its middle on
    told = as_skipped(TP_0, unread(40, 47), book, events=events)
    assert told is not None
    assert (told.offset, told.last, told.reason) == (40, 47, "batch_skipped")
    assert told.error.startswith("skipped by ada at 2026-01-02T03:04:05Z: ")
    for other in (unread(30, 41), unread(48, 50)):
        assert as_skipped(TP_0, other, book, events=events) is None
    assert as_skipped(TP("predictions", 2), unread(40, 47), book, events=events) is None
    assert as_skipped(TP("actuals", 3), unread(40, 47), book, events=events) is None
    assert [skip.first for skip in book.all] == [42]
    assert book.add(skip_record(a_skip(42, 47))[0], None), "and it can be taken back"
    assert as_skipped(TP_0, unread(40, 47), book, events=events) is None


def test_a_skip_of_a_topic_made_again_is_of_other_records() -> None:
    book = SkipBook(lambda _: "new id")
    book.add(*skip_record(a_skip(40, 47, "old id")))
    assert book.find("predictions", 3, unread(40, 47)) is None
    unknown = SkipBook()  # as the plans topic's own is, whose skips are on itself
    unknown.add(*skip_record(a_skip(40, 47, "old id")))
    assert unknown.find("predictions", 3, unread(40, 47)) is not None


def test_a_skip_that_cannot_be_read_is_said(caplog: pytest.LogCaptureFixture) -> None:
    book = SkipBook()
    assert book.add(b"skip:t[0]@1", b"{}")
    assert "cannot be read, so it is ignored" in caplog.text
    assert not book.add(b"fraud/3#0#digest#0/1", b"a part of a plan")
    assert not book.add(None, b"x")
    assert book.all == []


def test_every_codec_is_proved_and_a_missing_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(unread_codecs()) == []
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    monkeypatch.setitem(sys.modules, "zstandard", None)
    said = list(unread_codecs())
    assert len(said) == 4
    for codec, library in (("lz4", "lz4"), ("zstd", "zstandard")):
        for client in ("aiokafka", "kafka-python"):
            [words] = [w for w in said if w.startswith(f"{codec}: {client} cannot unpack")]
            assert library in words
            assert "pip install cramjam lz4 zstandard python-snappy" in words
