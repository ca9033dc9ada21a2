"""Alert events in the words of Alertmanager, of signed webhooks and of Slack."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Any, Final
from urllib.parse import quote

import msgspec

from stream.alerts.sentences import KIND_TEXT
from stream.contracts.alert_event import AlertEvent, encode_alert, format_time, parse_time
from stream.notify.template import fill_template
from stream.runbooks import runbook_command
from stream.text.printable import printable

__all__ = [
    "alertmanager_alert",
    "alertmanager_labels",
    "signed_headers",
    "slack_message",
    "slack_text",
    "webhook_request",
]

_MARK: Final = {"critical": ":red_circle:", "warning": ":large_orange_circle:"}
#: What Slack, and those who take the same, read as markup within a line.
_LOOKALIKE: Final = str.maketrans({"*": "∗", "~": "∼", "`": "ˋ", "@": "＠"})
#: Slack cuts a text that is longer.
_SLACK_CHARS: Final = 3_000


def alertmanager_alert(event: AlertEvent, now_ms: int, ends_ms: int) -> dict[str, Any]:
    """An alert of Alertmanager's v2 API, firing until `ends_ms`.

    Severity is a label here, because routes go by it. Times that lie in the future of this clock
    are drawn back: Alertmanager refuses alerts that end before they start.
    """
    data = event.data
    said = data.annotations
    annotations = {
        "summary": said.summary,
        "evidence": said.evidence,
        "action": said.action,
        "runbook_url": said.runbook_url,
        "runbook": "" if said.runbook_url else runbook_command(data.labels.kind),
        "dashboard_url": said.dashboard_url,
        "episode": data.episode,
        "revision": str(data.revision),
        "related": ", ".join(f"{other.kind} {other.episode[:8]}" for other in data.related),
        "signals": ", ".join(dict.fromkeys(signal.name for signal in data.signals)),
    }
    alert: dict[str, Any] = {
        "labels": alertmanager_labels(event),
        "annotations": _filled(annotations),
        "startsAt": format_time(min(parse_time(data.starts_at), now_ms - 1, ends_ms - 1)),
        "endsAt": format_time(ends_ms),
    }
    if said.dashboard_url.startswith(("http://", "https://")):
        alert["generatorURL"] = printable(said.dashboard_url)
    return alert


def alertmanager_labels(event: AlertEvent) -> dict[str, str]:
    """What identifies an alert to Alertmanager."""
    data = event.data
    labels = {
        "alertname": data.labels.alertname,
        "environment": event.source.removeprefix("driftstream/"),
        "kind": data.labels.kind,
        "model": data.labels.model,
        "model_version": data.labels.model_version,
        "severity": data.severity,
    }
    return _filled(labels)


def _filled(texts: dict[str, str]) -> dict[str, str]:
    return {key: printable(text) for key, text in texts.items() if text}


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


def slack_message(event: AlertEvent, **place: str | bool) -> bytes:
    """A message for Slack's incoming webhooks, and for those who take the same.

    `place` is what chat.postMessage wants besides: channel, thread.
    """
    data = event.data
    firing = data.status == "firing"
    mark = _MARK.get(data.severity, ":large_blue_circle:") if firing else ":white_check_mark:"
    head = f"*{data.severity}*" if firing else "*resolved*"
    lines = [f"{mark} {head} {slack_text(data.annotations.summary)}"]
    links = [
        f"<{_slack_url(url)}|{name}>"
        for name, url in (
            ("Runbook", data.annotations.runbook_url),
            ("Dashboard", data.annotations.dashboard_url),
        )
        if url.startswith(("http://", "https://"))
    ]
    if firing:
        if not data.annotations.runbook_url:
            links.append(f"`{runbook_command(data.labels.kind)}`")
        if data.related:
            others = ", ".join(
                f"{KIND_TEXT[other.kind]} `{other.episode[:8]}`" for other in data.related
            )
            lines.append(f"Together with {others}")
        if data.annotations.evidence:
            lines.append(f"> {slack_text(data.annotations.evidence)}")
        links.append(f"`driftstream ack {data.episode[:8]}`")
    if links:
        lines.append(" · ".join(links))
    return msgspec.json.encode({"text": "\n".join(lines)[:_SLACK_CHARS], **place})


def slack_text(text: str) -> str:
    """A text that Slack shows as it is: no link, no mention, no picture, nothing bold.

    What `<`, `>` and `&` start is escaped as Slack says. It has no escape for what else it reads as
    markup, so that is shown by its like: no name can look as if it were ours.
    """
    text = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = text.translate(_LOOKALIKE).replace("://", "꞉//")
    text = re.sub(r"(?<!\w)_|_(?!\w)", "＿", text)
    return re.sub(r":(?=[\w+-]+:)", "꞉", text)


def _slack_url(url: str) -> str:
    return quote(url, safe="%/:?#[]@!$'()*+,;=~&").replace("&", "&amp;")
