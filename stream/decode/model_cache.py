"""Which model's decoder to try first on a topic that carries several.

A decoder of one model fails on another's event, which costs more than decoding. The bytes of the
`model` member are the same in all events that one producer writes of a model, so they are looked up
as they are: up to the first comma where a plan is for every version, since what follows is new with
every version; whole where versions have plans of their own. It is a guess and nothing more:
decoders check the model themselves.
"""

from __future__ import annotations

from typing import Final

from stream.plans.plan import ANY_VERSION, Subject

__all__ = ["ModelCache"]

#: Longer members, and more of them, are not remembered: anybody can invent them.
_MAX_BYTES: Final = 300
_MAX_ENTRIES: Final = 4096
_MEMBER: Final = b'"model"'


class ModelCache(dict[bytes, Subject]):
    """Bytes of the `model` member -> whose plans; empty as long as one line of plans is all."""

    def __init__(self) -> None:
        super().__init__()
        self._whole = False  # whether any whole member is among them

    def guess(self, value: bytes) -> Subject | None:
        """Whose plans an event with these bytes was read by before, if it is known."""
        at = value.find(_MEMBER)
        if self._whole and (found := self.get(value[at : value.find(b"}", at) + 1])):
            return found
        return self.get(value[at : value.find(b",", at)])

    def remember(self, value: bytes, line: Subject) -> None:
        """Remember whose event this is."""
        whole = line.version != ANY_VERSION
        at = value.find(_MEMBER)
        end = value.find(b"}", at) + 1 if whole else value.find(b",", at)
        member = value[at:end]
        if at >= 0 and 0 < len(member) <= _MAX_BYTES:
            if len(self) >= _MAX_ENTRIES:
                self.clear()
            self._whole = self._whole or whole
            self[member] = line
