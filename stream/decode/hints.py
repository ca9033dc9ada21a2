"""Which model's decoder to try first on a topic that carries several.

A decoder of one model fails on another's event, which costs more than decoding. The bytes of the
`model` member are the same in all events that one producer writes of a model, so they are looked up
as they are. It is a guess and nothing more: decoders check the model themselves.
"""

from __future__ import annotations

from typing import Final

from stream.plans.plan import Subject

__all__ = ["ModelHints"]

#: Longer members, and more of them, are not remembered: anybody can invent them.
_MAX_BYTES: Final = 300
_MAX_HINTS: Final = 4096
_MEMBER: Final = b'"model"'


class ModelHints(dict[bytes, Subject]):
    """Bytes of the `model` member -> subject; empty as long as one model is all there is."""

    def guess(self, value: bytes) -> Subject | None:
        """The subject that an event with these bytes was of before, if it is known."""
        at = value.find(_MEMBER)
        return self.get(value[at : value.find(b"}", at) + 1])

    def learn(self, value: bytes, subject: Subject) -> None:
        """Remember whose event this is."""
        at = value.find(_MEMBER)
        end = value.find(b"}", at) + 1
        if at >= 0 and 0 < end - at <= _MAX_BYTES:
            if len(self) >= _MAX_HINTS:
                self.clear()
            self[value[at:end]] = subject
