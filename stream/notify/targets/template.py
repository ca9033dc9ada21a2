"""Any JSON by template: a file in which `${summary}` and the like stand for an alert's texts."""

from __future__ import annotations

import string
from typing import Any, Final

import msgspec

from stream.contracts.alert_event import AlertEvent
from stream.text.printable import printable

__all__ = ["TEMPLATE_FIELDS", "fill_template", "template_fault"]

TEMPLATE_FIELDS: Final = (
    "id", "status", "event_action", "severity", "revision", "alertname", "kind", "model",
    "model_version", "environment", "summary", "evidence", "action", "runbook_url", "dashboard_url",
    "signals", "starts_at", "ends_at", "fingerprint", "episode",
)  # fmt: skip


def fill_template(template: str, event: AlertEvent) -> bytes:
    """The template with an alert's texts in it, printable and as JSON wants them within quotes.

    `event_action` is "trigger" or "resolve", as pagers call it, with `fingerprint` as their key.
    """
    data = event.data
    said: dict[str, Any] = {
        **msgspec.to_builtins(data.labels),
        **msgspec.to_builtins(data.annotations),
        "id": event.id,
        "evidence": data.annotations.evidence,
        "status": data.status,
        "event_action": "trigger" if data.status == "firing" else "resolve",
        "severity": data.severity,
        "revision": data.revision,
        "environment": event.source.removeprefix("driftstream/"),
        "signals": ", ".join(dict.fromkeys(signal.name for signal in data.signals)),
        "starts_at": data.starts_at,
        "ends_at": data.ends_at if data.status == "resolved" else "",
        "fingerprint": data.fingerprint,
        "episode": data.episode,
    }
    return _filled(template, {name: printable(said[name]) for name in TEMPLATE_FIELDS})


def template_fault(template: str) -> str:
    """What is wrong with a template, in words; "" if nothing is."""
    try:
        # A quote and a line break show whether every field stands within quotes.
        filled = _filled(template, dict.fromkeys(TEMPLATE_FIELDS, 'a "b"\n'))
    except KeyError as error:
        return f"has no field ${{{error.args[0]}}}. Known: {', '.join(TEMPLATE_FIELDS)}."
    except ValueError as error:
        return f"cannot be filled: {error}. Write $$ for a dollar sign."
    try:
        msgspec.json.decode(filled)
    except msgspec.MsgspecError as error:
        return f'is not JSON when filled: {error}. Put fields within quotes: "${{summary}}".'
    return ""


def _filled(template: str, texts: dict[str, str]) -> bytes:
    escaped = {name: msgspec.json.encode(text)[1:-1].decode() for name, text in texts.items()}
    return string.Template(template).substitute(escaped).encode()
