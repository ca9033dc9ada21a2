"""`driftstream broker`: a real broker for development, or three."""

from __future__ import annotations

import time
from pathlib import Path

import click

from stream.commands.shared import say
from stream.commands.spelling import SpellingGroup

__all__ = ["command"]

_node = click.option("--node", type=click.IntRange(1), help="Only this one of several brokers.")


@click.group("broker", cls=SpellingGroup)
def command() -> None:
    """A real Kafka without Docker: from Maven jars, or from DRIFTSTREAM_KAFKA_HOME."""


@command.command("start")
@click.option(
    "--brokers",
    type=click.IntRange(1, 9),
    default=1,
    show_default=True,
    help="How many, as one cluster. Of three, every topic is on all and one may be away.",
)
@click.option("--port", type=click.IntRange(1, 65_527), help="Default: free ones.")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep their data there; default is a temporary folder that `stop` removes.",
)
@click.option(
    "--heap",
    "heap_mb",
    type=click.IntRange(128),
    help="Java heap of each in MB; default is 512 for one, 256 for each of more.",
)
@click.option("--node", type=click.IntRange(1), help="Start this one of several brokers again.")
def start(
    brokers: int, port: int | None, data_dir: Path | None, heap_mb: int | None, node: int | None
) -> None:
    """Start a broker in the background, or several; prints the addresses.

    With --node a broker of those in the background that was stopped or killed is started again,
    with its data.
    """
    from stream.devbroker.daemon import start_daemon, start_daemon_node

    if node is not None:
        again = start_daemon_node(node)
        say(f"node {node} takes requests at {again.node.address} (process {again.pid})")
        return
    say("starting Kafka (the first time, its jars are fetched)")
    state = start_daemon(data_dir, brokers=brokers, port=port, heap_mb=heap_mb)
    click.echo(state.bootstrap)
    for each in state.nodes:
        name = "" if len(state.nodes) == 1 else f"node {each.id}: "
        say(f"{name}process {each.pid}, log {each.log}")
    say("end it with: driftstream broker stop")


@command.command("status")
def status() -> None:
    """Show the brokers in the background; exit 1 if none runs."""
    from stream.devbroker.daemon import daemon_status

    state = daemon_status()
    if state is None:
        say("no broker runs. Start one: driftstream broker start")
        raise click.exceptions.Exit(1)
    click.echo(state.bootstrap)
    minutes = (time.time() - state.started) / 60
    say(f"started {minutes:.0f} min ago, data in {state.data_dir}")
    for node in state.nodes:
        what = f"process {node.pid}" if node.running else "does not run"
        say(f"node {node.id} at {node.node.address}: {what}, log {node.log}")


@command.command("stop")
@_node
def stop(node: int | None) -> None:
    """Stop the brokers in the background; their temporary data are removed."""
    from stream.devbroker.daemon import stop_daemon, stop_daemon_node

    if node is not None:
        stop_daemon_node(node)
        say(f"stopped node {node}; its data are kept: driftstream broker start --node {node}")
        return
    state = stop_daemon()
    say("no broker runs" if state is None else f"stopped {state.bootstrap}")


@command.command("kill")
@click.option("--node", type=click.IntRange(1), required=True, help="Which of several brokers.")
def kill(node: int) -> None:
    """End one of several brokers as a power cut would (SIGKILL), and keep its data."""
    from stream.devbroker.daemon import stop_daemon_node

    stop_daemon_node(node, kill=True)
    say(f"killed node {node}; start it again: driftstream broker start --node {node}")
