"""Parts of the worker that need no broker: the order of deliveries, dead letters, connections."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

import pytest
from faust.types import TP

from stream.contracts.summary_message import Idle, Progress, SummaryBatch, decode_message
from stream.decode.columns import Reject
from stream.decode.native import NativeDecoder
from stream.decode.record import FileRecord
from stream.kafka.connection import RepeatFilter, connection_arguments
from stream.plans.plan import PlanBook
from stream.worker.dead_letter import dead_letter
from stream.worker.read_progress import OPEN_S
from stream.worker.sender import Outgoing, partition_of
from stream.worker.settings import WorkerSettings
from stream.worker.stage1_agent import Stage1
from tests.integration.worker_kit import make_events, make_plan

TOPIC = TP("events", 0)


class Gate:
    """A sender whose deliveries are acknowledged one by one, by the test."""

    def __init__(self) -> None:
        self.sent: list[list[Outgoing]] = []
        self.acks: list[asyncio.Future[None]] = []

    async def deliver(self, records: Iterable[Outgoing]) -> None:
        self.sent.append(list(records))
        self.acks.append(asyncio.get_running_loop().create_future())
        await self.acks[-1]

    async def acknowledge(self) -> None:
        ack = self.acks.pop(0)
        if not ack.cancelled():
            ack.set_result(None)
        await settle()


class Log:
    """A consumer's view of one partition: its end, and what may be committed."""

    def __init__(self, end: int) -> None:
        self.safe: dict[TP, int] = {}
        self.expected = {TOPIC: end}
        self.log_end = end
        self.member = True
        self.stopped: dict[TP, object] = {}
        self.polls = 0
        self.ahead = 0
        self.begin = 0  # of the log
        self.open = 0  # records of an open transaction, behind what may be read

    def end(self, tp: TP) -> int | None:
        return self.log_end + self.open

    async def pass_cut(self, tp: TP, expected: int) -> bool:
        cut = self.begin > expected
        self.expected[tp] = max(self.begin, expected)
        return cut

    async def fresh_ends(self, partitions: Iterable[TP]) -> dict[TP, int]:
        return dict.fromkeys(partitions, self.log_end)

    async def still_member(self, tp: TP) -> bool:
        return self.member

    async def position(self, tp: TP) -> int:
        return self.expected[tp] + self.ahead


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Bench:
    def __init__(self, end: int = 20_000) -> None:
        self.plan = make_plan("events")
        plans = PlanBook()
        plans.add(self.plan)
        self.gate, self.log, self.now = Gate(), Log(end), 0.0
        self.crashes: list[BaseException] = []
        self.stage = Stage1(
            plans,
            NativeDecoder(plans, max_ahead_ms=2**62),
            self.gate,
            {"events": ("id", 1)},
            summaries="summaries",
            n_summaries=2,
            dead_letters="dead",
            idle_after_s=10.0,
            crash=self.crash,
            clock=lambda: self.now,
        )
        self.stage.consumer = self.log
        self.stage.assigned({TOPIC: 0})

    async def crash(self, error: BaseException) -> None:
        self.crashes.append(error)

    async def look(self, now: float = 0.0) -> None:
        self.now = now
        looking = asyncio.ensure_future(self.stage.flush_idle_partitions())
        await settle()
        while self.gate.acks:
            await self.gate.acknowledge()
        await looking

    def kinds(self) -> list[set[type]]:
        return [{type(decode_message(r.value)) for r in sent} for sent in self.gate.sent]


def records(n: int, first: int = 0) -> list[FileRecord]:
    return [FileRecord(first + i, 0, e) for i, e in enumerate(make_events(n, None))]


def test_progress_follows_acknowledged_summaries_and_only_then_the_offset_is_safe() -> None:
    async def run() -> None:
        bench = Bench()
        consuming = asyncio.ensure_future(bench.stage.consume(TOPIC, records(16_384)))
        await settle()
        assert bench.kinds() == [{SummaryBatch}]
        await bench.gate.acknowledge()
        assert bench.kinds() == [{SummaryBatch}, {Progress}]
        assert [r.partition for r in bench.gate.sent[1]] == [0, 1]
        assert bench.log.safe == {TOPIC: 0}
        await bench.gate.acknowledge()
        assert bench.log.safe == {TOPIC: 16_384}
        await consuming

    asyncio.run(run())


def test_at_most_one_flush_waits_and_the_source_is_not_read_on() -> None:
    async def run() -> None:
        bench = Bench()
        all_records = records(9_000)
        consuming = [
            asyncio.ensure_future(bench.stage.consume(TOPIC, all_records[i : i + 3_000]))
            for i in (0, 3_000, 6_000)
        ]
        await settle()
        assert len(bench.gate.sent) == 1, "the second flush waits for the first"
        assert [task.done() for task in consuming] == [True, True, False]
        while bench.gate.acks:
            await bench.gate.acknowledge()
        assert all(task.done() for task in consuming)
        assert bench.kinds() == [{SummaryBatch}, {Progress}] * 3

    asyncio.run(run())


def test_a_lost_partition_publishes_no_progress_and_moves_no_offset() -> None:
    async def run() -> None:
        bench = Bench()
        await bench.stage.consume(TOPIC, records(16_384))
        await settle()
        bench.stage.revoked([TOPIC])
        await bench.gate.acknowledge()
        assert bench.kinds() == [{SummaryBatch}]
        assert bench.log.safe == {TOPIC: 0}
        assert not bench.crashes

    asyncio.run(run())


def test_a_failed_delivery_ends_the_worker() -> None:
    async def run() -> None:
        bench = Bench()
        await bench.stage.consume(TOPIC, records(16_384))
        await settle()
        bench.gate.acks.pop(0).set_exception(RuntimeError("not delivered"))
        await settle()
        assert [str(e) for e in bench.crashes] == ["not delivered"]
        assert bench.log.safe == {TOPIC: 0}

    asyncio.run(run())


@pytest.mark.parametrize(
    ("end", "member", "stopped", "says_idle"),
    [
        (1_000, True, False, True),
        (1_001, True, False, False),
        (1_000, False, False, False),
        (9_000, True, True, True),
        (9_000, False, True, False),
    ],
)
def test_idle_is_said_by_a_member_that_is_caught_up_or_stopped(
    end: int, member: bool, stopped: bool, says_idle: bool
) -> None:
    async def run() -> None:
        bench = Bench(end)
        bench.log.expected[TOPIC] = 1_000
        bench.log.member = member
        bench.log.stopped = {TOPIC: "damaged"} if stopped else {}
        await bench.stage.consume(TOPIC, records(1_000))
        await settle()
        while bench.gate.acks:
            await bench.gate.acknowledge()
        before = len(bench.gate.sent)
        await bench.look(11.0)
        kinds = bench.kinds()[before:]
        assert kinds == ([{SummaryBatch}, {Progress}, {Idle}] if says_idle else [])
        if says_idle:
            assert decode_message(bench.gate.sent[-1][0].value).next_offset == 1_000

    asyncio.run(run())


@pytest.mark.parametrize("markers", [True, False])
def test_records_that_wait_to_be_handed_over_are_no_silence(markers: bool) -> None:
    """The position passes them when they are fetched, as it passes markers of transactions."""

    async def run() -> None:
        bench = Bench(1_010)
        log = bench.log
        log.expected[TOPIC], log.ahead = 1_000, 10

        await bench.stage.consume(TOPIC, records(1_000))
        await bench.look(0.0)
        for now in (11.0, 12.0, 60.0):
            await bench.look(now)
            assert {Idle} not in bench.kinds(), "that poll may still bring them"
        log.polls += 1
        if not markers:
            log.expected[TOPIC], log.ahead = 1_010, 0
        await bench.look(61.0)
        assert ({Idle} in bench.kinds()) == markers
        if markers:  # more comes, and waits in its turn
            log.log_end, log.ahead = 1_020, 20
            said = bench.kinds().count({Idle})
            await bench.look(80.0)
            assert bench.kinds().count({Idle}) == said

    asyncio.run(run())


def test_an_open_transaction_is_no_silence_unless_it_hangs() -> None:
    async def run() -> None:
        bench = Bench(1_000)
        log = bench.log
        log.expected[TOPIC], log.open = 1_000, 500
        await bench.stage.consume(TOPIC, records(1_000))
        await bench.look()
        for now, idle in ((11.0, 0), (300.0, 0), (11.0 + OPEN_S, 1), (1_000.0, 2)):
            await bench.look(now)
            assert bench.kinds().count({Idle}) == idle
        log.log_end, log.expected[TOPIC] = 1_500, 1_500  # it ends, and another one begins
        await bench.stage.consume(TOPIC, records(500, 1_000))
        await bench.look(1_100.0)
        assert bench.kinds().count({Idle}) == 2

    asyncio.run(run())


def test_what_brings_no_records_is_read_when_the_partition_is_called_silent() -> None:
    """Markers, aborted transactions, and what retention took before it was read."""

    async def run() -> None:
        bench = Bench(5_000)
        log = bench.log
        log.expected[TOPIC], log.ahead = 0, 5_000
        part = bench.stage.parts[TOPIC]
        await bench.look(11.0)
        log.polls += 1
        await bench.look(12.0)
        assert (part.next_offset, part.progress.through) == (0, 5_000)
        log.log_end, log.ahead, log.begin = 9_000, 9_000, 8_000
        await bench.look(23.0)
        log.polls += 1
        await bench.look(24.0)
        assert (part.next_offset, part.progress.through) == (8_000, 9_000)
        assert log.safe[TOPIC] == 8_000, "no chunk begins before that any more"
        await bench.stage.consume(TOPIC, records(100, 9_000))
        assert part.next_offset == 9_100

    asyncio.run(run())


def test_a_dead_letter_keeps_the_original_and_a_huge_one_its_head() -> None:
    reject = Reject(0, "undecodable", "no json")
    record = FileRecord(7, 5, b"\xff", b"key", (("h", b"1"),))
    letter = dead_letter("dead", TOPIC, record, reject)
    assert (letter.topic, letter.key, letter.value) == ("dead", b"key", b"\xff")
    assert dict(letter.headers) == {
        "h": b"1",
        "driftstream.dlq.reason": b"undecodable",
        "driftstream.dlq.error": b"no json",
        "driftstream.dlq.topic": b"events",
        "driftstream.dlq.partition": b"0",
        "driftstream.dlq.offset": b"7",
        "driftstream.dlq.timestamp": b"5",
    }
    huge = dead_letter("dead", TOPIC, FileRecord(7, 5, b"x" * 10_000_000), reject)
    assert huge.value is not None
    assert len(huge.value) == 65_536
    assert dict(huge.headers)["driftstream.dlq.original-bytes"] == b"10000000"


def test_every_dead_letter_can_be_delivered() -> None:
    """One that cannot would block its partition for ever."""
    large = b"x" * 900_000
    record = FileRecord(7, 5, large, large, (("h", large), ("i", large)))
    letter = dead_letter("dead", TOPIC, record, Reject(0, "unknown_model", "m" * 900_000))
    about = dict(letter.headers)
    assert about["driftstream.dlq.original-key-bytes"] == b"900000"
    assert about["driftstream.dlq.original-headers-bytes"] == b"1800002"
    headers = sum(len(name) + len(text) for name, text in letter.headers)
    assert len(letter.key or b"") + len(letter.value or b"") + headers < 1_000_000


def test_a_record_of_nothing_has_a_dead_letter_too() -> None:
    letter = dead_letter("dead", TOPIC, FileRecord(7, 5, None), Reject(0, "empty", "a null value"))
    assert (letter.key, letter.value) == (None, b"")
    kept = dead_letter("dead", TOPIC, FileRecord(7, 5, None, b"k"), Reject(0, "empty", "null"))
    assert (kept.key, kept.value) == (b"k", None)


def test_dead_letters_without_values_say_where_to_look() -> None:
    record = FileRecord(7, 5, b"secret", b"alice", (("h", b"1"),))
    letter = dead_letter("dead", TOPIC, record, Reject(0, "undecodable", "no json"), values=False)
    assert (letter.key, letter.value) == (None, b"")
    assert all(name.startswith("driftstream.dlq.") for name, _ in letter.headers)
    assert dict(letter.headers)["driftstream.dlq.offset"] == b"7"


@pytest.mark.parametrize(
    ("key", "murmur2"),
    [  # the vectors of Kafka's own UtilsTest
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_partitions_are_those_of_kafkas_default_partitioner(key: bytes, murmur2: int) -> None:
    assert [partition_of(key, n) for n in (1, 3, 8)] == [
        (murmur2 & 0x7FFFFFFF) % n for n in (1, 3, 8)
    ]


def test_connection_settings_have_librdkafkas_names() -> None:
    got = connection_arguments(
        {
            "bootstrap_servers": "a:1,b:2",
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_username": "me",
            "sasl_password": "secret",
            "ssl_endpoint_identification_algorithm": "none",
        }
    )
    context = got.pop("ssl_context")
    assert context.check_hostname is False
    assert got == {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "me",
        "sasl_plain_password": "secret",
    }
    with pytest.raises(ValueError, match=r"certificates cannot be used.*ssl_ca_location"):
        connection_arguments(
            {"bootstrap_servers": "a", "security_protocol": "SSL", "ssl_ca_location": "/nowhere"}
        )


def test_a_repeated_message_is_logged_once_in_a_while() -> None:
    now = 0.0
    repeated = RepeatFilter(10.0, clock=lambda: now)

    def record(text: str) -> logging.LogRecord:
        return logging.LogRecord("aiokafka", logging.ERROR, "", 0, text, (), None)

    assert repeated.filter(record("gone"))
    assert not repeated.filter(record("gone"))
    assert repeated.filter(record("other"))
    now = 11.0
    assert repeated.filter(record("gone"))


def test_settings_say_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"--stage must be one of all, summarise, join, monitor"):
        WorkerSettings({}, stage="both")
    with pytest.raises(ValueError, match=r"worker\.idle_after must be > 0; got 0"):
        WorkerSettings({}, idle_after_s=0)
