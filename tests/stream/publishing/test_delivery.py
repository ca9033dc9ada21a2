"""What a sender tells of producers that fail, which no broker can be made to do at will."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from kafka.errors import UnknownProducerIdError
from kafka.future import Future

from stream.publishing.delivery import Delivery
from stream.publishing.notices import Notices
from stream.publishing.outbox import Message, Outbox

#: Senders of other tests may still speak; this is ours.
WHO = "sender of failing producers"
SENDING_FAILED = "sending failed, and begins anew"
OVER = "confirms events again"


class Producer:
    """Does with each message what it was made for."""

    def __init__(self, end: Callable[[Future], object]) -> None:
        self._end = end

    def send(self, *_: Any, **__: Any) -> Future:
        future = Future()
        self._end(future)
        return future

    def close(self, timeout: float) -> None:
        pass


def fails(future: Future) -> None:
    future.failure(UnknownProducerIdError())


def confirms(future: Future) -> None:
    future.success(None)


class Sender(Delivery):
    """A delivery by producers that are given, one after the other."""

    def __init__(self, outbox: Outbox, ends: Iterable[Callable[[Future], object]]) -> None:
        kafka = {"bootstrap_servers": "127.0.0.1:1"}
        super().__init__(kafka, ("t",), outbox, Notices(WHO), {})
        self._ends = iter(ends)

    def _connected(self) -> Producer:
        return Producer(next(self._ends))


@pytest.fixture
def outbox() -> Iterator[Outbox]:
    outbox = Outbox(100, 10_000, "drop_newest")
    yield outbox
    outbox.close()
    outbox.abandon()


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [text for r in caplog.records if (text := r.getMessage()).startswith(WHO)]


def put(outbox: Outbox) -> None:
    assert not outbox.put(Message("t", None, b"x", []))


def test_who_was_told_that_sending_failed_is_told_that_it_is_over(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    sender = Sender(outbox, [fails, fails, confirms])
    put(outbox)
    sender.start()
    assert outbox.wait_empty(60)
    assert sender.close(60) == 0  # at once, as a service does that ends
    told = lines(caplog)
    assert [SENDING_FAILED in line for line in told] == [True, False]
    assert OVER in told[1]


def test_the_next_failure_is_told_again(outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    ends = iter([confirms, fails])
    sender = Sender(outbox, [fails, lambda future: next(ends)(future), confirms])
    sender.start()
    put(outbox)
    assert outbox.wait_empty(60)
    end = time.monotonic() + 60
    while OVER not in "".join(lines(caplog)):
        assert time.monotonic() < end
        time.sleep(0.01)
    put(outbox)
    assert outbox.wait_empty(60)
    assert sender.close(60) == 0
    told = lines(caplog)
    assert [SENDING_FAILED in line for line in told] == [True, False, True, False]
    assert OVER in told[1]
    assert OVER in told[3]


def test_nothing_is_over_while_nothing_is_confirmed(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    again = threading.Event()
    sender = Sender(outbox, [fails, lambda _: again.set()])
    put(outbox)
    sender.start()
    assert again.wait(60)  # it is on its way a second time
    assert sender.close(0) == 1
    told = lines(caplog)
    assert len(told) == 1
    assert SENDING_FAILED in told[0]


def test_a_producer_that_fails_at_the_end_ends_the_thread_without_a_trace(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", traces.append)

    def fails_as_it_ends(future: Future) -> None:
        outbox.close()
        outbox.abandon()
        fails(future)

    sender = Sender(outbox, [fails_as_it_ends])
    put(outbox)
    sender.start()
    assert sender._thread is not None
    sender._thread.join(60)
    assert not sender._thread.is_alive()
    assert traces == []
