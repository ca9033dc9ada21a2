"""Which runbooks there are, and the one that is about an alert."""

from __future__ import annotations

import difflib
import re
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, NamedTuple

from stream.contracts.alert_event import KINDS
from stream.contracts.errors import DriftstreamError

__all__ = [
    "Runbook",
    "UnknownRunbookError",
    "find_runbook",
    "runbook_command",
    "runbook_index",
    "runbooks",
]

_INDEX: Final = "README.md"
#: A row of the index: an alert of the Prometheus rules and its page.
_ALERT_ROW: Final = re.compile(r"^\| `(\w+)` \| \[[^]]+\]\(([\w-]+)\.md\) \|$", re.M)


class UnknownRunbookError(DriftstreamError, LookupError):
    """There is no runbook of that name."""


class Runbook(NamedTuple):
    """A page in Markdown; `alerts` are the alerts of the Prometheus rules that lead to it."""

    name: str
    title: str
    text: str
    alerts: tuple[str, ...]

    @property
    def is_kind(self) -> bool:
        """Whether it is about a kind of episodes, and not about the pipeline."""
        return self.name in KINDS


def runbook_command(kind: str) -> str:
    """The command that prints the runbook of a kind, for where no address of it is known."""
    return f"driftstream runbook {kind}"


@cache
def runbooks() -> dict[str, Runbook]:
    """Name -> runbook: those of the kinds of episodes first, in the order of the kinds."""
    texts = {
        path.name.removesuffix(".md"): path.read_text(encoding="utf-8")
        for path in _folder().iterdir()
        if path.name.endswith(".md") and path.name != _INDEX
    }
    led = _ALERT_ROW.findall(runbook_index())
    order: dict[str, int] = {kind: place for place, kind in enumerate(KINDS)}
    return {
        name: Runbook(
            name,
            texts[name].partition("\n")[0].removeprefix("# "),
            texts[name],
            tuple(alert for alert, page in led if page == name),
        )
        for name in sorted(texts, key=lambda name: (order.get(name, len(order)), name))
    }


@cache
def runbook_index() -> str:
    """The page, in Markdown, that leads to all of them."""
    return _folder().joinpath(_INDEX).read_text(encoding="utf-8")


def find_runbook(wanted: str) -> Runbook:
    """The runbook of a kind of episodes, of an alert of the Prometheus rules, or of its own name.

    Raises
    ------
    UnknownRunbookError
        If there is none; the message names what is near, or all.
    """
    known = runbooks()
    names = {name: name for name in known}
    names |= {alert: page.name for page in known.values() for alert in page.alerts}
    by_letters = {_letters(name): page for name, page in names.items()}
    letters = _letters(wanted.removesuffix(".md"))
    if letters in by_letters:
        return known[by_letters[letters]]
    near = difflib.get_close_matches(letters, by_letters, 1)
    hint = f"Did you mean {by_letters[near[0]]}?" if near else f"There are: {', '.join(known)}."
    raise UnknownRunbookError(f"there is no runbook {wanted!r}. {hint}")


def _letters(name: str) -> str:
    """A name as it is compared: data_drift, data-drift and "Data drift" are one."""
    return re.sub(r"[\W_]", "", name).lower()


def _folder() -> Traversable:
    """Where the pages lie: within the installed package, or in docs/ of a checkout."""
    installed = files("stream.runbooks").joinpath("pages")
    return installed if installed.is_dir() else Path(__file__).parents[2] / "docs" / "runbooks"
