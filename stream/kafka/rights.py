"""What a worker must be allowed to do, compared with what the broker says that it is.

Asked before anything is read: without a right on the alerts topic, say, the first alert would end
the worker, which might be weeks later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from stream.contracts.topic_names import TopicNames
from stream.kafka.access import AccessError
from stream.kafka.admin import admin, described
from stream.kafka.security import client_options

__all__ = ["check_rights", "lacking", "worker_rights"]

_GROUP_DENIED: Final = 30


def worker_rights(
    topics: TopicNames, events: Iterable[str], stage: str = "all", *, joins: bool = False
) -> dict[str, tuple[str, ...]]:
    """Operations on each topic that a worker of a stage needs, `--no-publish`.

    `joins` says whether a plan has labels joined.
    """
    needs: dict[str, tuple[str, ...]] = {topics.plans: ("READ",)}
    if stage == "all":
        needs |= dict.fromkeys(events, ("READ",))
        needs |= {topics.summaries: ("READ", "WRITE"), topics.dead_letter: ("WRITE",)}
    elif stage == "summarise":
        needs |= dict.fromkeys(events, ("READ",))
        needs |= {topics.summaries: ("WRITE",), topics.dead_letter: ("WRITE",)}
    elif stage == "join":
        needs |= {topics.summaries: ("WRITE",)}
    else:
        needs |= {topics.summaries: ("READ",)}
    if stage in ("all", "monitor"):
        needs |= {topics.state: ("READ", "WRITE"), topics.alerts: ("WRITE",)}
    if joins and stage == "all":
        needs |= dict.fromkeys((topics.pairs, topics.pairs_state), ("READ", "WRITE"))
    elif joins and stage == "summarise":
        needs |= {topics.pairs: ("WRITE",)}
    elif stage == "join":
        needs |= {topics.pairs: ("READ",), topics.pairs_state: ("READ", "WRITE")}
    return needs


def lacking(
    allowed: Mapping[str, Collection[str] | None], needs: Mapping[str, Sequence[str]]
) -> list[str]:
    """Each right that is needed and not there, in words; None means the broker did not say."""
    return [
        f"{operation} on topic {topic}"
        for topic, wanted in sorted(needs.items())
        for operation in wanted
        if (there := allowed.get(topic)) is not None and operation not in there
    ]


def check_rights(
    kafka: Mapping[str, object],
    needs: Mapping[str, Sequence[str]],
    group: str = "",
    *,
    timeout_s: float = 10.0,
) -> None:
    """Ask the broker for our rights on the topics that exist, and on the group if one is named.

    A consumer that may not join its group tries again for ever, without a word.

    Raises
    ------
    AccessError
        Naming every right that is missing.
    """
    with admin(kafka, timeout_s=timeout_s) as client:
        found = described(client, list(needs))
        hidden = bool(group) and _is_hidden(client, group)
    allowed = {name: topic.get("authorized_operations") for name, topic in found.items()}
    missing = lacking(allowed, needs) + ([f"READ on group {group}"] if hidden else [])
    if missing:
        options = client_options(kafka)
        user = options.get("sasl_plain_username")
        who = f"user {user!r}" if user else "this client"
        raise AccessError(
            f"Kafka at {', '.join(options['bootstrap_servers'])}: {who} lacks "
            f"{', '.join(missing)}. Grant it with kafka-acls.sh: docs/security.md has the "
            "commands."
        )


def _is_hidden(client: Any, group: str) -> bool:
    """Whether the broker refuses to speak of a group: who may read it may also describe it."""
    try:
        client.describe_groups([group])
    except Exception as error:  # no coordinator yet, say: joining will find out
        return getattr(error, "errno", None) == _GROUP_DENIED
    return False
