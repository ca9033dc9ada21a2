"""Which rights a worker asks for, by what it runs and whether it joins labels."""

from __future__ import annotations

import pytest

from stream.contracts.topic_names import TopicNames
from stream.kafka.rights import worker_rights
from stream.kafka.topics import TopicState, WantedTopic, _check_pairs, wanted_topics

NAMES = TopicNames()
JOINS = {NAMES.pairs, NAMES.pairs_state}


@pytest.mark.parametrize(
    ("stage", "needs"),
    [
        ("all", {NAMES.pairs: ("READ", "WRITE"), NAMES.pairs_state: ("READ", "WRITE")}),
        ("summarise", {NAMES.pairs: ("WRITE",)}),
        ("join", {NAMES.pairs: ("READ",), NAMES.pairs_state: ("READ", "WRITE")}),
        ("monitor", {}),
    ],
)
def test_rights_on_what_is_joined(stage: str, needs: dict[str, tuple[str, ...]]) -> None:
    rights = worker_rights(NAMES, ["e"], stage, joins=True)
    assert {topic: rights[topic] for topic in JOINS & rights.keys()} == needs
    if stage == "join":
        assert rights[NAMES.summaries] == ("WRITE",)
        assert "e" not in rights
    else:
        assert not JOINS & worker_rights(NAMES, ["e"], stage).keys()


def test_topics_of_joins_are_wanted_where_a_plan_joins() -> None:
    assert not JOINS & {topic.name for topic in wanted_topics()}
    wanted = {topic.name: topic for topic in wanted_topics(longest_wait_ms=86_400_001)}
    assert wanted[NAMES.pairs].config["retention.ms"] == str(4 * 86_400_000)
    assert wanted[NAMES.pairs_state].config["cleanup.policy"] == "compact"


def test_a_log_and_its_snapshots_have_as_many_partitions() -> None:
    wanted = {topic.name: topic for topic in wanted_topics(longest_wait_ms=1)}
    found = {NAMES.summaries: 4, NAMES.state: 4, NAMES.pairs: 8, NAMES.pairs_state: 8}

    def differences() -> list[str]:
        states = [TopicState(wanted[name], n) for name, n in found.items()]
        return [words for state in _check_pairs(states) for words in state.differences]

    assert differences() == [], "pairs may have others than summaries"
    found[NAMES.pairs_state] = 4
    (first, second) = differences()
    assert first == second
    assert "driftstream.pairs (8) and driftstream.pairs-state (4) must have" in first


def test_topics_of_users_are_not_compared() -> None:
    users = [TopicState(WantedTopic(str(n), 1, {}, ours=False), n) for n in (1, 2)]
    assert not any(state.differences for state in _check_pairs(users))
