"""`driftstream notify`: alerts to Alertmanager, webhooks and Slack."""

from __future__ import annotations

import logging
import signal
import threading
from contextlib import ExitStack
from pathlib import Path

import click

from stream.commands.shared import config_option, open_config, say, start_log
from stream.process.early_end import end_at_once_if_told
from stream.text.counted import counted

__all__ = ["command"]


@click.command("notify")
@config_option
@click.option(
    "--metrics-address",
    default="127.0.0.1:9465",
    show_default=True,
    envvar="DRIFTSTREAM_NOTIFY_METRICS_ADDRESS",
    show_envvar=True,
    help='Where it serves /metrics, /healthz and /readyz; "" for nowhere.',
)
@click.option("-v", "--verbose", is_flag=True, help="Log what happens.")
def command(config_path: Path, metrics_address: str, verbose: bool) -> None:
    """Deliver alerts to every [[notify]] of the config until Ctrl-C or SIGTERM.

    Every event reaches every target at least once, also after an outage of the target, of Kafka or
    of this process. Run one of it for each config.
    """
    end_at_once_if_told()
    from stream.config.silences import silence_notes
    from stream.metrics import serve
    from stream.notify.metrics import NotifyCollector
    from stream.notify.notify_status import NotifyStatus
    from stream.notify.source import run_notify

    start_log(verbose)
    if not verbose:  # while a broker is away kafka-python says so many times a second
        logging.getLogger("kafka").setLevel(logging.CRITICAL)
    config = open_config(config_path)
    if not config.notify:
        raise click.UsageError(
            f"{config.file} has no [[notify]]. Add one with a type (alertmanager, webhook, slack) "
            "and a url."
        )
    for words in silence_notes(config.silences):
        say(f"warning: {words}")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    names = ", ".join(target.name for target in config.notify)
    status = NotifyStatus()
    with ExitStack() as stack:
        where = ""
        if metrics_address:
            server = serve(
                metrics_address,
                NotifyCollector(status, environment=str(config.worker.environment)),
                status,
                setting="--metrics-address",
            )
            stack.callback(server.close)
            where = f"; metrics at {server.url}metrics"
        run_notify(
            config.kafka,
            config.topics.alerts,
            f"{config.worker.group}.notify",
            config.notify,
            stop,
            lambda firing: say(f"ready: {counted(firing, 'open episode')}; to {names}{where}"),
            silences=config.silences,
            status=status,
        )
