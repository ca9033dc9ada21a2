"""`driftstream alerts`: the alerts topic, for people and for programs."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.shared import (
    alert_line,
    answer,
    answer_json,
    config_option,
    open_config,
    print_table,
    say,
    when,
)
from stream.contracts.alert_event import CONCEPT_DRIFT_NOTE, KINDS, SEVERITIES
from stream.text.printable import printable

if TYPE_CHECKING:
    from stream.contracts.acks import Ack
    from stream.contracts.alert_event import AlertEvent, AlertSignal

__all__ = ["command"]


@click.command("alerts")
@config_option
@click.option(
    "--follow",
    "-f",
    is_flag=True,
    help="What comes from now on, until Ctrl-C; earlier ones too with --since, --all, --episode.",
)
@click.option("--json", "as_json", is_flag=True, help="The events themselves, one a line.")
@click.option("--all", "everything", is_flag=True, help="Every revision, not only the newest.")
@click.option("--model", help="Only alerts of this model.")
@click.option("--kind", type=click.Choice(KINDS), help="Only alerts of this kind.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only so severe or more.")
@click.option("--status", type=click.Choice(("firing", "resolved")), help="Only these.")
@click.option("--since", metavar="TIME", help='Only since "2026-03-01T00:00:00Z", or "2d" ago.')
@click.option("--episode", metavar="ID", help="One incident's whole history; some letters do.")
def command(
    config_path: Path,
    follow: bool,
    as_json: bool,
    everything: bool,
    model: str | None,
    kind: str | None,
    severity: str | None,
    status: str | None,
    since: str | None,
    episode: str | None,
) -> None:
    """Print alert events: the newest revision of each episode, or every one as it comes.

    What fires comes first, the most severe before the others, then what ended; of each the newest
    first.
    """
    from stream.client.alert_log import read_alert_log
    from stream.commands.moments import moment_ms
    from stream.contracts.alert_event import encode_alert, parse_time

    config = open_config(config_path)
    if kind == "concept_drift":
        say(f"note: {CONCEPT_DRIFT_NOTE}")
    since_ms = None if since is None else moment_ms(since, time.time(), ago=True)

    def chosen(event: AlertEvent) -> bool:
        labels = event.data.labels
        return (
            (model is None or labels.model == model)
            and (kind is None or labels.kind == kind)
            and (status is None or event.data.status == status)
            and (episode is None or event.data.episode.startswith(episode))
            and (since_ms is None or parse_time(event.time) >= since_ms)
            and (
                severity is None
                or SEVERITIES.index(event.data.severity) >= SEVERITIES.index(severity)
            )
        )

    acks: dict[str, Ack] = {}
    from_now = follow and not (everything or since or episode)
    stop = threading.Event()
    if follow:  # as an exception Ctrl-C is lost where it meets a callback of kafka-python
        signal.signal(signal.SIGINT, lambda *_: stop.set())
    log = read_alert_log(
        config.kafka,
        config.topics.alerts,
        follow=follow,
        new_only=from_now,
        stop=stop.is_set,
    )
    events = _alerts(log, acks)
    if from_now:
        say(f"alerts on {config.topics.alerts} from now on; --since 1d for earlier ones too")
    if not (everything or follow or episode):
        newest = {event.data.episode: event for event in events}
        events = iter(sorted(newest.values(), key=_urgency, reverse=True))
    shown, episodes, last = 0, set[str](), dict[str, str]()
    for event in filter(chosen, events):
        shown += 1
        if as_json:
            answer_json(encode_alert(event))
        elif episode is not None:
            episodes.add(event.data.episode)
            last[event.data.episode] = _advice(event)
            _print_revision(event)
        else:
            click.echo(alert_line(event) + _acknowledged(acks.get(event.data.episode)))
    if stop.is_set():
        return
    for name in sorted(episodes & acks.keys()):
        click.echo(f"\n{printable(name[:8])}{_acknowledged(acks[name])}")
    for advice in dict.fromkeys(last.values()):
        answer(advice, "\n")
    if not shown:
        say(f"no alerts on {config.topics.alerts}{_asked(model, kind, severity, status, episode)}")


def _alerts(log: Iterable[AlertEvent | Ack], acks: dict[str, Ack]) -> Iterator[AlertEvent]:
    """The alerts of the topic; acks are noted as they come."""
    from stream.contracts.acks import Ack

    for event in log:
        if isinstance(event, Ack):
            acks[event.data.episode] = event
        else:
            yield event


def _urgency(event: AlertEvent) -> tuple[bool, int, str]:
    """What fires before what ended, the severe first, the new first: the largest comes first."""
    firing = event.data.status == "firing"
    return firing, SEVERITIES.index(event.data.severity) if firing else 0, event.time


def _asked(*filters: str | None) -> str:
    given = [text for text in filters if text is not None]
    return f" for {', '.join(given)}" if given else ""


def _acknowledged(ack: Ack | None, clock: Callable[[], float] = time.time) -> str:
    if ack is None or ack.until_ms <= clock() * 1000:
        return ""
    by = f" by {ack.data.by}" if ack.data.by else ""
    note = f": {ack.data.note}" if ack.data.note else ""
    mark = printable(f"  [acknowledged{by} until {when(ack.until_ms)} UTC{note}]")
    return click.style(mark, fg="magenta")


def _advice(event: AlertEvent) -> str:
    """Where it stands what to do about an episode."""
    from stream.runbooks import runbook_command

    guide = event.data.annotations.runbook_url or runbook_command(event.data.labels.kind)
    return f"what to do: {guide}"


def _print_revision(event: AlertEvent) -> None:
    """One revision of an incident in full."""
    from stream.alerts.sentences import expected_words
    from stream.alerts.story import related_words

    data = event.data
    click.echo(f"\n{alert_line(event)}")
    if data.annotations.evidence:
        answer(data.annotations.evidence, "  ")
    for word, names in (("joined", data.joined), ("left", data.left)):
        if names:
            answer(f"{word}: {', '.join(names)}", "  ")
    for other in data.related:
        answer(f"beside it: {related_words(other)} ({other.episode[:8]})", "  ")
    for one in data.signals:
        if one.expected_errors is not None:
            answer(expected_words(one.name, one.expected_errors), "  ")
    heads = ("signal", "segment", "test", "value", "threshold", "size", "began", "change")
    print_table(f"revision {data.revision}", heads, [_row(signal) for signal in data.signals])


def _row(signal: AlertSignal) -> tuple[str, ...]:
    from detectors.figures import figure, figures

    began, point = "", signal.change_point
    if point is not None:
        began = point.estimate[:16].replace("T", " ") + ", gradually" * (point.shape == "ramp")
    size = "" if signal.effect is None else figure(signal.effect)
    value, threshold = figures(signal.value, signal.threshold)
    return (
        signal.name,
        signal.segment,
        signal.test,
        value,
        threshold,
        size,
        began,
        signal.change,
    )
