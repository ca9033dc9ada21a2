"""`driftstream broker`: a real broker for development."""

from __future__ import annotations

import time
from pathlib import Path

import click

from stream.commands.shared import say

__all__ = ["command"]


@click.group("broker")
def command() -> None:
    """A real single-node Kafka without Docker: from Maven jars, or from DRIFTSTREAM_KAFKA_HOME."""


@command.command("start")
@click.option("--port", type=click.IntRange(1, 65_535), help="Default: a free one.")
@click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=Path),
    help="Keep its data there; default is a temporary folder that `stop` removes.",
)  # fmt: skip
@click.option("--heap", "heap_mb", default=512, show_default=True, help="Java heap in MB.")
def start(port: int | None, data_dir: Path | None, heap_mb: int) -> None:
    """Start the broker in the background; prints its address."""
    from stream.kafka.daemon import start_daemon

    say("starting Kafka (the first time, its jars are fetched)")
    state = start_daemon(data_dir, port=port, heap_mb=heap_mb)
    click.echo(state.bootstrap)
    say(f"process {state.pid}, log {state.log}. End it with: driftstream broker stop")


@command.command("status")
def status() -> None:
    """Show the background broker; exit 1 if none runs."""
    from stream.kafka.daemon import daemon_status

    state = daemon_status()
    if state is None:
        say("no broker runs. Start one: driftstream broker start")
        raise click.exceptions.Exit(1)
    click.echo(state.bootstrap)
    minutes = (time.time() - state.started) / 60
    say(f"process {state.pid}, for {minutes:.0f} min, data in {state.data_dir}, log {state.log}")


@command.command("stop")
def stop() -> None:
    """Stop the background broker; its temporary data are removed."""
    from stream.kafka.daemon import stop_daemon

    state = stop_daemon()
    say("no broker runs" if state is None else f"stopped {state.bootstrap}")
