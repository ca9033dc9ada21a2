"""A target: one place that alerts are delivered to."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Final

__all__ = ["REVISIONS", "TYPES", "Target", "is_secret"]

REVISIONS: Final = ("steps", "all")
TYPES: Final = ("alertmanager", "webhook", "slack")


@dataclass(frozen=True)
class Target:
    """One place that alerts are delivered to. Shows neither its address nor its secrets.

    Attributes
    ----------
    name : str
        What its progress is stored under: a target that is renamed begins anew.
    url : str
        Of the Alertmanager (without /api/v2) or of the hook. Slack's is a secret itself.
    secret : str
        Key that a webhook's requests are signed with; "" for unsigned.
    token : str
        Sent as `Authorization: Bearer`; "" for none.
    models : tuple of str
        Only alerts of these; empty for all.
    min_severity : str
        Only episodes that were ever so severe.
    template : str
        Body of a webhook's requests (see `fill_template`); "" for the CloudEvent.
    timeout_s : float
        Of a whole exchange, from the name's look-up to the last byte.
    ca_file : str
        The only authorities whose certificates are trusted; "" for those of the system.
    channel : str
        Of Slack, written to by a bot's token: episodes of one story are a thread. "" for a hook.
    revisions : str
        "steps" of an episode, which are that it opened, became worse and ended, or "all".
    """

    kind: str
    name: str
    url: str = field(repr=False)
    secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    models: tuple[str, ...] = ()
    min_severity: str = "info"
    timeout_s: float = 10.0
    template: str = field(default="", repr=False)
    ca_file: str = ""
    channel: str = ""
    revisions: str = "steps"


def is_secret(secret: str) -> bool:
    """Whether a webhook's secret can be used as a key."""
    encoded = secret.removeprefix("whsec_")
    if encoded == secret:
        return True
    try:
        return bool(base64.b64decode(encoded, validate=True))
    except ValueError:
        return False
