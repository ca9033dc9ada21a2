"""Categories of events whose reference knows them by a keyed hash only."""

from __future__ import annotations

from typing import Final

from detectors import CategoricalBinning
from stream.decode.values import CodeTable, as_text
from stream.plans.privacy import CategoryHash, HashKeyError, hashed_with

__all__ = ["code_table"]

#: A name takes 1.5 us to hash; those seen lately are remembered, and never leave the process.
_REMEMBERED: Final = 65_536


class _HashedTable(CodeTable):
    def __init__(
        self, binning: CategoricalBinning, hashing: CategoryHash, *, known_later: bool
    ) -> None:
        super().__init__(binning, known_later=known_later)
        for name in binning.code:
            del self[name]
        self._codes = binning.code
        self._hashing = hashing
        self._fixed = dict(self)

    def __missing__(self, value: object) -> int:
        text = as_text(value)
        if text is None:
            return self.unseen
        code = self._codes.get(self._hashing.name(text), self.unseen)
        if isinstance(value, str):  # 1, 1.0 and True would be one key
            if len(self) > _REMEMBERED:
                self.clear()
                self.update(self._fixed)
            self[value] = code
        return code


def code_table(
    name: str, binning: CategoricalBinning, hashing: CategoryHash | None = None, *,
    known_later: bool = False,
) -> CodeTable:  # fmt: skip
    """The table of a signal: plain, or hashed if the reference's names are.

    Raises
    ------
    HashKeyError
        If they are and the key is not here.
    """
    wanted = hashed_with(binning)
    if wanted is None:
        return CodeTable(binning, known_later=known_later)
    if hashing is None or hashing.id != wanted:
        have = f"has key {hashing.id}" if hashing else "has none"
        raise HashKeyError(
            f"the names of signal {name!r} are hashed with key {wanted}, and this process {have}. "
            "Give it with [privacy] hash_key_file in the config, or --hash-key-file."
        )
    return _HashedTable(binning, hashing, known_later=known_later)
