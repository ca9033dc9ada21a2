"""Progress of source partitions: the frontier, idleness, cut logs, topics made again."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.contracts.moments import MINUS_INFINITY
from stream.contracts.summary_message import Idle, Progress, Source
from stream.stage2.frontier import Sources

few = settings(derandomize=True, max_examples=100, deadline=None)


def source(partition: int, n: int = 2, topic_id: str = "id", topic: str = "t") -> Source:
    return Source(topic_id, topic, partition, n)


def progress(partition: int, chunk: int, through: int, time_ms: int, n: int = 2) -> Progress:
    return Progress(source(partition, n), chunk, through, time_ms)


def test_the_frontier_is_the_least_time_and_waits_for_every_partition():
    sources = Sources()
    assert sources.frontier_ms("id") == MINUS_INFINITY
    sources.progress(progress(0, 0, 9, 5_000))
    assert sources.frontier_ms("id") == MINUS_INFINITY
    sources.progress(progress(1, 0, 4, 3_000))
    assert sources.frontier_ms("id") == 3_000
    sources.progress(progress(1, 0, 8, 7_000))
    assert sources.frontier_ms("id") == 5_000


def test_an_older_word_changes_nothing():
    sources = Sources()
    sources.progress(progress(0, 0, 9, 5_000, n=1))
    before = sources.dump()
    for chunk, through in ((0, 9), (0, 3)):
        assert not sources.progress(progress(0, chunk, through, 99_000, n=1))
    assert sources.dump() == before


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=40), st.integers(0, 2**32))
@few
def test_readers_that_repeat_and_overtake_each_other_agree(newest, seed):
    """However chunks are flushed and by whom: what is known at a chunk's end is the same."""
    rng = random.Random(seed)
    sources = Sources()
    for chunk, _ in enumerate(newest):
        begin = chunk * 10
        flushes = sorted(rng.sample(range(10), 3))
        for through in [*flushes, 9]:
            time_ms = newest[chunk] if through == 9 else rng.randint(0, newest[chunk])
            sources.progress(progress(0, begin, begin + through, time_ms, n=1))
            if rng.random() < 0.3:  # a zombie repeats some chunk from before
                old = rng.randint(0, chunk)
                sources.progress(progress(0, old * 10, old * 10 + rng.randint(0, 8), 0, n=1))
        held = sources.partition(source(0, 1))
        assert held.base_ms == max(newest[:chunk], default=MINUS_INFINITY)
        assert held.max_time_ms == max(newest[: chunk + 1])
        assert held.base_of(begin + 10) == max(newest[: chunk + 1])
    assert sources.frontier_ms("id") == max(newest)
    assert sources.declared_loss == 0


def test_idle_partitions_do_not_hold_the_frontier_and_data_ends_idleness():
    sources = Sources()
    sources.progress(progress(0, 0, 9, 5_000))
    assert sources.idle(Idle(source(1), 0), 1)
    assert sources.frontier_ms("id") == 5_000
    sources.progress(progress(1, 0, 3, 1_000))
    assert sources.frontier_ms("id") == 5_000  # never back
    sources.progress(progress(0, 0, 12, 9_000))
    assert sources.frontier_ms("id") == 5_000  # partition 1 is waited for again
    sources.progress(progress(1, 0, 5, 6_000))
    assert sources.frontier_ms("id") == 6_000


def test_the_idle_word_of_a_worker_that_was_overtaken_is_not_heard():
    sources = Sources()
    sources.progress(progress(0, 0, 9, 5_000))
    sources.progress(progress(1, 0, 9, 1_000))
    assert not sources.idle(Idle(source(1), 9), 1)
    assert sources.frontier_ms("id") == 1_000
    assert sources.idle(Idle(source(1), 10), 1)
    assert sources.frontier_ms("id") == 5_000


def test_when_all_are_idle_for_long_panes_are_sealed_until_data_comes():
    sources = Sources(all_idle_seals_ms=300)
    sources.progress(progress(0, 0, 9, 5_000))
    sources.progress(progress(1, 0, 9, 6_000))
    sources.idle(Idle(source(0), 10), 1_000)
    sources.idle(Idle(source(1), 10), 1_200)
    assert sources.frontier_ms("id") == 6_000
    sources.idle(Idle(source(0), 10), 1_499)
    assert not sources.sealed_by_idle("id")
    sources.idle(Idle(source(0), 10), 1_500)
    assert sources.sealed_by_idle("id")
    sources.progress(progress(0, 10, 12, 7_000))
    assert not sources.sealed_by_idle("id")
    sources.idle(Idle(source(0), 13), 2_000)
    sources.idle(Idle(source(1), 10), 2_299)
    assert not sources.sealed_by_idle("id")


def silent_since(sources: Sources, time_ms: int) -> Sources:
    """Three partitions that have had data and have all said that they are idle."""
    for partition in range(3):
        sources.progress(progress(partition, 0, 9, time_ms, n=3))
    for partition in range(3):
        sources.idle(Idle(source(partition, 3), 10), 1_000)
    return sources


def test_the_first_to_speak_after_a_silence_of_all_waits_for_the_others():
    """An upload of a day goes to all partitions at once; one of them is read first."""
    sources = silent_since(Sources(), 5_000)
    sources.progress(progress(0, 10, 500, 86_400_000, n=3))
    assert sources.frontier_ms("id") == 5_000
    sources.progress(progress(1, 10, 400, 80_000_000, n=3))
    sources.progress(progress(2, 10, 30, 7_000_000, n=3))
    assert sources.frontier_ms("id") == 7_000_000


def test_a_partition_that_never_spoke_ends_no_silence_of_the_others():
    """A cold start: one is not yet known to be idle when all are written to."""
    sources = Sources()
    sources.idle(Idle(source(0, 3), 0), 1_000)
    sources.idle(Idle(source(1, 3), 0), 1_000)
    sources.progress(progress(0, 0, 500, 86_400_000, n=3))
    sources.progress(progress(2, 0, 30, 7_000_000, n=3))
    assert sources.frontier_ms("id") == MINUS_INFINITY  # partition 1 is asked again
    sources.progress(progress(1, 0, 400, 5_000_000, n=3))
    assert sources.frontier_ms("id") == 5_000_000


def test_the_first_to_speak_goes_on_alone_when_the_others_are_idle_still():
    sources = silent_since(Sources(), 5_000)
    sources.progress(progress(0, 10, 12, 9_000, n=3))
    sources.idle(Idle(source(1, 3), 10), 31_000)
    assert sources.frontier_ms("id") == 5_000
    sources.idle(Idle(source(2, 3), 10), 31_000)
    assert sources.frontier_ms("id") == 9_000
    sources.progress(progress(0, 10, 14, 11_000, n=3))
    assert sources.frontier_ms("id") == 11_000  # asked once, not with every word


def test_one_that_was_asked_and_has_not_spoken_is_silent_still():
    """One event wakes all, and its partition is idle again before the others have said so."""
    sources = silent_since(Sources(), 5_000)
    sources.progress(progress(0, 10, 10, 6_000, n=3))
    sources.idle(Idle(source(0, 3), 11), 31_000)
    sources.progress(progress(1, 10, 500, 86_400_000, n=3))
    sources.progress(progress(2, 10, 400, 80_000_000, n=3))
    assert sources.frontier_ms("id") == 6_000  # partition 0 is asked again
    sources.progress(progress(0, 11, 30, 7_000_000, n=3))
    assert sources.frontier_ms("id") == 7_000_000


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 20)), max_size=60))
@few
def test_a_word_that_looks_at_no_other_partition_leaves_the_frontier_where_it_is(words):
    """Beside it the frontier is moved anew after every word, which must change nothing."""
    sources, read = Sources(), dict.fromkeys(range(4), 0)
    for now, (is_idle, partition, time_ms) in enumerate(words):
        if is_idle:
            sources.idle(Idle(source(partition, 4), read[partition]), now)
        else:
            sources.progress(progress(partition, read[partition], read[partition], time_ms, n=4))
            read[partition] += 1
        before = sources.dump()
        sources.topics["id"].advance()
        assert sources.dump() == before


def test_an_old_word_ends_no_silence():
    sources = silent_since(Sources(all_idle_seals_ms=300), 5_000)
    sources.progress(progress(0, 0, 9, 5_000, n=3))
    sources.idle(Idle(source(0, 3), 10), 1_300)
    assert sources.sealed_by_idle("id")


@pytest.mark.parametrize("chunk", [5, 9])
def test_a_chunk_that_begins_within_an_accepted_one_is_a_declared_loss(chunk):
    sources = Sources()
    sources.progress(progress(0, 0, 9, 5_000, n=1))
    for through in (20, 30):
        assert sources.refuse_overlap(source(0, 1), chunk, through)
        assert not sources.progress(progress(0, chunk, through, 9_000, n=1))
    assert sources.declared_loss == 1  # one gap, however many messages
    assert sources.frontier_ms("id") == 5_000
    assert sources.progress(progress(0, 31, 40, 9_000, n=1))


def test_a_chunk_that_was_cut_over_accepted_ones_is_a_declared_loss():
    """The group's offset was set back by hand: other cuts of the same events."""
    sources = Sources()
    sources.progress(progress(0, 10, 19, 5_000, n=1))
    assert not sources.refuse_overlap(source(0, 1), 4, 9)  # an old chunk read again
    assert sources.refuse_overlap(source(0, 1), 4, 12)
    assert sources.declared_loss == 1


def test_a_partition_added_later_joins_with_its_first_word():
    sources = Sources()
    sources.progress(progress(0, 0, 9, 5_000, n=1))
    sources.progress(progress(1, 0, 9, 1_000, n=2))
    assert sources.frontier_ms("id") == 5_000
    sources.progress(progress(0, 0, 12, 8_000, n=2))
    assert sources.frontier_ms("id") == 5_000
    sources.progress(progress(1, 0, 12, 9_000, n=2))
    assert sources.frontier_ms("id") == 8_000


def test_a_topic_made_again_is_another_source():
    sources = Sources()
    sources.progress(progress(0, 900, 999, 5_000, n=1))
    again = source(0, 1, topic_id="new")
    assert sources.enter(again) == "id"
    assert sources.enter(again) is None
    assert sources.former == ["id"]
    assert sources.frontier_ms("new") == MINUS_INFINITY
    assert sources.progress(Progress(again, 0, 3, 6_000))
    assert sources.frontier_ms("new") == 6_000
    assert sources.enter(source(0, 1, topic_id="other", topic="another name")) is None
    assert set(sources.topics) == {"new", "other"}


def test_a_hundred_topics_made_again_leave_no_hundred_states():
    sources = Sources()
    for i in range(200):
        sources.enter(source(0, 1, topic_id=str(i)))
    assert set(sources.topics) == {"199"}
    assert len(sources.former) <= 64
    assert sources.former[-1] == "198"


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 30), st.integers(0, 999)),
        max_size=30,
    ),
    st.data(),
)
@few
def test_dump_and_load_at_any_point(words, data):
    def say(to: Sources, word) -> None:
        partition, chunk, through, time_ms = word
        if through % 7 == 0:
            to.idle(Idle(source(partition, 3), through), time_ms)
        else:
            to.progress(progress(partition, chunk * 10, chunk * 10 + through, time_ms, n=3))

    at = data.draw(st.integers(0, len(words)))
    whole, first, second = (Sources(all_idle_seals_ms=100) for _ in range(3))
    for word in words:
        say(whole, word)
    for word in words[:at]:
        say(first, word)
    second.load(first.dump())
    for word in words[at:]:
        say(second, word)
    assert second.dump() == whole.dump()


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x93\x80\x90", msgspec.msgpack.encode([1, 2, 3])])
def test_damaged_state_is_an_error(data):
    with pytest.raises((msgspec.MsgspecError, ValueError)):
        Sources().load(data)
