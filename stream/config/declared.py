"""What a table of the config says of declared settings: each key read by its declaration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from stream.config.toml_table import Table
from stream.contracts.declared import Setting
from stream.text.durations import short_duration

__all__ = ["keys_of", "read_declared"]


def keys_of(settings: Iterable[Setting]) -> list[str]:
    """The keys that a table may hold."""
    return [_key(setting) for setting in settings if setting.words]


def read_declared(
    table: Table,
    settings: Iterable[Setting],
    folder: Path = Path(),
    choices: Mapping[str, Sequence[str]] = {},
) -> dict[str, Any]:
    """What a table says, by field, and defaults; what is `by_reference` is left out if not given.

    Of a setting with the mark `path` a value is against `folder`; one with `address` is host:port.
    `choices` are those that no type names, by field.

    Raises
    ------
    ConfigError
        On the first mistake.
    """
    return {
        setting.field: _read(table, setting, folder, choices.get(setting.field, setting.choices))
        for setting in settings
        if setting.words
        and (_key(setting) in table.values or not setting.extra.get("by_reference"))
    }


def _key(setting: Setting) -> str:
    """Of a setting of a table inside its group's the name has that table's before it."""
    return setting.name.removeprefix(f"{setting.extra.get('table', '')}_")


def _read(table: Table, setting: Setting, folder: Path, choices: Sequence[str]) -> Any:
    """One value, or the default, whose bounds are the setting's."""
    key = _key(setting)
    value = _typed(table, setting, choices)
    if value is not None and (fault := setting.fault(value)):
        raise table.error(key, fault)
    if setting.extra.get("address"):
        _check_address(table, key, value)
    return str(folder / value) if setting.extra.get("path") and value else value


def _typed(table: Table, setting: Setting, choices: Sequence[str]) -> Any:
    """What the table says, of the setting's type, or the default."""
    key, kind = _key(setting), setting.kind
    default: Any = None if setting.extra.get("by_reference") else setting.default
    if default is msgspec.NODEFAULT:
        default = None
    if kind == "duration":
        if not default and key not in table.values:  # never, or as the reference says
            return default
        value_ms = table.duration(key, short_duration(default) if default else "")
        if not default and not value_ms:
            raise table.error(key, "must be longer than 0. Raise it, or leave the key out.")
        return value_ms
    if kind == "integer":
        return table.integer(key, default)
    if kind == "number":
        return table.number(key, default)
    if kind == "flag":
        return table.flag(key, default)
    if kind == "texts":
        return table.texts(key, choices)
    if kind == "segments":
        return table.segments(key)
    return table.text(key, default)


def _check_address(table: Table, key: str, address: str) -> None:
    host, _, port = address.rpartition(":")
    if address and not (host and re.fullmatch(r"[0-9]{1,5}", port) and int(port) < 65_536):
        raise table.error(key, f'must be "host:port", or "" for none; got {address!r}.')
