"""`driftstream state`: what the workers remember, and making them forget it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stream.commands.shared import (
    answer,
    answer_json,
    config_option,
    open_config,
    print_table,
    say,
    when,
)
from stream.commands.spelling import SpellingGroup
from stream.contracts.moments import INFINITY, MINUS_INFINITY
from stream.text.counted import counted, some_of

if TYPE_CHECKING:
    from stream.client.state_topic import StoredPartition
    from stream.config.load import Config
    from stream.stage2.snapshot import Stored
    from stream.stage2.subject import SubjectMonitor

__all__ = ["command"]


@click.group("state", cls=SpellingGroup)
def command() -> None:
    """Look at the snapshots on the state topic, and reset them."""


@command.command("list")
@config_option
def list_rounds(config_path: Path) -> None:
    """Show the last round of each partition; exit 1 if one has none that can be used."""
    config = open_config(config_path)
    rows, faults = [], []
    for partition in _partitions(config):
        stored = _usable(partition)
        at = f"{config.topics.state}[{partition.partition}]"
        faults += [f"{at} {_writer(r)}: {r.fault}" for r in partition.rounds if r.fault]
        if stored is None or stored.manifest is None:
            rows.append(
                (at, "-", "-", "-", str(len(partition.values)), _size(partition.bytes_held), "none")
            )
            continue
        names = _subjects(stored)
        shown = some_of(names, 3)
        age = time.time() - partition.times_ms[stored.key] / 1000
        rows.append(
            (
                at,
                str(stored.manifest.fence),
                _age(age),
                stored.manifest.writer,
                str(len(partition.values)),
                _size(partition.bytes_held),
                shown or "none",
            )
        )
    heads = ("partition", "fence", "age", "writer", "records", "size", "subjects")
    print_table("", heads, rows)
    for words in faults:
        say(f"not used: {words}")
    if any(row[1] == "-" for row in rows):
        raise click.exceptions.Exit(1)


@command.command("show")
@click.argument("model")
@click.option("--version", help="Model version; needed if there are several.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@config_option
def show(model: str, version: str | None, as_json: bool, config_path: Path) -> None:
    """Show what is remembered of MODEL, as of the last round."""
    config = open_config(config_path)
    found = [
        (partition, fence, subject)
        for partition in _partitions(config)
        for fence, subject in _restored(config, partition)
        if subject.subject.model == model and version in (None, subject.subject.version)
    ]
    if not found:
        raise click.ClickException(
            f"no snapshot on {config.topics.state} holds {model}"
            f"{'' if version is None else f' version {version!r}'}. See: driftstream state list."
        )
    if len(found) > 1:
        names = ", ".join(repr(subject.subject.version) for _, _, subject in found)
        raise click.UsageError(f"{model} has versions {names}. Choose one with --version.")
    [(partition, fence, subject)] = found
    facts = {"partition": partition.partition, "fence": fence, **_facts(subject)}
    if as_json:
        answer_json(json.dumps(facts))
        return
    for name, value in facts.items():
        answer(f"{name.replace('_', ' '):16} {value}")


@command.command("reset")
@click.option("--partition", "chosen", type=int, multiple=True, help="Only this one; repeatable.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Also while workers are in the group.")
@config_option
def reset(chosen: tuple[int, ...], yes: bool, force: bool, config_path: Path) -> None:
    """Take the snapshots away: workers then rebuild from the summaries topic.

    Stop the workers first. What the summaries topic does not reach back to is forgotten: windows
    begin anew, and open episodes are neither revised nor resolved any more.
    """
    from stream.client.state_topic import reset_state
    from stream.kafka.admin import group_members

    config = open_config(config_path)
    all_of_them = _partitions(config)
    if unknown := [p for p in chosen if p not in range(len(all_of_them))]:
        raise click.BadParameter(
            f"{config.topics.state} has partitions 0 to {len(all_of_them) - 1}; got {unknown[0]}."
        )
    members = group_members(config.kafka, config.worker.group)
    if members and not force:
        raise click.ClickException(
            f"group {config.worker.group} is in use by {counted(members, 'worker')}: their state "
            "would be written again. Stop all of them first, or use --force and start them "
            "again."
        )
    to_reset = [p for p in all_of_them if p.values and (not chosen or p.partition in chosen)]
    if not to_reset:
        say(f"{config.topics.state}: nothing to reset")
        return
    names = sorted({name for p in to_reset if (r := _usable(p)) for name in _subjects(r)})
    where = ", ".join(str(p.partition) for p in to_reset)
    subjects = counted(len(names), "subject")
    say(f"{config.topics.state}, partitions {where}: {subjects}: {', '.join(names[:20])}")
    if not yes:
        click.confirm("Take their snapshots away?", abort=True, err=True)
    count = reset_state(config.kafka, config.topics.state, to_reset)
    deleted = f"deleted {counted(count, 'record')}"
    say(f"{deleted}. Workers rebuild from {config.topics.summaries} at their start.")


def _partitions(config: Config) -> list[StoredPartition]:
    from stream.client.state_topic import read_state
    from stream.kafka.sources import describe_topics
    from stream.kafka.topics import topic_partitions

    topic, summaries = config.topics.state, config.topics.summaries
    log_id, _ = describe_topics(config.kafka, [summaries]).get(summaries, ("", 0))
    return read_state(config.kafka, topic, topic_partitions(config.kafka, topic), log_id)


def _usable(partition: StoredPartition) -> Stored | None:
    return next((r for r in partition.rounds if r.manifest is not None and not r.fault), None)


def _subjects(stored: Stored) -> list[str]:
    from stream.client.state_topic import subject_of

    return sorted(name for block in stored.payloads if (name := subject_of(block)))


def _restored(config: Config, partition: StoredPartition) -> list[tuple[int, SubjectMonitor]]:
    from stream.client.plan_topic import read_plans
    from stream.plans.plan import PlanBook
    from stream.stage2.monitor import PartitionMonitor
    from stream.stage2.snapshot import SnapshotError

    stored = _usable(partition)
    if stored is None or stored.manifest is None:
        return []
    plans = PlanBook()
    for plan, since in read_plans(config.kafka, config.topics.plans):
        plans.add(plan, since)
    monitor = PartitionMonitor(plans)
    try:
        monitor.restore(stored.manifest, stored.payloads)
    except SnapshotError as error:
        say(f"not used: {error}")
    return [(monitor.fence, subject) for subject in monitor.subjects.values()]


def _facts(monitor: SubjectMonitor) -> dict[str, Any]:
    phase = monitor.phase
    panes = monitor.store.due(INFINITY)
    reached = monitor.frontier_ms > MINUS_INFINITY // 2  # lengths of time may have been added
    return {
        "subject": str(monitor.subject),
        "topic_id": monitor.topic_id,
        "plan": phase.plan.hash if phase is not None else "idle" if monitor.is_idle else "none yet",
        "frontier": when(monitor.frontier_ms) if reached else "none yet",
        "panes_sealed": monitor.panes_sealed,
        "open_panes": len(panes),
        "first_open_pane": when(panes[0]) if panes else "none",
        "late_events": monitor.late_total,
        "open_episodes": ", ".join(f"{k} ({s})" for k, s in monitor.episodes.active.items())
        or "none",
    }


def _writer(stored: Stored) -> str:
    return (
        stored.key.decode(errors="replace")
        if stored.manifest is None
        else (f"round {stored.manifest.sequence} of {stored.manifest.writer}")
    )


def _size(n: int) -> str:
    return f"{n / 1000:,.1f} kB"


def _age(seconds: float) -> str:
    if seconds < 120:
        return f"{max(0.0, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
