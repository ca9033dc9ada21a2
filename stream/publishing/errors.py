"""What a strict monitor raises."""

from __future__ import annotations

from stream.contracts.errors import DriftstreamError

__all__ = ["DroppedEventError", "InvalidEventError"]


class InvalidEventError(DriftstreamError, ValueError):
    """An event that no worker could count; the message says what is wrong and what to do."""


class DroppedEventError(DriftstreamError, RuntimeError):
    """Events that will not be sent, because there was no room or no time for them."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
