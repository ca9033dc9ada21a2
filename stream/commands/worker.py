"""`driftstream worker`: a Kafka worker in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.shared import config_option, open_config, plan_name, say, start_log, when
from stream.process.early_end import end_at_once_if_told
from stream.text.counted import counted

if TYPE_CHECKING:
    from stream.config.load import Config
    from stream.worker.settings import WorkerSettings
    from stream.worker.worker_status import WorkerStatus

__all__ = ["command", "worker_settings"]


@click.command("worker")
@config_option
@click.option(
    "--stage",
    type=click.Choice(["all", "summarise", "join", "monitor"]),
    default="all",
    show_default=True,
    help="Which stage it runs.",
)
@click.option("--no-publish", is_flag=True, help="Do not publish the config's plans first.")
@click.option("-v", "--verbose", is_flag=True, help="Log what happens.")
def command(config_path: Path, stage: str, no_publish: bool, verbose: bool) -> None:
    """Run a worker until Ctrl-C or SIGTERM. Start more of them to share the partitions.

    The topics must exist (driftstream topics --create). The config's plans are published first;
    those already on the topic are left as they are, and one that a later plan took the place of
    is not published again.
    """
    end_at_once_if_told()
    from stream.worker.app import run_worker

    start_log(verbose)
    config = open_config(config_path)
    publish = None if no_publish else _publish(config)
    raise click.exceptions.Exit(run_worker(worker_settings(config, stage), _ready, publish))


def _publish(config: Config) -> Callable[[], None]:
    from stream.client.plan_topic import publish_plans
    from stream.commands.plan import superseded
    from stream.contracts.moments import MINUS_INFINITY
    from stream.stage2.plan_notes import plan_mismatches, plan_notes

    plans = config.plans()  # before anything else: a fault in a file is shown at once

    def publish() -> None:
        published = publish_plans(config.kafka, config.topics.plans, plans)
        for plan, done in zip(plans, published, strict=True):
            if done.new:
                later = done.effective_from_ms > MINUS_INFINITY
                since = f", in force from {when(done.effective_from_ms)} UTC" if later else ""
                say(f"published the plan of {plan_name(plan)} ({plan.hash[:19]}){since}")
            elif done.superseded_by:
                say(f"warning: {superseded(plan, done)}")
            for note in (*plan_mismatches(plan), *plan_notes(plan)):
                say(f"warning: {plan_name(plan)}: {note}")

    return publish


def worker_settings(config: Config, stage: str = "all") -> WorkerSettings:
    """Give a worker its settings as plain values."""
    from stream.worker.settings import WorkerSettings

    worker = config.worker
    return WorkerSettings(
        kafka=config.kafka,
        group=worker.group,
        stage=stage,
        topics=config.topics.names,
        data_dir=worker.data_dir,
        metrics_address=worker.metrics_address,
        metrics_tls=(worker.metrics_tls_cert, worker.metrics_tls_key)
        if worker.metrics_tls_cert
        else None,
        idle_after_s=worker.idle_after_ms / 1000,
        snapshot_interval_s=worker.snapshot_interval_ms / 1000,
        session_timeout_s=worker.session_timeout_ms / 1000,
        idle_timeout_s=worker.idle_timeout_ms / 1000,
        max_ready_lag=worker.max_ready_lag,
        max_ahead_ms=worker.max_ahead_ms,
        max_series=worker.max_series,
        environment=str(worker.environment),
        hashing=config.hashing,
        formats=config.sources,
        dead_letter_values=worker.dead_letter_values,
        silences=config.silences,
    )


def _ready(status: WorkerStatus) -> None:
    say(f"ready: {counted(len(status.assigned), 'partition')}")
