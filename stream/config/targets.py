"""`[[notify]]` of the config: where alerts go.

The keys that all kinds of targets have are read here; each kind reads its own.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from stream.config.declared import read_declared
from stream.config.toml_table import ConfigError, Table, read_secret
from stream.contracts.alert_event import SEVERITIES
from stream.contracts.declared import settings_of
from stream.notify.targets.contract import Target
from stream.notify.targets.registry import BY_KIND, OWN_KEYS

__all__ = ["DeliverySettings", "read_targets"]

_COMMON: Final = (
    "type", "name", "url", "url_file", "token", "token_file", "models", "min_severity",
    "revisions", "timeout", "ca_file",
)  # fmt: skip


class DeliverySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every kind of `[[notify]]` declares."""

    timeout_ms: Annotated[
        int,
        Meta(
            ge=100, description="Of one whole exchange, from the look-up of the name to the answer."
        ),
    ] = 10_000


def read_targets(top: Table, folder: Path) -> tuple[Target, ...]:
    """Read every `[[notify]]`; secrets come from the text, the environment or `*_file`.

    Raises
    ------
    ConfigError
        On the first mistake.
    """
    targets: list[Target] = []
    for table in top.tables("notify", (*_COMMON, *OWN_KEYS)):
        kind = BY_KIND[table.choice("type", "", tuple(BY_KIND))]
        name = str(table.text("name", kind.kind, non_empty=True))
        if any(name == other.name for other in targets):
            raise table.error(
                "name", f"is {name!r} like that of another target. Give each its own name."
            )
        for key, (kinds, words) in OWN_KEYS.items():
            if key in table.values and kind.kind not in kinds:
                raise table.error(key, words)
        options = _Options(table, folder)
        token = options.secret("token")
        if not (token.isascii() and token.isprintable()):
            raise table.error("token", "holds what no HTTP header can. Check for a line break.")
        common = {
            "name": name,
            "token": token,
            "models": table.texts("models"),
            "min_severity": table.choice("min_severity", "info", SEVERITIES),
            "timeout_s": read_declared(table, settings_of(DeliverySettings))["timeout_ms"] / 1000,
            "ca_file": _ca_file(table, folder),
        }
        target = kind.read(options, common)
        if target.ca_file and not target.url.lower().startswith("https://"):
            raise table.error("ca_file", "is for an https:// address only. Leave it out.")
        targets.append(target)
    return tuple(targets)


class _Options:
    """A table as a kind of target reads it: files are found beside the config."""

    def __init__(self, table: Table, folder: Path) -> None:
        self._table, self._folder = table, folder

    def has(self, key: str) -> bool:
        return key in self._table.values

    def text(self, key: str, default: str | None = None, *, non_empty: bool = False) -> str:
        return str(self._table.text(key, default, non_empty=non_empty))

    def choice(self, key: str, default: str, allowed: Sequence[str]) -> str:
        return self._table.choice(key, default, allowed)

    def secret(self, key: str) -> str:
        file_key = f"{key}_file"
        if not self.has(file_key):
            return self.text(key, "")
        if self.has(key):
            raise self.error(key, f"and {file_key} are both there. Keep one.")
        return self.file(file_key)

    def file(self, key: str) -> str:
        if not self.has(key):
            return ""
        path = self._folder / self.text(key, non_empty=True)
        return read_secret(path, f"{self._table.path}.{key}", self._table.file)

    def error(self, key: str, words: str) -> ConfigError:
        return self._table.error(key, words)


def _ca_file(table: Table, folder: Path) -> str:
    key = "ca_file"
    if key not in table.values:
        return ""
    path = folder / table.text(key, non_empty=True)
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # ssl.SSLError is one
        why = error.strerror or str(error)
        raise table.error(
            key, f"cannot be used: {path}: {why}. Give a PEM file of the authorities to trust."
        ) from error
    return str(path)
