"""What is to be joined, as rows: of each prediction and label its id, its time and what it said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from stream.contracts.errors import DriftstreamError

__all__ = ["ERASE", "LABEL", "PREDICTION", "Kind", "RowBatch", "RowError", "row_dtype"]

Kind = int
#: What a row is. They are in the order in which rows of one time are looked at.
PREDICTION: Final[Kind] = 0
ERASE: Final[Kind] = 1
LABEL: Final[Kind] = 2
_MAX_SCOPES: Final = 1_000

Rows = npt.NDArray[np.void]


class RowError(DriftstreamError, ValueError):
    """Bytes that are no rows of this version."""


def row_dtype(scopes: int) -> np.dtype[np.void]:
    """A row in 29 bytes and two for each scope.

    `offset` is that of its record in its source partition. `id` is the 64-bit hash of the id.
    `value` and `code` are what was said, as a number and as the bin of a name: of a prediction its
    score (or the number that it predicts) and its class, of a label one of both. `scopes` number
    what else the event is counted by: its version first, then its segments; 0 is for none.
    """
    return np.dtype([
        ("offset", "<i8"), ("id", "<u8"), ("time_ms", "<i8"), ("value", "<f8"), ("code", "<i4"),
        ("kind", "u1"), ("scopes", "<u2", (scopes,)),
    ])  # fmt: skip


@dataclass(frozen=True)
class RowBatch:
    """Rows of one source partition, in order of offsets.

    Attributes
    ----------
    rows : array of `row_dtype`
    names : for each scope, a list of str
        What its numbers stand for, from 1 on.
    """

    rows: Rows
    names: Sequence[Sequence[str]]

    def encode(self) -> bytes:
        """The batch as bytes."""
        return msgspec.msgpack.encode((list(map(list, self.names)), self.rows.tobytes()))

    @classmethod
    def decode(cls, data: bytes) -> RowBatch:
        """Inverse of `encode`.

        Raises
        ------
        RowError
            If the bytes are no batch.
        """
        try:
            names, raw = msgspec.msgpack.decode(data, type=tuple[list[list[str]], bytes])
            if len(names) > _MAX_SCOPES:
                raise ValueError(f"{len(names)} scopes")
            rows = np.frombuffer(raw, row_dtype(len(names)))
        except (ValueError, msgspec.MsgspecError) as error:
            raise RowError(f"{len(data)} bytes are no rows to join: {error}") from error
        batch = cls(rows, names)
        if (why := batch._problem()) is not None:
            raise RowError(f"{rows.size} rows to join: {why}")
        return batch

    def _problem(self) -> str | None:
        """What is out of bounds."""
        rows = self.rows
        if not rows.size:
            return None
        if rows["kind"].max() > LABEL:
            return "a kind that there is not"
        if (np.diff(rows["offset"]) < 0).any() or rows["offset"][0] < 0:
            return "offsets that are not in order"
        if np.abs(rows["time_ms"]).max() > 2**53:
            return "a time out of bounds"
        most = rows["scopes"].max(axis=0).tolist()
        if any(n > len(of) for n, of in zip(most, self.names, strict=True)):
            return "a scope without a name"
        return None


def numbered(columns: Sequence[Sequence[str | None]], n: int) -> tuple[Any, list[list[str]]]:
    """Numbers uint16[n, k] of the values of k scopes, and what they stand for."""
    out = np.zeros((n, len(columns)), np.uint16)
    names: list[list[str]] = []
    for k, values in enumerate(columns):
        known: dict[str | None, int] = {None: 0}
        out[:, k] = [known.setdefault(value, len(known)) for value in values]
        names.append([name for name in known if name is not None])
    return out, names
