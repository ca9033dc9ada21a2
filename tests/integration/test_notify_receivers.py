"""One receiver that was never there takes no alert event from the others, on a real broker."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest

from stream.client.records import publish
from stream.contracts.alert_event import AlertEvent, encode_alert
from stream.kafka.topics import WantedTopic, create_topics
from stream.notify.source import run_notify
from stream.notify.targets import Target
from stream.notify.targets.slack import SlackTarget
from stream.notify.targets.webhook import WebhookTarget
from tests.stream.notify_tools import alert, hook, slack

pytestmark = pytest.mark.broker


@contextmanager
def dispatcher(
    kafka: Mapping[str, object], topic: str, targets: Sequence[Target]
) -> Iterator[None]:
    stop, ready = threading.Event(), threading.Event()
    failed: list[BaseException] = []

    def go() -> None:
        try:
            run_notify(kafka, topic, f"{topic}.notify", targets, stop, lambda _: ready.set())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=go)
    thread.start()
    try:
        assert ready.wait(60), failed
        yield
    finally:
        stop.set()
        thread.join(60)
    assert not failed


def wait_for(what: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_comes_while_the_notifier_is_away_reaches_all_others(
    kafka: dict[str, object], topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    topic = f"{topic_prefix}alerts"
    create_topics(kafka, [WantedTopic(topic, 1, {"cleanup.policy": "delete"})])

    def say(*events: AlertEvent) -> list[str]:
        publish(kafka, topic, [(b"", encode_alert(event), ()) for event in events])
        return [event.id for event in events]

    with hook() as good, hook() as absent:
        absent.answers = [(404, {})] * 1_000
        targets = [
            WebhookTarget("good", good.url),
            WebhookTarget("absent", absent.url),
            WebhookTarget("nobody", "http://127.0.0.1:9/hook"),
        ]
        told = say(alert("fraud"))
        with dispatcher(kafka, topic, targets):
            wait_for(lambda: good.taken == told)
            told += say(alert("churn"))
            wait_for(lambda: good.taken == told)
        told += say(alert("loans"), alert("loans", revision=2, status="resolved"))
        with dispatcher(kafka, topic, targets):
            wait_for(lambda: len(good.taken) >= len(told))
        assert good.taken == told, "all of it, and nothing twice"
        assert absent.taken == []
        absent.answers = []
        with dispatcher(kafka, topic, targets):
            wait_for(lambda: len(absent.taken) >= len(told))
        assert absent.taken == good.taken == told


def test_a_thread_goes_on_after_a_restart(kafka: dict[str, object], topic_prefix: str) -> None:
    """With as many open as a commit has room for, and more: the broker takes it."""
    topic = f"{topic_prefix}alerts"
    create_topics(kafka, [WantedTopic(topic, 1, {"cleanup.policy": "delete"})])
    models = [f"model-{number}" for number in range(100)]
    with slack() as here:
        targets = [SlackTarget("slack", here.url, token="xoxb-1", channel="#models")]
        with dispatcher(kafka, topic, targets):
            publish(kafka, topic, [(b"", encode_alert(alert(model)), ()) for model in models])
            wait_for(lambda: len(here.posted) == 100)
        with dispatcher(kafka, topic, targets):
            ends = [alert(m, revision=2, status="resolved") for m in models[-50:]]
            publish(kafka, topic, [(b"", encode_alert(event), ()) for event in ends])
            wait_for(lambda: len(here.posted) == 150)
        lengths = [len(thread) for thread in here.threads()]
    assert lengths == [1] * 50 + [2] * 50
