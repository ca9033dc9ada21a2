"""The base of the errors that detectors raise for their users.

Each is a `ValueError`. Wrong arguments of a Python call are a plain `ValueError` or `TypeError`.
"""

from __future__ import annotations

__all__ = ["DetectorsError", "DocumentError", "InvalidReferenceError"]


class DetectorsError(ValueError):
    """Base of the errors whose message tells a user what is wrong and what to change."""


class InvalidReferenceError(DetectorsError):
    """A reference that cannot be made or read: what is wrong, where, and what to do."""


class DocumentError(DetectorsError):
    """A value of a JSON document is not what it must be; the message begins with its place."""
