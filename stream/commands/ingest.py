"""`driftstream ingest`: an HTTP endpoint for prediction events."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from stream.commands.shared import config_option, open_config, say, start_log
from stream.process.early_end import end_at_once_if_told
from stream.text.counted import counted

__all__ = ["command"]


@click.command("ingest")
@config_option
@click.option("--address", help="host:port instead of ingest.address of the config.")
@click.option("-v", "--verbose", is_flag=True, help="Log what happens.")
def command(config_path: Path, address: str | None, verbose: bool) -> None:
    """Take events over HTTP, POST /v1/events, until Ctrl-C or SIGTERM.

    An answer 202 means that the broker has the events. Run as many of it as you like.
    """
    end_at_once_if_told()
    from stream.ingest import IngestService, Rules, Tokens
    from stream.ingest.metrics import IngestCollector
    from stream.ingest.tokens import TokenError
    from stream.metrics import serve

    start_log(verbose)
    config = open_config(config_path)
    settings = config.ingest
    plans = config.plans()
    try:
        tokens = Tokens(Path(settings.tokens_file)) if settings.tokens_file else None
    except TokenError as error:
        raise click.UsageError(f"{config.file}: {error}") from error
    service = IngestService(
        config.kafka,
        tuple(dict.fromkeys(plan.topic for plan in plans)),
        Rules(plans, config.worker.max_ahead_ms, config.hashing),
        tokens,
        settings.max_queued_bytes,
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    collector = IngestCollector(service, environment=str(config.worker.environment))
    server = serve(
        address or settings.address,
        collector,
        service,
        setting="--address" if address else "ingest.address",
        posts={"/v1/events": service},
        max_body=settings.max_body_bytes,
        deadline_s=30.0,
    )
    for topic, source in config.sources.items():
        if source.format != "native":
            say(
                f"[[sources]] says {source.format} of {topic}: that is for records of others. Here "
                "native events are taken, no other, and workers read them as such"
            )
    who = "" if tokens else "; everybody who reaches it may send (ingest.tokens_file)"
    say(f"ready: POST {server.url}v1/events; metrics at {server.url}metrics{who}")
    stop.wait()
    service.closing()
    server.drain(15.0)
    left = service.close()
    if left:
        say(f"ended with {counted(left, 'event')} unsent; their senders were told to send again")
    server.close()
