"""The alerts topic as a worker's page reads it, from a real broker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from stream.client.records import publish
from stream.contracts.acks import encode_ack, make_ack
from stream.contracts.alert_event import encode_alert
from stream.kafka.connection import connection_arguments
from stream.kafka.topics import WantedTopic, create_topics
from stream.page import RecentEpisodes
from stream.worker import alerts_feed
from stream.worker.alerts_feed import AlertsFeed
from tests.stream.text.test_names_are_data import alert as an_alert

pytestmark = pytest.mark.broker


async def until(found: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not found():
            await asyncio.sleep(0.05)


def test_what_was_there_and_what_comes_is_heard(
    kafka: dict[str, object],
    topic_prefix: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A topic that is made late, garbage on it, an alert of before, an ack that comes later."""
    monkeypatch.setattr(alerts_feed, "_PAUSE_S", 0.2)
    topic, alert = f"{topic_prefix}alerts", an_alert("fraud", "3", "amount", "", "")
    key, recent = alert.data.fingerprint.encode(), RecentEpisodes()

    async def play() -> None:
        feed = AlertsFeed(kafka, connection_arguments(kafka), topic, recent.hear)
        task = asyncio.create_task(feed.follow())
        try:
            await until(lambda: topic in feed.unread)
            wanted = WantedTopic(topic, 1, {})
            await asyncio.to_thread(create_topics, kafka, [wanted])
            values = [b"garbage", None, encode_alert(alert)]
            records = [(key, value, ()) for value in values]
            await asyncio.to_thread(publish, kafka, topic, records)
            await until(recent.rows)
            assert (feed.unread, feed.lost) == ("", 1)
            assert recent.rows()[0].ack is None
            ack = encode_ack(make_ack(alert, 5, 10**12, "anna", "known"))
            await asyncio.to_thread(publish, kafka, topic, [(key, ack, ())])
            await until(lambda: recent.rows()[0].ack)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    with caplog.at_level(logging.WARNING):
        asyncio.run(play())
    (row,) = recent.rows()
    assert row.id == alert.data.episode
    assert row.ack is not None
    assert (row.ack.by, row.ack.note) == ("anna", "known")
    assert "passed over" in caplog.text
