"""`driftstream report`: what the alerts topic knows of one episode, as HTML or Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.report_file import FORMS, form_of, report_text
from stream.commands.shared import IN_FILE, open_config, say
from stream.contracts.errors import NotFoundError
from stream.text.counted import counted

if TYPE_CHECKING:
    from stream.config.load import Config
    from stream.contracts.alert_event import AlertEvent

__all__ = ["command"]

#: So many characters of an episode's id are enough if they fit one episode only.
_MIN_ID = 4


@click.command("report")
@click.option("--episode", required=True, metavar="ID", help="Its id, or how that begins.")
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    envvar="DRIFTSTREAM_CONFIG",
    show_envvar=True,
    help="The config file: read its alerts topic.",
)
@click.option(
    "--alerts",
    "alerts_path",
    type=IN_FILE,
    help="Read a file of alert events instead, one JSON object a line.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    required=True,
    help="The file to write; - for stdout.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    help="md is Markdown, for tickets. Default: by the output's name, else html.",
)
def command(
    episode: str, config_path: Path | None, alerts_path: Path | None, output: Path, form: str | None
) -> None:
    """Write one file about an episode: what moved, since when, tested how, from which events.

    It needs nothing but the alert events, so it can be made for as long as the topic keeps them.
    """
    if alerts_path is None and config_path is None:
        raise click.UsageError("Give either -c CONFIG or --alerts FILE.")
    if len(episode) < _MIN_ID:
        raise click.UsageError(f"--episode must have at least {_MIN_ID} characters.")
    from stream.report import report_of_episode
    from stream.report.fetch import UNKNOWN_BROKER

    brokers, config = UNKNOWN_BROKER, None
    if alerts_path is not None:
        where, events = str(alerts_path), _from_file(alerts_path)
    else:
        assert config_path is not None
        from stream.client.alert_log import read_alerts

        config = open_config(config_path)
        where, brokers = config.topics.alerts, str(config.kafka["bootstrap_servers"])
        events = read_alerts(config.kafka, where)
    found = [event for event in events if event.data.episode.startswith(episode.lower())]
    _check_one(episode, found, where)
    notes = [] if config is None else _notes(config, found)
    text = report_text(report_of_episode(found, brokers, notes), form or form_of(output))
    if str(output) == "-":
        click.echo(text, nl=False)
        return
    output.write_text(text, encoding="utf-8")
    revisions = counted(len(found), "revision")
    say(f"wrote {output}: {revisions}, {len(text) / 1000:,.0f} kB")


def _notes(config: Config, found: Iterable[AlertEvent]) -> list[str]:
    """What limits the plan of the newest revision, as the plans topic has it."""
    from stream.client.plan_topic import read_plans
    from stream.stage2.plan_notes import other_notes

    last = max(found, key=lambda event: event.data.revision)
    try:
        plans = read_plans(config.kafka, config.topics.plans)
    except (LookupError, OSError, RuntimeError, ValueError) as error:
        return [f"what limits its reference is not known: {error}"]
    published = [plan for plan, _ in plans if plan.hash == last.data.config]
    if not published:
        return [f"what limits its reference is not known: {config.topics.plans} has not its plan"]
    return other_notes(published[-1])


def _check_one(episode: str, found: Iterable[AlertEvent], where: str) -> None:
    ids = sorted({event.data.episode for event in found})
    if not ids:
        raise NotFoundError(
            f"there is no episode {episode} on {where}. See which there are: driftstream alerts "
            "--json; those older than the topic's retention are gone."
        )
    if len(ids) > 1:
        raise NotFoundError(
            f"{len(ids)} episodes begin with {episode}: {', '.join(ids[:5])}. Give more characters."
        )


def _from_file(path: Path) -> Iterator[AlertEvent]:
    from stream.contracts.alert_event import decode_alert

    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield decode_alert(line, f"{path}:{number}")
