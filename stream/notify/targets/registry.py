"""All kinds of targets, one row each.

To add one: a module beside this one with its `Target` and its sink, and the row below.
docs/extending.md shows it.
"""

from __future__ import annotations

from typing import Final

from stream.notify.targets.alertmanager import AlertmanagerTarget
from stream.notify.targets.contract import Target
from stream.notify.targets.slack import SlackTarget
from stream.notify.targets.webhook import WebhookTarget

__all__ = ["BY_KIND", "OWN_KEYS"]

_KINDS: Final[tuple[type[Target], ...]] = (AlertmanagerTarget, WebhookTarget, SlackTarget)
BY_KIND: Final = {kind.kind: kind for kind in _KINDS}
#: Key that only some kinds have -> the kinds, and what to say where another has it.
OWN_KEYS: Final = {
    key: ([k.kind for k in _KINDS if key in k.own_keys], words)
    for kind in _KINDS
    for key, words in kind.own_keys.items()
}
