"""A reason why tests are not made, or can find nothing, and its wording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Final, Literal, NamedTuple, TypeAlias

from stream.text.counted import some_of
from stream.text.durations import DAY_MS

__all__ = [
    "Reason", "Untested", "days", "listed",
    "tests_named",
]  # fmt: skip


#: Why something is not tested; a label of `driftstream_untested`.
Reason: TypeAlias = Literal[
    "learning",
    "calibrating",
    "no_events",
    "few_events",
    "slow",
    "unfilled",
    "segments",
    "whole",
    "stopped",
    "few_in_slot",
    "no_values",
    "constant",
    "few_groups",
    "few_values",
    "no_room",
    "dependence",
    "small_reference",
    "outcomes",
    "fairness",
    "causes",
]
#: What is said of tests that are made all the same.
_MADE: Final[Mapping[Reason, str]] = {"slow": "told late", "whole": "compared with the whole"}
#: Names in a sentence.
_NAMED: Final = 3


class Untested(NamedTuple):
    """Tests that are not made, or cannot find anything.

    Attributes
    ----------
    reason : str
        Short and fixed.
    words : str
        A sentence: what, why, and what to do.
    signals, tests : tuple of str
        Of which signals, and which of their tests; all where empty.
    amount : int
        Of segments, how many.
    is_gap : bool
        Whether a change could go unseen: false if another test of the signal looks for the same.
    """

    reason: Reason
    words: str
    signals: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    amount: int = 1
    is_gap: bool = True

    @property
    def line(self) -> str:
        """The words, behind what they are about: what is found late is tested all the same."""
        return f"{_MADE.get(self.reason, 'not tested')}: {self.words}"

    @property
    def warning(self) -> str:
        """The line as a warning, or as a note where nothing goes unseen."""
        return f"{'warning' if self.is_gap else 'note'}: {self.line}"

    def pairs(self) -> Iterator[tuple[str, str]]:
        """(signal, test) of all of them, "" for all."""
        return product(self.signals or ("",), self.tests or ("",))


def listed(names: Sequence[str]) -> str:
    """The first few names, and how many more."""
    return some_of(names, _NAMED)


def tests_named(tests: Sequence[str]) -> str:
    """Names of tests as in a config: `psi, missing_rate`."""
    return ", ".join(dict.fromkeys(tests))


def days(ms: float) -> str:
    """`about 40 days`, where it is more than a day or two."""
    return f"about {ms / DAY_MS:,.0f} days"
