"""`driftstream alerts`: the alerts topic, for people and for programs."""

from __future__ import annotations

from pathlib import Path

import click

from stream.commands.shared import alert_line, config_option, open_config, say

__all__ = ["command"]


@click.command("alerts")
@config_option
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="The events themselves, one a line.")
@click.option("--all", "everything", is_flag=True, help="Every revision, not only the newest.")
@click.option("--model", help="Only alerts of this model.")
def command(
    config_path: Path, follow: bool, as_json: bool, everything: bool, model: str | None
) -> None:
    """Print alert events: the newest revision of each episode, or every one as it comes."""
    from stream.alerts import encode_alert
    from stream.client import latest_alerts, read_alerts

    config = open_config(config_path)
    kafka, topic = config.kafka, config.topics.alerts
    whole = everything or follow
    events = (
        read_alerts(kafka, topic, follow=follow) if whole else latest_alerts(kafka, topic).values()
    )
    shown = 0
    try:
        for event in events:
            if model is not None and event.data.labels.model != model:
                continue
            shown += 1
            click.echo(encode_alert(event) if as_json else alert_line(event))
    except KeyboardInterrupt:
        return
    if not shown:
        say(f"no alerts on {topic}")
