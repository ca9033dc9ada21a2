"""`driftstream produce`: a file's rows as prediction events."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stream.commands.mapping import column_options, event_rows
from stream.commands.produce_labels import with_labels
from stream.commands.shared import config_option, data_argument, open_config, progress, say
from stream.text.row_problems import RowProblems

if TYPE_CHECKING:
    from stream.client.records import Message, TimedMessage
    from stream.decode import SourceOptions
    from stream.files.row_events import EventRows, RowEvent

__all__ = ["command"]


@click.command("produce")
@data_argument
@config_option
@click.option("--model", required=True, help="The model of the config that the rows belong to.")
@column_options
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Truths that came later, with the ids of the predictions: sent in between, at their "
    "times, to the topic that outcome.labels of the model names.",
)
@click.option("--label-time", metavar="COLUMN", help="When each label was known.")
@click.option("--version", help="Model version of the events. Default: that of the reference.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Events a second.")
@click.option("--loop", is_flag=True, help="Begin again at the end, the times moved on.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["native", "batch", "arrow"]),
    help="One event a message, which is the default, or up to 1,000 as JSON or Arrow columns.",
)
def command(
    data: Path,
    config_path: Path,
    model: str,
    labels: Path | None,
    label_time: str | None,
    version: str | None,
    rate: float | None,
    loop: bool,
    form: str | None,
    **columns: Any,
) -> None:
    """Publish the rows of DATA, with the columns as the model's reference was fitted.

    Events keep the file's times; where the reference has no timestamp column, they get the
    time at which they are sent. A dump of events is sent as it is. With --labels the truths of
    predictions come from a file of their own, and the workers join them by id.
    """
    from stream.client.records import publish
    from stream.files.dumps import source_of

    config = open_config(config_path)
    chosen = config.model_for(model, version)
    sent = Sent()
    configured = config.sources.get(chosen.topic)
    source = source_of(data, configured)
    messages: Iterator[Message | TimedMessage]
    if source is not None:
        _refuse_options(data, version, loop, form, columns, labels)
        messages = _dumped(data, model, sent, _header(source, configured))
    else:
        plan = config.plan(chosen)
        rows = event_rows(data, plan, columns, version)
        later: list[TimedMessage] = []
        if labels is not None:
            if loop:
                raise click.UsageError("labels are of one round. Leave --loop out.")
            rows, later = with_labels(rows, plan, labels, label_time, config.kafka)
        elif label_time is not None:
            raise click.UsageError("--label-time is of --labels FILE. Name the file, too.")
        messages = _messages(data, rows, loop, form or "native", sent, later)
    began = time.monotonic()

    with progress() as bar:
        task = bar.add_task(f"produce to {chosen.topic}", total=None, note="events")

        def show(_: int) -> None:
            speed = sent.events / max(time.monotonic() - began, 1e-9)
            bar.update(task, completed=sent.events, note=f"events, {speed:,.0f}/s")

        try:
            publish(config.kafka, chosen.topic, _paced(messages, sent, rate), on_sent=show)
        except KeyboardInterrupt:
            say("interrupted")
    for words in sent.unsent.warnings():
        say(words)
    what = "messages" if source is not None else "events"
    say(f"{sent.events:,} {what} to {chosen.topic} in {time.monotonic() - began:.1f} s")
    if labels is not None:
        say(f"{sent.labels:,} labels in between")


class Sent:
    """What was handed over so far, and the rows that were not."""

    def __init__(self) -> None:
        self.events = self.labels = 0
        self.unsent = RowProblems("was not sent", "were not sent")


def _refuse_options(
    data: Path,
    version: str | None,
    loop: bool,
    form: str | None,
    columns: dict[str, Any],
    labels: Path | None,
) -> None:
    given = {"--version": version, "--loop": loop, "--format": form, "--labels": labels}
    given |= {name.replace("column_", "--"): value for name, value in columns.items()}
    for option, value in given.items():
        if value:
            raise click.UsageError(
                f"{data} holds events, which are sent as they are. Leave {option} out."
            )


def _header(
    source: SourceOptions, configured: SourceOptions | None
) -> tuple[tuple[str, bytes], ...]:
    """What says in which format lines are, where the topic's config does not."""
    from stream.contracts.prediction_event import EVENT_CONTENT_TYPE
    from stream.decode.formats.registry import BY_NAME

    if source is configured:
        return ()
    if source.format == "native":
        return () if configured is None else (("content-type", EVENT_CONTENT_TYPE.encode()),)
    return (("content-type", BY_NAME[source.format].content_types[0]),)


def _dumped(
    data: Path, model: str, sent: Sent, header: tuple[tuple[str, bytes], ...]
) -> Iterator[Message]:
    from stream.files.dumps import dump_records

    for one in dump_records(data, model):
        sent.events += 1
        yield None, one.value, one.headers or header


def _messages(
    data: Path, rows: EventRows, loop: bool, form: str, sent: Sent, later: Sequence[TimedMessage]
) -> Iterator[Message | TimedMessage]:
    """Events, and before each message the labels that were known by then."""
    from stream.files.row_batches import packed

    for events, value, kind in packed(_events(data, rows, loop, sent), form):
        while sent.labels < len(later) and later[sent.labels].timestamp_ms <= (
            events[-1].seconds * 1000
        ):
            sent.labels += 1
            yield later[sent.labels - 1]
        sent.events += len(events)
        identity = events[0].prediction_id if form == "native" else None
        key = None if identity is None else identity.encode()
        yield key, value, [("content-type", kind.encode())]
    for label in later[sent.labels :]:
        sent.labels += 1
        yield label


def _events(data: Path, rows: EventRows, loop: bool, sent: Sent) -> Iterator[RowEvent]:
    """Events of the file, again and again if asked to, without those that have no usable time."""
    from stream.files import read_batches

    stamp = rows.mapping.columns.timestamp
    shift = 0.0
    first, last = math.inf, -math.inf
    while True:
        count = number = 0
        for batch in read_batches(data, rows.mapping.reading, rows.times):
            if not count:
                rows.check_columns(data, batch)
            count += len(next(iter(batch.values())))
            events = _now(rows, batch) if stamp is None else rows.events(batch, shift=shift)
            for event in events:
                number += 1
                if event.problem:
                    sent.unsent.add(number, event.problem, event.reason)
                    continue
                first, last = min(first, event.seconds), max(last, event.seconds)
                yield event
        if not loop or not count:
            return
        # The next round follows the last row at the file's mean distance.
        if stamp is not None and not shift:
            shift_step = (last - first) * count / max(count - 1, 1)
        shift = shift + shift_step if stamp is not None else 0.0


def _now(rows: EventRows, batch: dict[str, list[Any]]) -> Iterator[RowEvent]:
    """Events one at a time, so that each gets the time at which it is asked for."""
    for i in range(len(next(iter(batch.values())))):
        one = {name: values[i : i + 1] for name, values in batch.items()}
        yield from rows.events(one, [time.time()])


def _paced(
    messages: Iterator[Message | TimedMessage], sent: Sent, rate: float | None
) -> Iterator[Message | TimedMessage]:
    """Hold messages back to a rate; in bursts of ten milliseconds, sleeping is not finer."""
    if rate is None:
        yield from messages
        return
    began = time.monotonic()
    before = 0
    for message in messages:
        ahead = before / rate - (time.monotonic() - began)
        if ahead > 0.01:
            time.sleep(ahead)
        before = sent.events
        yield message
