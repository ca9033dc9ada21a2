"""Ack event v1: somebody has seen an episode, and wants no notifications of it until a time.

A CloudEvent on the alerts topic, under the same key as the episode's alerts, so that it comes after
what it speaks of. Readers of alerts tell it by its `type`; an alert itself is never changed by it.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, Literal

import msgspec

from stream.contracts.alert_event import (
    AlertError,
    AlertEvent,
    AlertTime,
    decode_alert,
    format_time,
    parse_time,
)

__all__ = [
    "ACK_TYPE",
    "Ack",
    "AckData",
    "ack_schema",
    "decode_alert_or_ack",
    "encode_ack",
    "make_ack",
]

ACK_TYPE: Final = "io.driftstream.ack.v1"


class AckData(msgspec.Struct, frozen=True):
    """What is acknowledged. An `until` that has passed ends an earlier ack."""

    fingerprint: str
    episode: str
    until: AlertTime
    by: str = ""
    note: str = ""


class Ack(msgspec.Struct, frozen=True):
    """The CloudEvent; `time` is when it was made, by the clock of who made it."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: Literal["io.driftstream.ack.v1"]
    subject: str
    time: AlertTime
    datacontenttype: Literal["application/json"]
    data: AckData

    @property
    def until_ms(self) -> int:
        """When notifications begin again."""
        return parse_time(self.data.until)


class _AnyType(msgspec.Struct):
    type: str = ""


def make_ack(alert: AlertEvent, now_ms: int, until_ms: int, by: str = "", note: str = "") -> Ack:
    """The ack of an alert's episode."""
    data = AckData(alert.data.fingerprint, alert.data.episode, format_time(until_ms), by, note)
    made = format_time(now_ms)
    parts = msgspec.json.encode((ACK_TYPE, data.episode, made, data.until))
    return Ack(
        specversion="1.0",
        id=hashlib.sha256(parts).hexdigest()[:32],
        source=alert.source,
        type=ACK_TYPE,
        subject=alert.subject,
        time=made,
        datacontenttype="application/json",
        data=data,
    )


def encode_ack(ack: Ack) -> bytes:
    """An ack as the value of a Kafka message."""
    return msgspec.json.encode(ack)


def decode_alert_or_ack(value: bytes, source: str = "alert") -> AlertEvent | Ack:
    """Read what the alerts topic may hold.

    Raises
    ------
    AlertError
        If the bytes are neither, naming `source` and the place.
    """
    try:
        if _ANY.decode(value).type != ACK_TYPE:
            return decode_alert(value, source)
        return _ACK.decode(value)
    except (ValueError, RecursionError) as error:
        if isinstance(error, AlertError):
            raise
        raise AlertError(f"{source} is not an {ACK_TYPE} event: {error!s:.300}") from error


def ack_schema() -> bytes:
    """JSON Schema of the ack event, as published in docs/ack.v1.schema.json."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"driftstream ack event v1 ({ACK_TYPE})",
        **msgspec.json.schema(Ack),
    }
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"


_ANY: Final = msgspec.json.Decoder(_AnyType)
_ACK: Final = msgspec.json.Decoder(Ack)
