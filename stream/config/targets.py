"""`[[notify]]` of the config: where alerts go."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from stream.config.toml_table import Table, read_secret
from stream.contracts.alert_event import SEVERITIES
from stream.notify.targets import REVISIONS, TYPES, Target, is_secret

__all__ = ["read_targets"]

_KEYS: Final = (
    "type", "name", "url", "url_file", "secret", "secret_file", "token", "token_file", "models",
    "min_severity", "revisions", "timeout", "template_file", "ca_file", "channel",
)  # fmt: skip
_SLACK: Final = "https://slack.com/api"


def read_targets(top: Table, folder: Path) -> tuple[Target, ...]:
    """Read every `[[notify]]`; secrets come from the text, the environment or `*_file`.

    Raises
    ------
    ConfigError
        On the first mistake.
    """
    targets: list[Target] = []
    for table in top.tables("notify", _KEYS):
        kind = table.choice("type", "", TYPES)
        name = str(table.text("name", kind, least=1))
        if any(name == other.name for other in targets):
            raise table.error(
                "name", f"is {name!r} like that of another target. Give each its own name."
            )
        if kind != "webhook" and table.values.keys() & {"secret", "secret_file"}:
            raise table.error("secret", "signs webhooks only. Use token, or leave it out.")
        timeout_ms = table.duration("timeout", "10s", least_ms=100)
        secret, token = _secret(table, "secret", folder), _secret(table, "token", folder)
        if not is_secret(secret):
            raise table.error("secret", 'begins with "whsec_", and what follows is not base64.')
        if not (token.isascii() and token.isprintable()):
            raise table.error("token", "holds what no HTTP header can. Check for a line break.")
        channel = _channel(table, kind, token)
        url = _url(table, _secret(table, "url", folder), kind, channel)
        targets.append(
            Target(
                kind=kind,
                name=name,
                url=url,
                secret=secret,
                token=token,
                models=table.texts("models"),
                min_severity=table.choice("min_severity", "info", SEVERITIES),
                revisions=_revisions(table, kind),
                timeout_s=timeout_ms / 1000,
                template=_template(table, kind, folder),
                ca_file=_ca_file(table, url, folder),
                channel=channel,
            )
        )
    return tuple(targets)


def _revisions(table: Table, kind: str) -> str:
    if kind == "alertmanager" and "revisions" in table.values:
        raise table.error("revisions", "is not for Alertmanager, which has the newest one.")
    return table.choice("revisions", "steps", REVISIONS)


def _ca_file(table: Table, url: str, folder: Path) -> str:
    key = "ca_file"
    if key not in table.values:
        return ""
    if not url.lower().startswith("https://"):
        raise table.error(key, "is for an https:// address only. Leave it out.")
    path = folder / table.text(key, least=1)
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # ssl.SSLError is one
        why = error.strerror or str(error)
        raise table.error(
            key, f"cannot be used: {path}: {why}. Give a PEM file of the authorities to trust."
        ) from error
    return str(path)


def _template(table: Table, kind: str, folder: Path) -> str:
    from stream.notify.template import template_fault  # late: alerts and msgspec with it

    key = "template_file"
    if key not in table.values:
        return ""
    if kind != "webhook":
        raise table.error(key, "is for webhooks only. Leave it out.")
    path = folder / table.text(key, least=1)
    text = read_secret(path, f"{table.path}.{key}", table.file)
    if fault := template_fault(text):
        raise table.error(key, fault)
    return text


def _secret(table: Table, key: str, folder: Path) -> str:
    """Text under `key`, or of the file under `key_file`, or ""."""
    file_key = f"{key}_file"
    if file_key not in table.values:
        return str(table.text(key, ""))
    if key in table.values:
        raise table.error(key, f"and {file_key} are both there. Keep one.")
    path = folder / table.text(file_key, least=1)
    return read_secret(path, f"{table.path}.{file_key}", table.file)


def _channel(table: Table, kind: str, token: str) -> str:
    if "channel" not in table.values:
        return ""
    if kind != "slack":
        raise table.error("channel", "is for Slack only. Leave it out.")
    if not token:
        raise table.error(
            "channel",
            "needs token_file or token, of a Slack app's bot with the scope chat:write. "
            "An incoming webhook (url) has its own channel.",
        )
    return str(table.text("channel", least=1))


def _url(table: Table, url: str, kind: str, channel: str) -> str:
    if channel and not url:
        return _SLACK
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        good = good and url.isascii() and url.isprintable() and " " not in url
    except ValueError:
        good = False
    if not good:  # the address itself may be a secret
        instead = " Or give channel and token_file, for a bot." if kind == "slack" else ""
        raise table.error("url", f'must be an address such as "http://localhost:9093".{instead}')
    if channel and "/services/" in url:
        raise table.error(
            "url", "is of an incoming webhook, which has its own channel. Leave out url or channel."
        )
    return url.rstrip("/")
