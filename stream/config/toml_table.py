"""Reading a TOML table strictly: every error says what, what was got, where and what to do."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from stream.contracts.declared import one_of
from stream.contracts.errors import DriftstreamError
from stream.text.durations import DAY_MS, duration_ms

__all__ = ["ConfigError", "EnvText", "Table"]

#: Longer durations and larger numbers are typing errors, and would not fit 64 bits somewhere.
_MAX_DAYS: Final = 36_500
_MAX_NUMBER: Final = 2**53
_MAX_WORDS: Final = 3_000
#: Keys of earlier versions, with their table -> the key now.
_RENAMED: Final = {"worker.put_away_after": "idle_timeout"}
_INDEX: Final = re.compile(r"\[\d+\]")
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class ConfigError(DriftstreamError, ValueError):
    """A config file that cannot be used; the message names the file, the key and the remedy.

    Of a message with a very long key or value the middle is left out.
    """

    exit_code = 2  # wrong use, as of an option

    def __init__(self, words: str) -> None:
        super().__init__(words if len(words) <= _MAX_WORDS else f"{words[:1_000]} … {words[-500:]}")


class EnvText(str):
    """Text that came from the environment: it is shown as it was written, never as it is."""

    written: str

    def __new__(cls, value: str, written: str) -> EnvText:
        """Make a text of `value` that shows itself as `written`."""
        text = super().__new__(cls, value)
        text.written = written
        return text

    def __repr__(self) -> str:
        return repr(self.written)


def substitute(value: Any, path: str, file: str, env: Mapping[str, str]) -> Any:
    """Replace ${NAME} in every text below `value` by the environment's value."""
    if isinstance(value, dict):
        return {k: substitute(v, f"{path}.{k}" if path else k, file, env) for k, v in value.items()}
    if isinstance(value, list):
        return [substitute(v, f"{path}[{i}]", file, env) for i, v in enumerate(value)]
    if not isinstance(value, str) or not _VARIABLE.search(value):
        return value
    for name in _VARIABLE.findall(value):
        if name not in env:
            raise ConfigError(
                f"{file}: {path} needs the environment variable {name}, which is not set. "
                f"Set it, or write the value here."
            )
    return EnvText(_VARIABLE.sub(lambda found: env[found[1]], value), value)


class Table:
    """One table of a config file, with its path for messages.

    Parameters
    ----------
    values : mapping
        As tomllib gives it.
    path : str
        For messages: "models[0].window"; "" for the document.
    file : str
        Name of the file, for messages.
    known : sequence of str
        Every key that may be there; others are errors at once.
    """

    def __init__(
        self, values: Mapping[str, Any], path: str, file: str, known: Sequence[str] = ()
    ) -> None:
        self.values, self.path, self.file = values, path, file
        for key in values:
            if known and key not in known:
                raise self.error(key, f"is not a known key. {self._remedy(key, known)}")

    def _remedy(self, key: str, known: Sequence[str]) -> str:
        """What to write instead of a key that is not known."""
        if renamed := _RENAMED.get(_INDEX.sub("", f"{self.path}.{key}")):
            return f"It is called {renamed} now."
        near = difflib.get_close_matches(key, known, 1, 0.5)
        return f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."

    def error(self, key: str, words: str) -> ConfigError:
        """Make an error about one key of this table."""
        where = f"{self.path}.{key}" if self.path and key else self.path or key
        return ConfigError(f"{self.file}: {where} {words}")

    def text(self, key: str, default: str | None = None, *, non_empty: bool = False) -> str:
        """A text; an error if it is missing and there is no default."""
        value = self.values.get(key, default)
        if value is None:
            raise self.error(key, "is missing. Add it.")
        if not isinstance(value, str):
            raise self.error(key, f"must be a text in quotes; got {_kind(value)}.")
        if non_empty and not value:
            raise self.error(key, "must not be empty. Give it a value, or leave the key out.")
        return value

    def choice(self, key: str, default: str, allowed: Sequence[str]) -> str:
        """One of a few texts."""
        value = self.text(key, default)
        if value not in allowed:
            raise self.error(key, f"must be {one_of(allowed)}; got {value!r}.")
        return value

    def integer(self, key: str, default: int) -> int:
        """A whole number that 64 bits of a float hold."""
        value = self.values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(key, f"must be a whole number; got {_kind(value)}.")
        if value > _MAX_NUMBER:
            raise self.error(key, f"must be at most {_MAX_NUMBER}. Lower it.")
        return value

    def number(self, key: str, default: float | None) -> float | None:
        """A number, or the default: None where there is none."""
        value = self.values.get(key, default)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.error(key, f"must be a number; got {_kind(value)}.")
        if abs(value) > _MAX_NUMBER:  # first: an int can be too long for a float
            raise self.error(key, f"must be at most {_MAX_NUMBER}. Lower it.")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """Take true or false."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self.error(key, f"must be true or false; got {_kind(value)}.")
        return value

    def duration(self, key: str, default: str) -> int:
        """Milliseconds of a duration with a unit."""
        value = self.values.get(key, default)
        found = duration_ms(value) if isinstance(value, str) else None
        if found is None:
            raise self.error(
                key,
                f'must be a duration with a unit, as in "10s", "5m", "24h", "7d"; got {value!r}.',
            )
        if found > _MAX_DAYS * DAY_MS:
            raise self.error(key, f"must be at most {_MAX_DAYS} d; got {value!r}. Lower it.")
        return found

    def texts(self, key: str, allowed: Sequence[str] = ()) -> tuple[str, ...]:
        """A list of texts, each of the allowed ones and only once."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, f'must be a list such as ["a", "b"]; got {_kind(value)}.')
        for i, item in enumerate(value):
            if allowed and item not in allowed:
                known = ", ".join(allowed)
                raise self.error(f"{key}[{i}]", f"must be one of {known}; got {item!r}.")
            if item in value[:i]:
                raise self.error(f"{key}[{i}]", f"repeats {item!r}. Name it once.")
        return tuple(value)

    def segments(self, key: str) -> tuple[str | tuple[str, ...], ...]:
        """A list of texts, and of lists of texts: which may be combined, a plan says."""
        value = self.values.get(key, [])
        if not isinstance(value, list):
            raise self.error(key, f'must be a list such as ["a", ["b", "c"]]; got {_kind(value)}.')
        found: list[str | tuple[str, ...]] = []
        for i, item in enumerate(value):
            members = item if isinstance(item, list) else [item]
            for at, member in enumerate(members):
                if not isinstance(member, str):
                    where = f"{key}[{i}][{at}]" if isinstance(item, list) else f"{key}[{i}]"
                    raise self.error(
                        where,
                        f'must be a text, in a list such as ["a", ["b", "c"]]; got '
                        f"{_kind(member)}.",
                    )
            segment = tuple(item) if isinstance(item, list) else item
            if segment in found:
                raise self.error(f"{key}[{i}]", f"repeats {item!r}. Name it once.")
            found.append(segment)
        return tuple(found)

    def table(self, key: str, known: Sequence[str] = ()) -> Table:
        """A table below this one, empty if it is missing."""
        value = self.values.get(key, {})
        path = f"{self.path}.{key}" if self.path else key
        if not isinstance(value, dict):
            raise self.error(key, f"must be a table; got {_kind(value)}.")
        return Table(value, path, self.file, known)

    def tables(self, key: str, known: Sequence[str]) -> list[Table]:
        """Give the tables of an array ([[key]])."""
        value = self.values.get(key, [])
        path = f"{self.path}.{key}" if self.path else key
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            name = _INDEX.sub("", path)
            raise self.error(key, f"must be an array of tables, [[{name}]]; got {_kind(value)}.")
        return [Table(item, f"{path}[{i}]", self.file, known) for i, item in enumerate(value)]


def read_secret(path: Path, where: str, file: str) -> str:
    """Give the content of a secret's file without the newline at its end."""
    try:
        return path.read_text().rstrip("\r\n")
    except OSError as error:
        raise ConfigError(
            f"{file}: {where} cannot be read: {os.strerror(error.errno or 0)}: {path}. "
            "Correct the path or the file's rights."
        ) from error


def _kind(value: object) -> str:
    """Say what a wrong value is without its content: it may be a secret in the wrong place."""
    names = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}
    names |= {list: "a list", dict: "a table", type(None): "nothing"}
    return names.get(type(value), "a text" if isinstance(value, str) else type(value).__name__)
