"""Tables of the config whose keys are declared: kind, default, bounds and meaning of each.

Those of `[[models]]` are in the contract of plans (`PlanSettings`).
"""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from stream.contracts.topic_names import TopicNames

__all__ = ["IngestConfig", "SignalPrivacy", "TopicsConfig", "WorkerConfig"]


class WorkerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[worker]`; times in milliseconds, addresses "" for nowhere."""

    metrics_address: Annotated[
        str,
        Meta(
            extra={"address": True},
            description="Where `/`, `/metrics`, `/healthz` and `/readyz` are served, "
            '`host:port`; `""` for nowhere.',
        ),
    ] = "127.0.0.1:9464"
    metrics_tls_cert: Annotated[
        str,
        Meta(
            extra={"path": True},
            description="Certificate to serve them with TLS; needs `metrics_tls_key`.",
        ),
    ] = ""
    metrics_tls_key: Annotated[
        str,
        Meta(
            extra={"path": True},
            description="Its key.",
        ),
    ] = ""
    dead_letter_values: Annotated[
        bool,
        Meta(
            description="Whether refused records go to the dead-letter topic with their "
            "bytes, or only with reason and place.",
        ),
    ] = True
    group: Annotated[
        str,
        Meta(
            min_length=1,
            description="Consumer group; after `topics.prefix`, if there is one and no "
            "group is given. Workers of one group share the work.",
        ),
    ] = "driftstream"
    environment: Annotated[
        str,
        Meta(
            min_length=1,
            description="Named in the alerts' `source`.",
        ),
    ] = "dev"
    data_dir: Annotated[
        str,
        Meta(
            extra={"path": True},
            description="Scratch space; default is a temporary folder. Nothing there "
            "outlives a worker.",
        ),
    ] = ""
    idle_after_ms: Annotated[
        int,
        Meta(
            ge=100,
            description="A partition that is caught up and silent for so long no longer "
            "holds the others back.",
        ),
    ] = 30_000
    snapshot_interval_ms: Annotated[
        int,
        Meta(
            ge=100,
            description="How often state is written.",
        ),
    ] = 10_000
    session_timeout_ms: Annotated[
        int,
        Meta(
            ge=1_000,
            description="After so long without a heartbeat a worker's partitions go to others.",
        ),
    ] = 6_000
    idle_timeout_ms: Annotated[
        int,
        Meta(
            ge=1_000,
            description="Subjects (a model's version, or a value of a segment) to which "
            "nothing happens for so long, or up to twice that, are evicted to "
            "a third of the memory; their next event brings them back as they "
            "were. Those with an open episode stay, so that its evidence can be "
            "looked at.",
        ),
    ] = 600_000
    max_ahead_ms: Annotated[
        int,
        Meta(
            ge=0,
            description="An event so much later than its own record is refused.",
        ),
    ] = 60_000
    max_ready_lag: Annotated[
        int,
        Meta(
            ge=1,
            description="Records behind from which `/readyz` says no.",
        ),
    ] = 1_000_000
    max_series: Annotated[
        int,
        Meta(
            ge=100,
            description="Series of signals on the metrics page; the rest is folded into "
            "`__other__`.",
        ),
    ] = 10_000
    dashboard_url: Annotated[
        str,
        Meta(
            description="Put into alerts.",
        ),
    ] = ""
    runbook_base_url: Annotated[
        str,
        Meta(
            description="Address of the runbooks, put into alerts; `{kind}` in it stands "
            "for the kind. Without it the worker's page links to its own, and "
            "notifications name `driftstream runbook KIND`.",
        ),
    ] = ""


class TopicsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[topics]`: names of driftstream's own topics, and partitions where they are created."""

    prefix: Annotated[
        str,
        Meta(
            description="Before the names of driftstream's own topics, and of the consumer "
            "group, that are not given: so that several installations share a "
            "Kafka.",
        ),
    ] = ""
    summaries: Annotated[
        str,
        Meta(
            min_length=1,
            description="Counts between the stages.",
        ),
    ] = TopicNames.summaries
    plans: Annotated[
        str,
        Meta(
            min_length=1,
            description="Plans with their references.",
        ),
    ] = TopicNames.plans
    alerts: Annotated[
        str,
        Meta(
            min_length=1,
            description="Alert events and acknowledgements.",
        ),
    ] = TopicNames.alerts
    dead_letter: Annotated[
        str,
        Meta(
            min_length=1,
            description="Refused records.",
        ),
    ] = TopicNames.dead_letter
    state: Annotated[
        str,
        Meta(
            min_length=1,
            description="Snapshots of stage 2.",
        ),
    ] = TopicNames.state
    pairs: Annotated[
        str,
        Meta(
            min_length=1,
            description="Predictions and labels that are to be joined by id. Only needed where a "
            "model has `outcome.labels`.",
        ),
    ] = TopicNames.pairs
    pairs_state: Annotated[
        str,
        Meta(
            min_length=1,
            description="Snapshots of joins. Only needed where `pairs` is.",
        ),
    ] = TopicNames.pairs_state
    partitions: Annotated[
        int,
        Meta(
            ge=1,
            description="Of the summaries, state and pairs topics, where they are created. Bounds "
            "the workers of stage 2 and of joins.",
        ),
    ] = 4
    prediction_partitions: Annotated[
        int,
        Meta(
            ge=1,
            description="Of the models' topics, where they are created.",
        ),
    ] = 4
    replication: Annotated[
        int,
        Meta(
            ge=-1,
            description="Copies of topics that are created; -1 for the broker's default. "
            "With 3 or more they get `min.insync.replicas = 2`.",
        ),
    ] = -1

    @property
    def names(self) -> TopicNames:
        """The names of all."""
        return TopicNames(**{name.name: getattr(self, name.name) for name in fields(TopicNames)})


class SignalPrivacy(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a signal's values before anything is counted."""

    privacy: Annotated[
        Literal["", "drop", "hash"],
        Meta(
            description="`drop` its values, or `hash` its categories with `[privacy]`, "
            "before anything is counted.",
        ),
    ] = ""


class IngestConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[ingest]`; without `tokens_file` everybody may send."""

    address: Annotated[
        str,
        Meta(
            extra={"address": True},
            description="Where `driftstream ingest` listens, `host:port`.",
        ),
    ] = "127.0.0.1:9466"
    tokens_file: Annotated[
        str,
        Meta(
            extra={"path": True},
            description="Who may send: a token of at least 16 characters a line. Without "
            "it: everybody.",
        ),
    ] = ""
    max_body_bytes: Annotated[
        int,
        Meta(
            ge=1_024,
            description="A larger request is answered with 413.",
        ),
    ] = 1_048_576
    max_queued_bytes: Annotated[
        int,
        Meta(
            ge=1_048_576,
            description="Of all requests that wait for the broker; beyond it 429.",
        ),
    ] = 64 * 1_048_576
