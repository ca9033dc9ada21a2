"""The base of all errors that driftstream raises for its users.

Each error keeps its builtin base too (`ValueError`, `LookupError`, ...), so callers may catch
either. Errors that only steer the code inside, such as the refusal of one record by a decoder, are
not of the family. Those of the statistics have a base of their own, `DetectorsError`, since the
package `detectors` is used without this one; the command line shows both alike. Wrong arguments of
a Python call are `ValueError` or `TypeError`, as usual.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "DriftstreamError",
    "GateError",
    "IncompatibleClientError",
    "NotFoundError",
    "SettingError",
]


class DriftstreamError(Exception):
    """Base of the errors whose message tells a user what is wrong and what to change."""

    #: What the command line ends with: 1 failed, 2 wrong use, 3 done and the data did not pass.
    exit_code: ClassVar[int] = 1


class GateError(DriftstreamError, RuntimeError):
    """A command did all it was to do, and what it looked at did not pass (`replay --fail-on`)."""

    exit_code = 3


class NotFoundError(DriftstreamError, LookupError):
    """A topic, a partition, an offset, an episode or a plan does not exist."""


class SettingError(DriftstreamError, ValueError):
    """A setting or an option has a value that cannot be used."""


class IncompatibleClientError(DriftstreamError, RuntimeError):
    """A Kafka client library is of a version that driftstream was not written against."""
