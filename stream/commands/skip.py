"""`driftstream skip`: passing over a batch that cannot be read."""

from __future__ import annotations

import getpass
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.shared import config_option, open_config, print_table, say

if TYPE_CHECKING:
    from stream.config.load import Config
    from stream.kafka.skips import Skip

__all__ = ["command"]


@click.command("skip")
@click.argument("topic", required=False)
@click.argument("partition", required=False, type=click.IntRange(min=0))
@click.argument("offset", required=False, type=click.IntRange(min=0))
@click.option("--by", help="Who says so; the name of the user otherwise.")
@config_option
def command(
    topic: str | None, partition: int | None, offset: int | None, by: str | None, config_path: Path
) -> None:
    """Pass over the batch at OFFSET of TOPIC[PARTITION], which cannot be read.

    Its records are lost to driftstream. That is recorded on the plans topic, where all workers see
    it, those that run now within seconds, and on the dead-letter topic when a worker has passed.
    Without arguments, show what was skipped.
    """
    from stream.client.records import publish
    from stream.kafka.skips import Skip, skip_record
    from stream.kafka.sources import describe_topics
    from stream.kafka.unreadable_batch import find_unreadable_batch

    config = open_config(config_path)
    if topic is None:
        _show(config)
        return
    if partition is None or offset is None:
        raise click.UsageError("TOPIC, PARTITION and OFFSET go together; a worker names all three.")
    ours = config.topics
    if topic in (ours.alerts, ours.dead_letter, ours.state, ours.pairs_state):
        raise click.ClickException(
            f"{topic}: whoever reads it passes over what cannot be read, with a warning. There is "
            "nothing to skip."
        )
    unread = find_unreadable_batch(config.kafka, topic, partition, offset)
    if unread is None:
        raise click.ClickException(
            f"{topic}[{partition}]: offset {offset} can be read from here, so nothing is skipped. "
            "If a worker cannot read it, run driftstream check where that worker runs."
        )
    topic_id = describe_topics(config.kafka, [topic])[topic][0]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    skip = Skip(
        topic,
        topic_id,
        partition,
        unread.offset,
        unread.last,
        unread.reason,
        unread.error,
        _name() if by is None else by,
        now,
    )
    key, value = skip_record(skip)
    if topic == ours.plans:
        _make_way(config)
    publish(config.kafka, ours.plans, [(key, value, ())])
    if topic == ours.plans and key not in {skip_record(each)[0] for each in _skips(config)}:
        raise click.ClickException(
            f"{topic}[{partition}]: what is behind {unread} cannot be read, nor can the skip. "
            f"Delete what is before offset {unread.last + 1} (kafka-delete-records), then publish "
            "the plans again: driftstream plan publish -c CONFIG."
        )
    say(
        f"{topic}[{partition}]: {unread} skipped ({unread.reason}: {unread.error}); recorded on "
        f"{ours.plans} as {key.decode()}"
    )


def _name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user in a container
        return "somebody"


def _make_way(config: Config) -> None:
    """Let the broker's index have an entry behind what is there, so that it finds what comes next.

    It makes one after 4 kB, and cannot walk past a damaged length to what has none in front of it.
    The records say nothing: they take back skips that never were.
    """
    from stream.client.records import publish

    for _ in range(2):  # by the second the index is longer
        publish(config.kafka, config.topics.plans, [(b"skip:" + os.urandom(8_000), None, ())])


def _skips(config: Config) -> list[Skip]:
    from stream.client.records import read_topic
    from stream.kafka.skips import SkipBook

    book = SkipBook()
    for record in read_topic(
        config.kafka, config.topics.plans, on_unread=lambda *_: None
    ):  # plans are none of its business
        book.add(record.key, record.value)
    return book.all


def _show(config: Config) -> None:
    rows = [
        (f"{s.topic}[{s.partition}]", str(s.first), str(s.last), s.reason, s.by, s.time)
        for s in _skips(config)
    ]
    print_table("", ("partition", "first", "last", "reason", "by", "time"), rows)
