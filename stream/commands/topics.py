"""`driftstream topics`: which topics there are and which should be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.shared import config_option, open_config, print_table, say

if TYPE_CHECKING:
    pass

__all__ = ["command"]


@click.command("topics")
@config_option
@click.option("--create", is_flag=True, help="Create those that are missing.")
def command(config_path: Path, create: bool) -> None:
    """Show and check the topics; exit 1 if one is missing or not as it must be."""
    from stream.kafka.topics import check_topics, create_topics

    config = open_config(config_path)
    topics = config.wanted_topics()
    if create:
        for name in create_topics(config.kafka, topics):
            say(f"created {name}")
    states = check_topics(config.kafka, topics)
    rows = [
        (
            state.wanted.name,
            "ours" if state.wanted.ours else "yours",
            str(state.partitions) if state.exists else "-",
            state.config.get("cleanup.policy", "-"),
            "ok" if state.ok else "wrong" if state.exists else "missing",
        )
        for state in states
    ]
    print_table("", ("topic", "whose", "partitions", "policy", "state"), rows)
    for state in states:
        for words in state.advice:
            say(f"advice: {words}")
        for words in state.differences:
            say(f"error: {words}")
    if not all(state.ok for state in states):
        raise click.exceptions.Exit(1)
