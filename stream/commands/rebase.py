"""`driftstream plan rebase`: what production is like now becomes what is normal."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stream.commands.shared import answer, config_option, open_config, say, when
from stream.text.counted import counted

if TYPE_CHECKING:
    from stream.stage2.pane_reader import ReadPanes

__all__ = ["command"]


@click.command("rebase")
@config_option
@click.option("--model", required=True, help="The model.")
@click.option("--version", help="The version whose events are taken, if there are several.")
@click.option(
    "--since", metavar="TIME", help='The first event time: "2026-03-01T12:00:00Z", or "6h" ago.'
)
@click.option(
    "--last",
    default="24h",
    show_default=True,
    metavar="LENGTH",
    help="Without --since: so much before the newest event.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
def command(
    config_path: Path, model: str, version: str | None, since: str | None, last: str, dry_run: bool
) -> None:
    """Make the last events of a model its reference, and publish the plan.

    The counts are read from the summaries topic. The new reference takes the place of the config's
    file, and the old one stays beside it under its hash. When the plan comes into force, open
    episodes resolve as "rebased", and drift is judged anew from there.
    """
    from detectors.fitting.rebase import rebased
    from stream.client.plan_topic import publish_plan
    from stream.text.durations import duration_ms

    config = open_config(config_path)
    configured = config.model(model)
    if configured.reference is None:
        raise click.ClickException(
            f"{model} learns its reference from the stream. To learn it anew, change its plan: "
            "warm_up, or the signals."
        )
    span_ms = duration_ms(last)
    if span_ms is None:
        raise click.BadParameter(f'--last must be a length such as "24h"; got {last!r}.')
    read = _read_panes(config, model, version, since, span_ms)
    reference = rebased(
        read.plan.reference,
        read.plan.monitored,
        read.batches.table,
        first_ms=read.first_ms,
        last_ms=read.last_ms,
        protected=read.protected,
    )
    events = counted(read.events, "event")
    of = f"{events} from {when(read.first_ms)} to {when(read.last_ms)} UTC"
    if read.events < 10_000:
        say(f"{of} are few for a reference: 10,000 make a good one.")
    if dry_run:
        answer(f"{model}: would be rebased on {of}")
        return
    path = Path(configured.reference)
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(reference.to_json())
    try:
        plan = config.plan(dataclasses.replace(configured, reference=fresh))
    except ValueError:
        fresh.unlink()
        raise
    kept = path.with_name(f"{path.stem}.{read.plan.reference.hash[7:15]}{path.suffix}")
    path.replace(kept)
    fresh.replace(path)
    done = publish_plan(config.kafka, config.topics.plans, plan, again=True)
    answer(
        f"{model}: rebased on {of}; in force from {when(done.effective_from_ms)} UTC "
        f"({plan.hash[:19]}). {path} is the new reference, {kept} the old one."
    )


def _read_panes(
    config: Any, model: str, version: str | None, since: str | None, span_ms: int
) -> ReadPanes:
    from stream.client.plan_topic import read_plans
    from stream.client.records import read_topic, tell_unread
    from stream.commands.moments import moment_ms
    from stream.plans.plan import PlanBook
    from stream.stage2.pane_reader import PaneReader

    plans = PlanBook()
    for plan, from_ms in read_plans(config.kafka, config.topics.plans):
        plans.add(plan, from_ms)
    since_ms = None if since is None else moment_ms(since, time.time(), ago=True)
    panes = PaneReader(plans, model, since_ms=since_ms, span_ms=span_ms)
    for record in read_topic(config.kafka, config.topics.summaries, on_unread=tell_unread):
        panes.add(record.value)
    if not panes.versions:
        raise click.ClickException(
            f"{config.topics.summaries} has no counts of {model} against a reference. Are its "
            f"events consumed? See: driftstream plan list -c {config.file}"
        )
    if version is None and len(panes.versions) == 1:
        version = panes.versions[0]
    if version not in panes.versions:
        raise click.ClickException(
            f"{model} has events of {', '.join(map(repr, panes.versions[:20]))}; choose one with "
            "--version."
        )
    return panes.take(version)
