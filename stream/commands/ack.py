"""`driftstream ack`: no more notifications of an episode, for a while."""

from __future__ import annotations

import getpass
import time
from pathlib import Path

import click

from stream.commands.shared import answer, config_option, open_config, when

__all__ = ["command"]


@click.command("ack")
@config_option
@click.argument("episode")
@click.option(
    "--until",
    default="24h",
    show_default=True,
    metavar="TIME",
    help='When to notify again: "2026-03-02T08:00:00Z", or "4h" from now. "now" ends an ack.',
)
@click.option("--by", help="Who acknowledges.  [default: the user's name]")
@click.option("--note", default="", help="What the others should know.")
def command(config_path: Path, episode: str, until: str, by: str | None, note: str) -> None:
    """Acknowledge the EPISODE: `driftstream notify` tells no one of it until then, or its end.

    The first letters of its id do, as `driftstream alerts` shows them. The alerts themselves go on
    as before.
    """
    from stream.client.alert_log import latest_alerts
    from stream.client.records import publish
    from stream.commands.moments import moment_ms
    from stream.contracts.acks import encode_ack, make_ack

    now_s = time.time()
    until_ms = moment_ms(until, now_s)
    if until != "now" and until_ms <= now_s * 1000:
        raise click.BadParameter(
            f"must be a time that is yet to come; got {until!r}, which was {when(until_ms)} UTC, "
            f"and it is {when(int(now_s * 1000))}. Give a later one, a length such as "
            '"4h", or "now" to take an ack back.',
            param_hint="'--until'",
        )
    config = open_config(config_path)
    topic = config.topics.alerts
    found = [
        alert
        for name, alert in latest_alerts(config.kafka, topic).items()
        if name.startswith(episode)
    ]
    if len(found) != 1 or not episode:
        known = ", ".join(alert.data.episode[:8] for alert in found[:5])
        raise click.ClickException(
            f"{topic} has {len(found) or 'no'} episodes whose id begins with {episode!r}"
            f"{f' ({known})' if known else ''}. See: driftstream alerts -c {config_path}"
        )
    (alert,) = found
    if alert.data.status == "resolved":
        raise click.ClickException(
            f"episode {alert.data.episode[:8]} ended at {alert.data.ends_at}. Nothing to do."
        )
    ack = make_ack(alert, int(now_s * 1000), until_ms, _name() if by is None else by, note)
    publish(config.kafka, topic, [(alert.data.fingerprint.encode(), encode_ack(ack), ())])
    ended = until_ms <= now_s * 1000
    words = "notified of again" if ended else f"not notified of until {when(until_ms)} UTC"
    answer(f"{alert.data.episode[:8]} {alert.subject}: {words}")


def _name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user in a container
        return ""
