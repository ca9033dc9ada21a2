"""What a kind of target is made of: its options, read from the config, and the sink it delivers by.

Nothing here, nor in the modules of the kinds, needs more than the config does: what sends requests
is imported when a sink is made.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from stream.notify.sinks import Sink
    from stream.notify.suppression import Suppression

__all__ = ["REVISIONS", "OptionTable", "Target", "read_url"]

REVISIONS: Final = ("steps", "all")


class OptionTable(Protocol):
    """A `[[notify]]` of the config, as the kind of target reads its own keys of it."""

    def has(self, key: str) -> bool:
        """Whether the key is there."""

    def text(self, key: str, default: str | None = None, *, non_empty: bool = False) -> str:
        """A text; an error if it is missing and has no default, or is empty and must not be."""

    def choice(self, key: str, default: str, allowed: Sequence[str]) -> str:
        """One of a few texts."""

    def secret(self, key: str) -> str:
        """The text under `key`, or of the file that `key_file` names, or ""."""

    def file(self, key: str) -> str:
        """The content of the file that `key` names, or "" without the key."""

    def error(self, key: str, words: str) -> Exception:
        """An error about one key, to be raised."""


@dataclass(frozen=True)
class Target(ABC):
    """One place that alerts are delivered to. Shows neither its address nor its secrets.

    Attributes
    ----------
    name : str
        What its position is stored under: a target that is renamed begins anew.
    url : str
        Of the Alertmanager (without /api/v2) or of the hook. Slack's is a secret itself.
    token : str
        Sent as `Authorization: Bearer`; "" for none.
    models : tuple of str
        Only alerts of these; empty for all.
    min_severity : str
        Only episodes that were ever so severe.
    timeout_s : float
        Of a whole request, from the name's look-up to the last byte.
    ca_file : str
        The only authorities whose certificates are trusted; "" for those of the system.
    revisions : str
        "steps" of an episode, which are that it opened, became worse and ended, or "all".
    """

    #: Its `type` in the config.
    kind: ClassVar[str]
    #: Keys of the config that not all kinds have -> what to say where another kind has it.
    own_keys: ClassVar[Mapping[str, str]] = {}

    name: str
    url: str = field(repr=False)
    token: str = field(default="", repr=False)
    models: tuple[str, ...] = ()
    min_severity: str = "info"
    timeout_s: float = 10.0
    ca_file: str = ""
    revisions: str = "steps"

    @classmethod
    @abstractmethod
    def read(cls, table: OptionTable, common: Mapping[str, Any]) -> Self:
        """Read the kind's own options; `common` has those of all kinds but `url`."""

    @abstractmethod
    def make_sink(self, clock: Callable[[], float], suppression: Suppression) -> Sink:
        """What delivers to it."""


def read_url(table: OptionTable, *, instead: str = "") -> str:
    """The address under `url` or in the file of `url_file`; `instead` is added to an error."""
    url = table.secret("url")
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        good = good and url.isascii() and url.isprintable() and " " not in url
    except ValueError:
        good = False
    if not good:  # the address itself may be a secret
        raise table.error("url", f'must be an address such as "http://localhost:9093".{instead}')
    return url.rstrip("/")
