"""The bounded queue of a monitor: its books, its policies, and what is put back."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.publishing.outbox import POLICIES, Message, Outbox


def message(name: str = "", events: int = 1, size: int = 10) -> Message:
    return Message("t", name.encode(), b"x" * size, [], events)


def names(taken: list[tuple[int, Message]]) -> list[str]:
    return [(m.key or b"").decode() for _, m in taken]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 4)),
        st.tuples(st.just("take"), st.integers(1, 6)),
        st.tuples(st.just("done"), st.integers(0, 20)),
        st.tuples(st.just("too_large"), st.integers(0, 20)),
        st.tuples(st.just("put_back"), st.just(0)),
        st.tuples(st.just("refuse"), st.integers(1, 3)),
        st.tuples(st.just("close"), st.just(0)),
    ),
    max_size=60,
)


@given(steps, st.sampled_from(["drop_oldest", "drop_newest"]))
def test_books_always_balance(moves: list[tuple[str, int]], policy: str) -> None:
    """logged == sent + queued + dropped, and never more than the bound, whatever happens."""
    box = Outbox(8, 10**6, policy)  # type: ignore[arg-type]
    ends: list[tuple[int, str]] = []
    put = 0
    for move, n in moves:
        if move == "put":
            number = put
            put += 1
            box.put(
                message(events=n)._replace(on_end=lambda what, at=number: ends.append((at, what)))
            )
        elif move == "take":
            box.take(n)
        elif move in ("done", "too_large"):
            box.done(n, "" if move == "done" else move)
        elif move == "refuse":
            box.refuse("invalid", n)
        else:
            getattr(box, move)()
        logged, sent, queued, dropped = box.counts()
        assert logged == sent + queued + sum(dropped.values())
        assert 0 <= queued <= 8
        assert 0 <= box.on_way <= queued
    box.abandon()
    logged, sent, queued, dropped = box.counts()
    assert queued == 0
    assert logged == sent + sum(dropped.values())
    assert len({at for at, _ in ends}) == len(ends)  # each message ends once


def test_the_oldest_gives_way_but_not_what_is_on_its_way() -> None:
    box = Outbox(3, 10**6, "drop_oldest")
    for name in "abc":
        assert box.put(message(name)) == ""
    assert names(box.take(1)) == ["a"]
    assert box.put(message("d")) == "made_room"
    box.put_back()
    assert names(box.take(10)) == ["a", "c", "d"]
    assert box.put(message("e")) == "queue_full"  # all is on its way
    assert box.counts() == (5, 0, 3, {"queue_full": 2})


def test_the_newest_gives_way() -> None:
    box = Outbox(2, 10**6, "drop_newest")
    assert [box.put(message(name)) for name in "abc"] == ["", "", "queue_full"]
    assert names(box.take(10)) == ["a", "b"]


def test_bytes_are_bounded_too() -> None:
    box = Outbox(10**6, 3_000, "drop_newest")
    assert [box.put(message(size=1_000)) for _ in range(3)] == ["", "", "queue_full"]
    assert box.put(message(size=10_000)) == "queue_full"


@pytest.mark.parametrize("policy", POLICIES)
def test_what_never_fits_is_dropped_at_once(policy: str) -> None:
    box = Outbox(5, 10**6, policy)  # type: ignore[arg-type]
    box.put(message("a"))
    assert box.put(message(events=6)) == "queue_full"
    assert names(box.take(10)) == ["a"]  # and nothing made way for it


def test_who_waits_for_room_goes_on_when_there_is_some() -> None:
    box = Outbox(1, 10**6, "block")
    box.put(message("a"))
    assert box.put(message("b"), may_block=False) == "full"
    outcome: list[str] = []
    waiting = threading.Thread(target=lambda: outcome.append(box.put(message("b"))))
    waiting.start()
    ((number, _),) = box.take(1)
    assert not outcome
    box.done(number)
    waiting.join(30)
    assert outcome == [""]
    assert names(box.take(1)) == ["b"]


def test_who_waits_for_room_is_let_go_at_the_end() -> None:
    box = Outbox(1, 10**6, "block")
    box.put(message("a"))
    outcome: list[str] = []
    waiting = threading.Thread(target=lambda: outcome.append(box.put(message("b"))))
    waiting.start()
    box.close()
    waiting.join(30)
    assert outcome == ["closed"]


def test_put_back_keeps_the_order_and_forgets_late_answers() -> None:
    box = Outbox(10, 10**6, "drop_newest")
    for name in "abcd":
        box.put(message(name))
    first = box.take(2)
    box.done(first[0][0])
    box.put_back()
    box.done(first[1][0])  # of the connection that was given up
    assert names(box.take(10)) == ["b", "c", "d"]
    assert box.counts() == (4, 1, 3, {})
