"""The alerts topic as programs read it: each revision of an episode once, and acknowledgements."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping

from stream.client.records import read_topic, tell_unread
from stream.contracts.acks import Ack, decode_alert_or_ack
from stream.contracts.alert_event import AlertError, AlertEvent
from stream.contracts.topic_names import TopicNames

__all__ = ["latest_alerts", "read_alert_log", "read_alerts"]

log = logging.getLogger(__name__)


def read_alerts(
    kafka: Mapping[str, object],
    topic: str = TopicNames.alerts,
    *,
    from_beginning: bool = True,
    follow: bool = False,
    stop: Callable[[], bool] | None = None,
) -> Iterator[AlertEvent]:
    """Read alert events in the order of the topic, each (episode, revision) once.

    A worker that was restarted may send an event again; it has the same id.
    """
    log = read_alert_log(kafka, topic, from_beginning=from_beginning, follow=follow, stop=stop)
    return (event for event in log if isinstance(event, AlertEvent))


def read_alert_log(
    kafka: Mapping[str, object],
    topic: str = TopicNames.alerts,
    *,
    from_beginning: bool = True,
    follow: bool = False,
    new_only: bool = False,
    stop: Callable[[], bool] | None = None,
) -> Iterator[AlertEvent | Ack]:
    """As `read_alerts`, with what people said of the alerts.

    With `new_only` alerts from before the call are left out, and what was said before is not.
    """
    highest: dict[str, int] = {}
    ends: dict[int, int] = {}
    records = read_topic(
        kafka,
        topic,
        from_beginning=from_beginning,
        follow=follow,
        stop=stop,
        on_unread=tell_unread,
        on_ends=ends.update,
    )
    for record in records:
        try:
            place = f"{topic}[{record.partition}]@{record.offset}"
            event = decode_alert_or_ack(record.value or b"", place)
        except AlertError as error:
            log.warning("ignored: %s", error)
            continue
        if isinstance(event, Ack):
            yield event
        elif event.data.revision > highest.get(event.data.episode, -1):
            highest[event.data.episode] = event.data.revision
            if not new_only or record.offset >= ends[record.partition]:
                yield event


def latest_alerts(
    kafka: Mapping[str, object], topic: str = TopicNames.alerts
) -> dict[str, AlertEvent]:
    """Return the highest revision of every episode on the topic, by episode, oldest first."""
    latest: dict[str, AlertEvent] = {}
    for event in read_alerts(kafka, topic):
        latest[event.data.episode] = event
    return latest
