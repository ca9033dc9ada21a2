"""A webhook as a target: every event as a CloudEvent or by a template, signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from stream.contracts.alert_event import AlertEvent, encode_alert
from stream.notify.answer import Answer
from stream.notify.sinks import QueueSink
from stream.notify.suppression import Suppression
from stream.notify.targets.contract import REVISIONS, OptionTable, Target, read_url
from stream.notify.targets.template import fill_template, template_fault

__all__ = ["WebhookSink", "WebhookTarget", "signed_headers", "webhook_request"]

_UNSIGNED: Final = "signs webhooks only. Use token, or leave it out."


@dataclass(frozen=True)
class WebhookTarget(Target):
    """See `Target`.

    Attributes
    ----------
    secret : str
        Key that requests are signed with; "" for unsigned.
    template : str
        Body of the requests (see `fill_template`); "" for the CloudEvent.
    """

    kind = "webhook"
    own_keys: ClassVar[Mapping[str, str]] = {
        "secret": _UNSIGNED,
        "secret_file": _UNSIGNED,
        "template_file": "is for webhooks only. Leave it out.",
    }

    secret: str = field(default="", repr=False)
    template: str = field(default="", repr=False)

    @classmethod
    def read(cls, table: OptionTable, common: Mapping[str, Any]) -> Self:
        """See `Target`."""
        secret, template = table.secret("secret"), table.file("template_file")
        if not _is_secret(secret):
            raise table.error("secret", 'begins with "whsec_", and what follows is not base64.')
        if template and (fault := template_fault(template)):
            raise table.error("template_file", fault)
        return cls(
            url=read_url(table),
            secret=secret,
            template=template,
            revisions=table.choice("revisions", "steps", REVISIONS),
            **common,
        )

    def make_sink(self, clock: Callable[[], float], suppression: Suppression) -> WebhookSink:
        """See `Target`."""
        return WebhookSink(self, clock, suppression)


class WebhookSink(QueueSink):
    """Every event in order, each by one request."""

    target: WebhookTarget

    def _deliver(self, event: AlertEvent) -> Answer:
        """See `QueueSink`."""
        target = self.target
        body, headers = webhook_request(event, target.secret, int(self._clock()), target.template)
        return self._post(target.url, body, headers)


def webhook_request(
    event: AlertEvent, secret: str, now_s: int, template: str = ""
) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a webhook: the CloudEvent or a filled template, signed with a secret."""
    if template:
        body, headers = fill_template(template, event), {"Content-Type": "application/json"}
    else:
        body, headers = encode_alert(event), {"Content-Type": "application/cloudevents+json"}
    return body, headers | signed_headers(event.id, body, secret, now_s)


def signed_headers(message_id: str, body: bytes, secret: str, now_s: int) -> dict[str, str]:
    """Headers of the Standard Webhooks specification.

    The signature is "v1," and base64 of HMAC-SHA256 over `id.timestamp.body`; a secret that starts
    with "whsec_" is base64, as there, any other is taken as it is. Receivers know copies by the id.
    """
    headers = {"webhook-id": message_id, "webhook-timestamp": str(now_s)}
    if secret:
        encoded = secret.removeprefix("whsec_")
        key = base64.b64decode(encoded) if encoded != secret else secret.encode()
        signed = f"{message_id}.{now_s}.".encode() + body
        digest = hmac.digest(key, signed, hashlib.sha256)
        headers["webhook-signature"] = "v1," + base64.b64encode(digest).decode()
    return headers


def _is_secret(secret: str) -> bool:
    """Whether it can be used as a key."""
    encoded = secret.removeprefix("whsec_")
    if encoded == secret:
        return True
    try:
        return bool(base64.b64decode(encoded, validate=True))
    except ValueError:
        return False
