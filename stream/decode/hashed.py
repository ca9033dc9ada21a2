"""Categories of events whose reference knows them by a keyed hash only."""

from __future__ import annotations

from detectors import CategoricalBinning
from stream.decode.values import CodeTable
from stream.plans.privacy import CategoryHash, HashKeyError, hashed_with

__all__ = ["code_table"]


class _HashedTable(CodeTable):
    def __init__(
        self, binning: CategoricalBinning, hashing: CategoryHash, *, known_later: bool
    ) -> None:
        super().__init__(binning, known_later=known_later)
        for name in binning.code:
            del self[name]
        self._hashing = hashing
        self._remembers = True
        # Tail bins of a reference that was fitted on plain names, and hashed later, are shuffled.
        self._shuffled = hashing.shuffled(binning.tail) if binning.places else None

    def of_text(self, text: str) -> int:
        """Bin of a text by its hash."""
        binning, name = self._binning, self._hashing.name(text)
        if self._shuffled is None or name in binning.code:
            return binning.bin(name)
        new, place = divmod(binning.bin_of_unknown(text) - binning.other, binning.tail)
        return binning.other + new * binning.tail + self._shuffled[place]


def code_table(
    name: str,
    binning: CategoricalBinning,
    hashing: CategoryHash | None = None,
    *,
    known_later: bool = False,
) -> CodeTable:
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
