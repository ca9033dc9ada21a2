"""Whether the installed Faust is the one that the batch transport was written against.

The transport overrides private methods. Another version stops at the start and says so, instead of
losing records.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

import faust
from faust.transport.drivers import aiokafka as driver

from stream.contracts.errors import IncompatibleClientError

__all__ = ["check_faust"]

#: What `BatchConsumer` overrides or calls, with the parameters it was written against.
_INTERNALS: Final[Mapping[str, tuple[str, ...]]] = {
    "_wait_next_records": ("self", "timeout"),
    "_to_message": ("self", "tp", "record"),
    "getmany": ("self", "timeout"),
    "ack": ("self", "message"),
    "perform_seek": ("self",),
    "seek_to_committed": ("self",),
    "_seek": ("self", "partition", "offset"),
    "_filter_tps_with_pending_acks": ("self", "topics"),
    "_filter_committable_offsets": ("self", "tps"),
    "_commit": ("self", "offsets"),
    "force_commit": ("self", "topics", "start_new_transaction"),
    "highwater": ("self", "tp"),
    "on_partitions_revoked": ("self", "revoked"),
    "on_partitions_assigned": ("self", "assigned", "generation_id"),
    "verify_all_partitions_active": ("self",),
    "pause_partitions": ("self", "tps"),
    "resume_partitions": ("self", "tps"),
    "stop_flow": ("self",),
    "_new_consumer_thread": ("self",),
}
_ATTRIBUTES: Final = (
    "_unacked_messages",
    "_read_offset",
    "_committed_offset",
    "_buffered_partitions",
)


def check_faust(consumer: type[Any] = driver.Consumer, version: str = faust.__version__) -> None:
    """Compare Faust with what this module was written against.

    Raises
    ------
    IncompatibleClientError
        If the minor version differs, or an overridden method has other parameters.
    """
    advice = "Install faust-streaming>=0.15.3,<0.16."
    if tuple(version.split(".")[:2]) != ("0", "15"):
        raise IncompatibleClientError(
            f"the Kafka transport needs faust-streaming 0.15.x; got {version}. {advice}"
        )
    for name, expected in _INTERNALS.items():
        method = getattr(consumer, name, None)
        got = tuple(inspect.signature(method).parameters) if callable(method) else None
        if got != expected:
            raise IncompatibleClientError(
                f"faust-streaming {version}: Consumer.{name} should take {expected}; got {got}. "
                f"{advice}"
            )
    known = set().union(*(getattr(c, "__annotations__", {}) for c in consumer.__mro__))
    if missing := [name for name in _ATTRIBUTES if name not in known]:
        raise IncompatibleClientError(
            f"faust-streaming {version}: Consumer has no {', '.join(missing)}. {advice}"
        )
