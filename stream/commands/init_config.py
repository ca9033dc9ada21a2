"""The config that `init` writes: what a worker needs, and the next settings to change."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stream.plans.proposal import proposed_lengths, toml_segments, toml_text

if TYPE_CHECKING:
    from detectors import Reference

__all__ = ["config_text"]

_COLUMN: Final = 42
_HEAD: Final = """\
# driftstream, written by `driftstream init`. A line such as #name = value is a setting at its
# default: take the # away and change it. All settings are in docs/reference/config.md, and
# `driftstream check -c {file}` says what is wrong.
"""


def config_text(
    reference: Reference,
    path: Path,
    reference_path: Path,
    data: Path,
    *,
    servers: str,
    topic: str,
    hash_key_path: Path | None,
) -> str:
    """A config file for one model, which decides as `replay --reference` does.

    Parameters
    ----------
    reference : Reference
        Of the model.
    path, reference_path : Path
        Where the config and the reference will be; the config names it from its own folder.
    data : Path
        The file it was made of, for a comment.
    servers : str
        Of Kafka.
    topic : str
        Where the model's events are.
    hash_key_path : Path or None
        File of the key that hashes categories, if some are hashed.
    """
    pane, max_age = proposed_lengths(reference)
    signal = toml_text(reference.signals[0].name)
    privacy = (
        []
        if hash_key_path is None
        else [
            ("[privacy]", "of the reference's hashed categories"),
            (f"hash_key_file = {_relative(hash_key_path, path)}", ""),
            ("", ""),
        ]
    )
    name = toml_text(reference.model)
    version = toml_text(reference.version or "*")
    lines = [
        ("[kafka]", "any option of librdkafka; TLS and passwords: docs/security.md"),
        (f"bootstrap_servers = {toml_text(servers)}", 'or "${KAFKA}", from the environment'),
        ("", ""),
        ("[worker]", ""),
        (
            'metrics_address = "127.0.0.1:9464"',
            'page and /metrics; seen from elsewhere: "0.0.0.0:9464"',
        ),
        ('environment = "dev"', "told with every alert, and on /metrics"),
        ('#idle_after = "30s"', "a partition silent for so long holds the others up no more"),
        ("", ""),
        ("[topics]", "driftstream's own; made by `driftstream topics --create`"),
        ('#prefix = ""', 'before their names and the group\'s: "team-a." on a shared Kafka'),
        ('#alerts = "driftstream.alerts"', "where alerts are published"),
        ("#partitions = 4", "of each that is made"),
        ("#prediction_partitions = 4", "of the topic of events, if it is made"),
        ("", ""),
        *privacy,
        ("[[models]]", "a second model, or version, is a second [[models]]"),
        (f"name = {name}", f'as events name it: {{"model": {{"name": {name}}}, ...}}'),
        (f"version = {version}", '"*": events of every version' + _of_one(reference)),
        (
            f"reference = {_relative(reference_path, path)}",
            f"of {reference.events:,} rows of {_plain(data.name)}",
        ),
        (f"topic = {toml_text(topic)}", "where its events come"),
        ("false_alarms_per_week = 1.0", "the one knob: how often to be called for nothing"),
        (f'#pane = "{pane}"', "how often is tested; this is what the reference's rate gives"),
        ('#lateness = "5s"', "so much later than others of its time may an event come"),
        (
            f"#segments = {toml_segments(reference.segments)}",
            "columns of which each value is watched apart too: docs/segments.md",
        ),
        (
            f"#protected = {toml_segments(reference.protected)}",
            "those of them by which outcomes should not differ: docs/fairness.md",
        ),
        ("#private = false", "true: no values and no names in alerts"),
        ("", ""),
        ("[models.window]", "what is tested together, beside the tests of each pane:"),
        ("#events = 1000", "so many events,"),
        (f'#max_age = "{max_age}"', "or so much time; this is what the reference's rate gives,"),
        ("#min_events = 300", "if there are at least so many"),
        ("", ""),
        (f"[models.signals.{signal}]", "any signal may have such a table"),
        ("#monitor = true", "false: not watched"),
        ("#importance = 0.5", "weight among the signals: ranks what an alert names first"),
        ('#tests = ["adwin", "edetector", "psi"]', "instead of those chosen by its kind"),
        ("", ""),
        ("#[[notify]]", "alerts to people, by `driftstream notify`: docs/notify.md"),
        ('#type = "slack"', "or webhook, alertmanager"),
        ('#url = "https://hooks.example/services/..."', ""),
    ]
    return (
        "\n".join([_HEAD.format(file=_plain(path.name)), *(_line(*line) for line in lines)]) + "\n"
    )


def _relative(path: Path, config_path: Path) -> str:
    """A path as the config names it, from its own folder."""
    return toml_text(Path(os.path.relpath(path, config_path.parent)).as_posix())


def _of_one(reference: Reference) -> str:
    return "" if not reference.version else "; this model's others are refused"


def _line(setting: str, comment: str) -> str:
    return f"{setting + ' ':<{_COLUMN}}# {comment}" if comment else setting


def _plain(text: str) -> str:
    """A name within a comment, which ends with its line."""
    return "".join(char if char.isprintable() else "?" for char in text)
