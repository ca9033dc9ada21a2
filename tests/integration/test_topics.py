"""Topics on a real broker: what is wanted, created once, checked in words."""

from __future__ import annotations

import socket

import pytest

from stream.contracts.topic_names import TopicNames
from stream.kafka.admin import live_brokers
from stream.kafka.security import client_options
from stream.kafka.topics import (
    TopicError,
    TopicState,
    WantedTopic,
    check_topics,
    create_topics,
    delete_topics,
    topic_partitions,
    wanted_topics,
)


def _installation(prefix: str, **settings: object) -> list[WantedTopic]:
    names = {n: f"{prefix}{n}" for n in ("summaries", "plans", "alerts", "dead_letter", "state")}
    return wanted_topics(TopicNames(**names), predictions=[f"{prefix}predictions"], **settings)


def _by_name(states: list[TopicState], prefix: str) -> dict[str, TopicState]:
    return {state.wanted.name.removeprefix(prefix): state for state in states}


@pytest.mark.broker
def test_create_is_complete_and_idempotent(kafka: dict[str, object], topic_prefix: str) -> None:
    wanted = _installation(topic_prefix, partitions=3, prediction_partitions=5)
    before = check_topics(kafka, wanted)
    assert not any(state.exists or state.ok for state in before)
    assert all("topics --create" in state.differences[0] for state in before)
    # Ours first: the user's topics are created only on request.
    ours = [topic for topic in wanted if topic.ours]
    assert create_topics(kafka, ours) == [topic.name for topic in ours]
    assert create_topics(kafka, wanted) == [f"{topic_prefix}predictions"]
    assert create_topics(kafka, wanted) == []
    after = _by_name(check_topics(kafka, wanted), topic_prefix)
    assert all(state.ok and not state.advice for state in after.values()), after
    assert {name: state.partitions for name, state in after.items()} == {
        "predictions": 5,
        "summaries": 3,
        "plans": 1,
        "alerts": 1,
        "dead_letter": 1,
        "state": 3,
    }
    policy = {name: state.config["cleanup.policy"] for name, state in after.items()}
    assert [n for n, p in policy.items() if p == "compact"] == ["plans", "state"]
    assert after["predictions"].config["message.timestamp.type"] == "LogAppendTime"
    assert after["alerts"].config["retention.ms"] == str(90 * 86_400_000)
    delete_topics(kafka, [topic.name for topic in wanted])


@pytest.mark.broker
def test_differences_are_said_in_words(kafka: dict[str, object], topic_prefix: str) -> None:
    wanted = _installation(topic_prefix, partitions=2)
    made = {
        "state": WantedTopic(f"{topic_prefix}state", 3, {"cleanup.policy": "compact"}),
        "plans": WantedTopic(f"{topic_prefix}plans", 1, {"cleanup.policy": "delete"}),
        "alerts": WantedTopic(f"{topic_prefix}alerts", 1, {"retention.ms": "1000"}),
        "predictions": WantedTopic(f"{topic_prefix}predictions", 7, {"cleanup.policy": "compact"}),
    }
    create_topics(kafka, list(made.values()))
    create_topics(kafka, wanted)
    states = _by_name(check_topics(kafka, wanted), topic_prefix)
    assert "cleanup.policy must be compact; got delete" in states["plans"].differences[0]
    # Compaction would take events away before they were read.
    assert "cleanup.policy must be delete; got compact" in states["predictions"].differences[0]
    assert "must have the same number of partitions" in states["state"].differences[0]
    assert any("segment.bytes is 1073741824" in words for words in states["state"].advice)
    assert states["alerts"].ok
    assert any("retention.ms is 1000" in words for words in states["alerts"].advice)
    assert any("LogAppendTime is recommended" in words for words in states["alerts"].advice)
    assert states["dead_letter"].ok
    delete_topics(kafka, [topic.name for topic in wanted])
    delete_topics(kafka, [f"{topic_prefix}never-was"])


@pytest.mark.broker
def test_errors_name_the_topic_and_the_reason(kafka: dict[str, object], topic_prefix: str) -> None:
    with pytest.raises(TopicError, match=r"not/a/name .*could not be created.*"):
        create_topics(kafka, [WantedTopic("not/a/name", 1, {"cleanup.policy": "delete"})])
    assert topic_partitions(kafka, f"{topic_prefix}absent") == 0


def test_a_broker_that_does_not_speak_kafka_is_no_broker() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        assert live_brokers({"bootstrap_servers": address}, timeout_s=0.3) == []


def test_a_broker_that_is_not_there_is_no_broker() -> None:
    assert live_brokers({"bootstrap_servers": "127.0.0.1:9"}, timeout_s=0.3) == []


def test_connection_settings_are_translated() -> None:
    assert client_options(
        {
            "bootstrap.servers": "a:1, b:2",
            "security_protocol": "sasl_ssl",
            "sasl.mechanisms": "SCRAM-SHA-512",
            "sasl_username": "me",
            "sasl.password": "secret",
            "ssl_ca_location": "ca.pem",
            "ssl.endpoint.identification.algorithm": "none",
        }
    ) == {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "me",
        "sasl_plain_password": "secret",
        "ssl_cafile": "ca.pem",
        "ssl_check_hostname": False,
    }


@pytest.mark.parametrize(
    ("kafka", "words"),
    [
        ({"bootstrap_servers": "a:1", "sasl_pasword": "x"}, "Did you mean sasl_password"),
        ({"bootstrap_servers": "a:1", "zzz": 1}, r"kafka\.zzz is not a known"),
        ({}, "bootstrap_servers is missing"),
        ({"bootstrap_servers": "a:1", "security_protocol": "TLS"}, "must be one of PLAINTEXT"),
    ],
)
def test_wrong_settings_say_what_to_do(kafka: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        client_options(kafka)
    assert "'x'" not in str(caught.value)  # a value may be a secret
