"""Who may send: tokens in a file, one a line."""

from __future__ import annotations

import hmac
import logging
import os
from pathlib import Path
from typing import Final

from stream.contracts.errors import DriftstreamError

__all__ = ["TokenError", "Tokens"]

log = logging.getLogger(__name__)

_MIN_CHARS: Final = 16


class TokenError(DriftstreamError, ValueError):
    """The file cannot be used; the message says why."""


class Tokens:
    """Tokens of a file, read again when it changes, so that they can be replaced while it runs.

    Parameters
    ----------
    path : Path
        A token of at least 16 characters a line; empty lines and those with # are left out.

    Raises
    ------
    TokenError
        If it cannot be read, or holds no token or a short one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._now()
        self._tokens = self._read()

    def allow(self, authorization: str) -> bool:
        """Whether a request's Authorization header has one of them."""
        self._look_again()
        kind, _, given = authorization.partition(" ")
        sent = given.strip().encode("utf-8", "replace")
        # All are compared, and each in constant time: how long it takes says nothing.
        same = [hmac.compare_digest(sent, token) for token in self._tokens]
        return kind.lower() == "bearer" and any(same)

    def _look_again(self) -> None:
        try:
            stamp = self._now()
            if stamp != self._stamp:
                self._tokens, self._stamp = self._read(), stamp
                log.info("%s: %d tokens", self._path, len(self._tokens))
        except TokenError as error:
            log.warning("%s The tokens of before stay in force.", error)
            self._stamp = None

    def _now(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError as error:
            raise TokenError(self._unreadable(error)) from error
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> tuple[bytes, ...]:
        try:
            lines = self._path.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise TokenError(self._unreadable(error)) from error
        tokens = [line.strip() for line in lines if line.strip() and line.strip()[0] != "#"]
        if not tokens or min(map(len, tokens)) < _MIN_CHARS:
            raise TokenError(
                f"ingest.tokens_file {self._path} must hold tokens of at least {_MIN_CHARS} "
                "characters, one a line. Make one: openssl rand -hex 32."
            )
        return tuple(token.encode() for token in tokens)

    def _unreadable(self, error: Exception) -> str:
        why = os.strerror(error.errno or 0) if isinstance(error, OSError) else "not UTF-8"
        return f"ingest.tokens_file {self._path} cannot be read: {why}."
