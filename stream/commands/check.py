"""`driftstream check`: is all of it well before a worker starts?"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

import stream
from stream.commands.shared import answer, config_option, open_config, plan_name, say
from stream.text.counted import counted

if TYPE_CHECKING:
    from stream.config.load import Config

__all__ = ["command"]


@click.command("check")
@config_option
@click.option("--offline", is_flag=True, help="Only the config and its references.")
@click.option("--strict", is_flag=True, help="What will not be tested is wrong too.")
def command(config_path: Path, offline: bool, strict: bool) -> None:
    """Check the config, its references and the connection; exit 1 if something is wrong."""
    from detectors import tell_of_compiling
    from stream.config.load import ConfigError
    from stream.config.silences import silence_notes
    from stream.config.sources import source_notes
    from stream.stage2.plan_notes import (
        fairness_lines,
        label_lines,
        labels_left_out,
        limit_lines,
        other_notes,
        plan_mismatches,
        plan_summary,
    )
    from stream.stage2.untested import untested_by_plan

    tell_of_compiling(say)

    wrong = False

    def tell(ok: bool, words: str) -> None:
        nonlocal wrong
        wrong = wrong or not ok
        mark = click.style("ok   ", fg="green") if ok else click.style("error", fg="red")
        answer(words, f"{mark} ")

    config = open_config(config_path)
    lateness: dict[str, int] = {}
    tell(True, f"driftstream {stream.__version__} on Python {platform.python_version()}")
    tell(True, f"{config_path}: {counted(len(config.models), 'model')}")
    for model in config.models:
        try:
            plan = config.plan(model)
        except ConfigError as error:
            tell(False, str(error))
        else:
            lateness[model.name] = plan.lateness_ms
            tell(True, f"{plan_name(plan)}: {plan_summary(plan)}")
            for words in plan_mismatches(plan):
                tell(False, f"{plan_name(plan)}: {words}")
            for words in label_lines(plan):
                answer(words, "      ")
            for words in limit_lines(plan):
                answer(f"limit: {words}", "      ")
            for words in fairness_lines(plan):
                answer(words, "      ")
            for note in (*other_notes(plan), *labels_left_out(plan)):
                answer(f"note: {note}", "      ")
            for untested in untested_by_plan(plan):
                words = untested.line
                if strict and untested.is_gap:
                    tell(False, f"{plan_name(plan)}: {words}")
                else:
                    answer(f"note: {words}", "      ")
    for topic, source in config.sources.items():
        advice = "the same [[sources]] must be in the config of every worker"
        tell(True, f"{topic}: format {source.format}; {advice}")
        for words in source_notes(source):
            answer(f"note: {words}", "      ")
    for words in silence_notes(config.silences):
        answer(f"note: {words}", "      ")
    from stream.kafka.codecs import unread_codecs

    for words in (unread := list(unread_codecs())):
        tell(False, words)
    if not unread:
        tell(True, "gzip, snappy, lz4 and zstd are read by both Kafka clients")
    if not offline:
        from stream.commands.worker import worker_settings
        from stream.kafka.access import AccessError, check_connection
        from stream.kafka.admin import cluster
        from stream.kafka.record_times import Watched, record_time_words
        from stream.kafka.rights import check_rights, worker_rights
        from stream.kafka.topics import check_topics
        from stream.kafka.unreadable_batch import UnreadableError

        servers = config.kafka["bootstrap_servers"]
        found = refused = None
        try:
            check_connection(config.kafka)
            found = cluster(config.kafka)
        except AccessError as error:
            refused = error
        if refused is not None:
            tell(False, str(refused))
        elif found is None:
            tell(False, f"no Kafka at {servers}. Check kafka.bootstrap_servers and security keys.")
        else:
            tell(True, f"Kafka at {servers}: {counted(len(found.brokers), 'broker')}")
            states = check_topics(config.kafka, config.wanted_topics())
            for state in states:
                for words in state.differences:
                    tell(False, words)
                for words in state.advice:
                    answer(f"note: {words}", "      ")
            if all(state.ok for state in states):
                tell(True, counted(len(states), "topic"))
            watched = [
                Watched(m.name, m.topic, lateness[m.name])
                for m in config.models
                if m.name in lateness
            ]
            errors, notes = record_time_words(states, watched, servers)
            for words in errors:
                tell(False, words)
            for words in notes:
                answer(f"note: {words}", "      ")
            if any(s.exists for s in states if s.wanted.name == config.topics.plans):
                try:
                    for words in _others(config):
                        answer(f"note: {words}", "      ")
                except UnreadableError as error:
                    tell(False, str(error))
            needs = worker_rights(
                worker_settings(config).topics,
                {t for model in config.models for t in (model.topic, model.labels) if t},
                joins=any(model.labels for model in config.models),
            )
            try:
                check_rights(config.kafka, needs, config.worker.group)
                tell(True, "the rights that a worker needs")
            except AccessError as error:
                tell(False, str(error))
    if wrong:
        raise click.exceptions.Exit(1)


def _others(config: Config) -> Iterator[str]:
    """What workers watch by plans on the topic that this config does not name."""
    from stream.client.plan_topic import read_plans
    from stream.kafka.sources import absent_words, describe_topics, event_topics
    from stream.plans.plan import PlanBook

    book = PlanBook()
    for plan, since in read_plans(config.kafka, config.topics.plans):
        book.add(plan, since)
    named = {model.name for model in config.models}
    topics = event_topics(book)
    found = describe_topics(config.kafka, list(topics))
    for topic, models in topics.items():
        for model in models:
            if model in named:
                continue
            what = (
                f"{model} is watched too, on {topic}"
                if topic in found
                else f"{absent_words(topic, [model])}: nothing of it is watched"
            )
            yield f"{what}. It is on {config.topics.plans}, and not in this config"
