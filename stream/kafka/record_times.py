"""Who gives the times of a source topic's records, and what that means for the models on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from stream.kafka.topics import TopicState
from stream.stage1.quorum import SPAN_MS
from stream.stage1.watermark import BY_PRODUCER, LEAD_MS

__all__ = ["Watched", "record_time_words"]

_KEY: Final = "message.timestamp.type"


class Watched(NamedTuple):
    """A model, the topic it is on, and how late its events may come."""

    model: str
    topic: str
    lateness_ms: int


def record_time_words(
    states: Iterable[TopicState], watched: Sequence[Watched], servers: object
) -> tuple[list[str], list[str]]:
    """What is wrong, and what is to be known, of source topics that no broker stamps."""
    wrong, notes = [], []
    for state in states:
        topic = state.wanted.name
        here = [each for each in watched if each.topic == topic]
        if not here or state.config.get(_KEY) != BY_PRODUCER:
            continue
        alter = (
            f"kafka-configs.sh --bootstrap-server {servers} --alter --topic {topic} "
            f"--add-config {_KEY}=LogAppendTime"
        )
        if len(here) > 1:
            names = ", ".join(each.model for each in here)
            wrong.append(
                f"{topic}: {_KEY} is {BY_PRODUCER} and the topic has {len(here)} models ({names}): "
                "the wrong clock of one makes the events of all late. Alter it (or give each "
                f"model a topic of its own): {alter}"
            )
        else:
            notes.append(
                f"{topic}: {_KEY} is {BY_PRODUCER}, so that time is what producers agree on: one "
                "clock in ten may be wrong, not three; below a record a second and partition "
                f"panes wait for six more records. Exact, and at once: {alter}"
            )
        notes.extend(
            f"{each.model}: lateness is {each.lateness_ms / 1000:g} s on a {BY_PRODUCER} topic; at "
            f"least {SPAN_MS / 1000:g} s is recommended, because a clock that leads there takes "
            f"{LEAD_MS / 1000:g} s of it."
            for each in here
            if each.lateness_ms < SPAN_MS
        )
    return wrong, notes
