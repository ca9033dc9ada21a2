"""`driftstream skip`: passing over a batch that cannot be read."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.shared import config_option, open_config, print_table, say

if TYPE_CHECKING:
    from stream.config.load import Config

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
    from stream.client import publish
    from stream.kafka.look import find_unread
    from stream.kafka.sources import describe_topics
    from stream.skips import Skip, skip_record

    config = open_config(config_path)
    if topic is None:
        _show(config)
        return
    if partition is None or offset is None:
        raise click.UsageError("TOPIC, PARTITION and OFFSET go together; a worker names all three.")
    ours = config.topics
    if topic in (ours.alerts, ours.dead_letter, ours.state):
        raise click.ClickException(
            f"{topic}: whoever reads it passes over what cannot be read, with a warning. There is "
            "nothing to skip."
        )
    unread = find_unread(config.kafka, topic, partition, offset)
    if unread is None:
        raise click.ClickException(
            f"{topic}[{partition}]: offset {offset} can be read from here, so nothing is skipped. "
            "If a worker cannot read it, run driftstream check where that worker runs."
        )
    topic_id = describe_topics(config.kafka, [topic])[topic][0]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    skip = Skip(
        topic, topic_id, partition, unread.offset, unread.last, unread.reason, unread.error,
        _name() if by is None else by, now,
    )  # fmt: skip
    key, value = skip_record(skip)
    publish(config.kafka, ours.plans, [(key, value, ())])
    say(
        f"{topic}[{partition}]: {unread} skipped ({unread.reason}: {unread.error}); recorded on "
        f"{ours.plans} as {key.decode()}"
    )


def _name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user in a container
        return "somebody"


def _show(config: Config) -> None:
    from stream.client import read_topic
    from stream.skips import SkipBook

    book = SkipBook()
    for record in read_topic(
        config.kafka, config.topics.plans, on_unread=lambda *_: None
    ):  # plans are none of its business
        book.add(record.key, record.value)
    rows = [
        (f"{s.topic}[{s.partition}]", str(s.first), str(s.last), s.reason, s.by, s.time)
        for s in book.all
    ]
    print_table("", ("partition", "first", "last", "reason", "by", "time"), rows)
