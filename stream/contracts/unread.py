"""A batch of records that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Unread"]


@dataclass(frozen=True, slots=True)
class Unread:
    """Stands in a run of records for those of a batch that cannot be read; always the last of it.

    `offset` is the first of them and `last` the last; `timestamp` is that of the batch, -1 if
    it is not known. `reason` is
    one of `batch_too_large`, `batch_undecodable`, `corrupt` and `unknown_codec`.
    """

    offset: int
    last: int
    timestamp: int
    reason: str
    error: str
    timestamp_type: int = 0

    @property
    def key(self) -> None:
        """Not known."""

    @property
    def value(self) -> None:
        """Not known."""

    @property
    def headers(self) -> tuple[()]:
        """Not known."""
        return ()

    def __str__(self) -> str:
        many = f"offsets {self.offset} to {self.last}"
        return many if self.last > self.offset else f"offset {self.offset}"
