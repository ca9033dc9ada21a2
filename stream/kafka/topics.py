"""The topics driftstream works with: what is wanted, what is there, and how to make them agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, TopicAlreadyExistsError

from stream.contracts.errors import DriftstreamError
from stream.contracts.topic_names import TopicNames
from stream.kafka.admin import admin, described, surely_described
from stream.text.counted import counted
from stream.text.durations import DAY_MS

#: With so many copies one broker may die and another be away, and two must have what is taken.
COPIES = 3
IN_SYNC = 2
#: A topic that no broker knows for so long is not there.
_PATIENCE_S = 2.0
# What the default 1 MB would refuse must still fit into the dead-letter topic.
DEAD_LETTER_MAX_BYTES = 16 * 1024 * 1024
# A segment is compacted only when it is full. Kafka's 1 GiB would be read whole at every start, of
# which a state of some megabytes, written every few seconds, is the last hundredth.
STATE_SEGMENT_BYTES = 16 * 1024 * 1024
# A log of pairs is read again only where a snapshot is lost, and then from the longest wait on.
PAIRS_MARGIN_DAYS = 2
# Retention and chunks go by record timestamps: the broker's clock is one, producers have many.
LOG_APPEND = {"message.timestamp.type": "LogAppendTime"}


class TopicError(DriftstreamError, RuntimeError):
    """Topics cannot be read or created; the message says which and why."""


@dataclass(frozen=True)
class WantedTopic:
    """A topic as driftstream wants it; `ours` is False for the topics of the user."""

    name: str
    partitions: int
    config: Mapping[str, str]
    ours: bool = True
    replication: int = -1  # -1: the broker's default
    as_many_as: str = ""  # the topic whose number of partitions it must have


@dataclass(frozen=True)
class TopicState:
    """What there is of one wanted topic. `differences` must be mended, `advice` need not."""

    wanted: WantedTopic
    partitions: int  # 0: the topic does not exist
    differences: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        """Is the topic there?"""
        return self.partitions > 0

    @property
    def ok(self) -> bool:
        """Is it there and as it must be?"""
        return self.exists and not self.differences


def wanted_topics(
    names: TopicNames = TopicNames(),  # noqa: B008 - frozen
    *,
    predictions: Iterable[str] = (),
    labels: Iterable[str] = (),
    partitions: int = 4,
    prediction_partitions: int = 4,
    replication: int = -1,
    longest_wait_ms: int = 0,
) -> list[WantedTopic]:
    """Return every topic of an installation with its policy.

    Parameters
    ----------
    names
        Of our own topics.
    predictions
        The user's topics, created only on request; given names may repeat.
    labels
        The user's topics that have labels alone. A label is of its record's time, so this is
        the producer's, who may send what was known long ago.
    partitions
        Of the summaries topic, and so of the state topic: one monitor each.
    prediction_partitions
        Of each of the user's topics, where it has to be created.
    replication
        Copies of each partition; -1 is the broker's default.
    longest_wait_ms
        For labels, of the plans that join them; 0 if none does, which then needs no topics.
    """
    safe = {"min.insync.replicas": str(IN_SYNC)} if replication >= COPIES else {}

    def delete(days: int) -> dict[str, str]:
        kept = {"cleanup.policy": "delete", "retention.ms": str(days * DAY_MS)}
        return {**kept, **LOG_APPEND, **safe}

    compact = {"cleanup.policy": "compact", **safe}
    often = {"segment.bytes": str(STATE_SEGMENT_BYTES), "min.cleanable.dirty.ratio": "0.2"}
    dead = {**delete(14), "max.message.bytes": str(DEAD_LETTER_MAX_BYTES)}
    of_labels = {"cleanup.policy": "delete", **safe}
    users = {**of_labels, **LOG_APPEND}
    mine = [
        WantedTopic(names.summaries, partitions, delete(7), replication=replication),
        # One partition: every worker reads all of it, and one order of plans is the same for all.
        WantedTopic(names.plans, 1, compact, replication=replication),
        WantedTopic(names.alerts, 1, delete(90), replication=replication),
        WantedTopic(names.dead_letter, 1, dead, replication=replication),
        # A snapshot is found by the number of the partition that it is of.
        WantedTopic(
            names.state, partitions, {**compact, **often}, True, replication, names.summaries
        ),
    ]
    if longest_wait_ms:
        kept = delete(-(-longest_wait_ms // DAY_MS) + PAIRS_MARGIN_DAYS)
        mine += [
            WantedTopic(names.pairs, partitions, kept, replication=replication),
            WantedTopic(
                names.pairs_state, partitions, {**compact, **often}, True, replication, names.pairs
            ),
        ]
    theirs = dict.fromkeys(labels, of_labels) | dict.fromkeys(predictions, users)
    return [
        *(WantedTopic(n, prediction_partitions, c, False, replication) for n, c in theirs.items()),
        *mine,
    ]


def check_topics(kafka: Mapping[str, object], wanted: Sequence[WantedTopic]) -> list[TopicState]:
    """Compare the topics that exist with the wanted ones, in words."""
    with admin(kafka) as client:
        found = surely_described(client, [topic.name for topic in wanted], _PATIENCE_S)
        there = {name: len(topic["partitions"]) for name, topic in found.items()}
        configs = _configs(client, list(there))
        n_brokers = len(client.describe_cluster()["brokers"])
    states = []
    for topic in wanted:
        state = _compare(topic, there.get(topic.name, 0), configs)
        if state.config:
            copies = min(len(p["replica_nodes"]) for p in found[topic.name]["partitions"])
            more = _safety(topic.name, copies, n_brokers, int(state.config["min.insync.replicas"]))
            state = replace(state, advice=(*state.advice, *more))
        states.append(state)
    return _check_pairs(states)


def create_topics(kafka: Mapping[str, object], wanted: Sequence[WantedTopic]) -> list[str]:
    """Create the topics that are missing, wait until they have leaders, return their names.

    Topics that exist are left as they are: `check_topics` says how they differ.
    """
    with admin(kafka) as client:
        there = _partitions(client, [topic.name for topic in wanted])
        missing = [topic for topic in wanted if topic.name not in there]
        created = []
        for topic in missing:
            spec = {
                "num_partitions": topic.partitions,
                "replication_factor": topic.replication,
                "configs": dict(topic.config),
            }
            try:
                client.create_topics({topic.name: spec})
                created.append(topic.name)
            except TopicAlreadyExistsError:
                continue  # another process was faster
            except KafkaError as error:
                raise TopicError(
                    f"Topic {topic.name} ({topic.partitions} partitions) could not be created: "
                    f"{error}. Check the rights of this user and the broker's limits."
                ) from error
        client.wait_for_topics([topic.name for topic in wanted], timeout_ms=30_000)
    return created


def delete_topics(kafka: Mapping[str, object], names: Sequence[str]) -> None:
    """Delete those of the topics that exist."""
    with admin(kafka) as client:
        there = _partitions(client, names)
        doomed = [name for name in names if name in there]
        if doomed:
            client.delete_topics(doomed)


def topic_partitions(kafka: Mapping[str, object], name: str) -> int:
    """Return how many partitions a topic has, 0 where there is no such topic."""
    with admin(kafka) as client:
        found = surely_described(client, [name], _PATIENCE_S)
    return len(found[name]["partitions"]) if name in found else 0


def _partitions(client: Any, names: Sequence[str]) -> dict[str, int]:
    return {n: len(t["partitions"]) for n, t in described(client, names).items()}


def _configs(client: Any, names: Sequence[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    answer = client.describe_configs(asked, config_filter="all").get("topic", {})
    return {
        name: {key: str(entry["value"]) for key, entry in entries.items()}
        for name, entries in answer.items()
    }


def _compare(
    wanted: WantedTopic, partitions: int, configs: Mapping[str, Mapping[str, str]]
) -> TopicState:
    if not partitions:
        how = "Create it: driftstream topics --create."
        return TopicState(wanted, 0, (f"{wanted.name} does not exist. {how}",))
    config = configs.get(wanted.name)
    if not config:
        words = f"{wanted.name}: its settings are hidden from this user (no right DescribeConfigs)."
        return TopicState(wanted, partitions, advice=(words,))
    wrong, advice = [], []
    if wanted.ours and partitions != wanted.partitions:
        advice.append(f"{wanted.name} has {partitions} partitions; {wanted.partitions} proposed.")
    policy = config.get("cleanup.policy", "")
    if policy != wanted.config["cleanup.policy"]:
        wrong.append(
            f"{wanted.name}: cleanup.policy must be {wanted.config['cleanup.policy']}; got "
            f"{policy}. Change it with kafka-configs, or use another topic."
        )
    for key in ("retention.ms", "max.message.bytes"):
        want, got = wanted.config.get(key), config.get(key)
        # -1 is "for ever" and so never too short.
        if want and got and -1 < int(got) < int(want):
            advice.append(f"{wanted.name}: {key} is {got}; at least {want} is recommended.")
    want, got = wanted.config.get("segment.bytes"), config.get("segment.bytes")
    if want and got and int(got) > int(want):
        advice.append(
            f"{wanted.name}: segment.bytes is {got}; at most {want} is recommended: a segment is "
            "compacted when it is full, and until then all of it is read when a worker starts."
        )
    want_type = wanted.config.get("message.timestamp.type")
    if want_type and config.get("message.timestamp.type") != want_type:
        advice.append(
            f"{wanted.name}: message.timestamp.type is {config.get('message.timestamp.type')}; "
            f"{want_type} is recommended, so that one producer's wrong clock does no harm."
        )
    return TopicState(wanted, partitions, tuple(wrong), tuple(advice), config)


def _safety(name: str, copies: int, n_brokers: int, in_sync: int) -> list[str]:
    """What a broker that dies would take along of a topic, or stop."""
    if n_brokers < COPIES:
        return []
    if copies < COPIES:
        return [
            f"{name} has {counted(copies, 'copy', 'copies')} on {counted(n_brokers, 'broker')}; "
            f"{COPIES} are recommended, so that no broker takes records along. Set "
            "topics.replication before it is made, or use kafka-reassign-partitions.sh."
        ]
    if in_sync < IN_SYNC:
        return [
            f"{name}: min.insync.replicas is {in_sync}; {IN_SYNC} is recommended: what one broker "
            "alone acknowledged is lost with it. kafka-configs.sh --alter --topic "
            f"{name} --add-config min.insync.replicas={IN_SYNC}."
        ]
    if in_sync >= copies:
        return [
            f"{name}: min.insync.replicas is {in_sync} of {copies} copies: nothing can be written "
            f"while a broker is away. {IN_SYNC} is recommended."
        ]
    return []


def _check_pairs(states: list[TopicState]) -> list[TopicState]:
    """A topic and the one of its snapshots must have the same number of partitions, any."""
    there = {state.wanted.name: state for state in states if state.exists}
    wrong: dict[str, str] = {}
    for second in there.values():
        first = there.get(second.wanted.as_many_as)
        if first is not None and first.partitions != second.partitions:
            listed = " and ".join(f"{s.wanted.name} ({s.partitions})" for s in (first, second))
            words = f"{listed} must have the same number of partitions. Recreate the second one."
            wrong |= dict.fromkeys((first.wanted.name, second.wanted.name), words)
    return [
        replace(s, differences=(*s.differences, wrong[s.wanted.name]))
        if s.wanted.name in wrong
        else s
        for s in states
    ]
