"""Rows of a file that were left out: how many, by reason, and the first of each."""

from __future__ import annotations

from collections.abc import Iterator

from stream.text.counted import counted

__all__ = ["RowProblems"]


class RowProblems:
    """Counts rows by why they were left out.

    Parameters
    ----------
    one, several : str
        What was done with a row, and with several: `was refused`, `were refused`.
    """

    def __init__(self, one: str, several: str) -> None:
        self._one, self._several = one, several
        self._found: dict[str, tuple[int, str]] = {}

    def add(self, row: int, problem: str, reason: str) -> None:
        """Count a row, by its number."""
        count, first = self._found.get(reason, (0, f"row {row}: {problem}"))
        self._found[reason] = count + 1, first

    @property
    def count(self) -> int:
        """How many rows."""
        return sum(count for count, _ in self._found.values())

    def warnings(self) -> Iterator[str]:
        """A line for each reason, the most frequent first."""
        for reason, (count, first) in sorted(self._found.items(), key=lambda item: -item[1][0]):
            rows = counted(count, f"row {self._one}", f"rows {self._several}")
            yield f"warning: {rows}: {reason}; {'first ' if count > 1 else ''}{first}"
