"""What is news only when it lasts: that a signal turned round, and that its change grew.

One window may be chance, so each is news after two windows in a row.
"""

from __future__ import annotations

from typing import Final

import msgspec

from stream.alerts.finding import Finding

__all__ = ["Size", "Way"]

_WINDOWS: Final = 2
#: What was published counts as at least so much: half of what a warning begins with.
_MIN_SIZE: Final = 0.05
#: A size below half of the published one for so many windows is what counts as published then.
_EASED_WINDOWS: Final = 8


class Way(msgspec.Struct, array_like=True):
    """Where a signal went, as published.

    Compared is like with like: the mean of a signal whose values go missing hardly moves, and
    either way, which says nothing of what is missing.
    """

    moves: str = ""
    direction: int = 0
    windows: int = 0  # in a row in which the same went the other way

    def see(self, finding: Finding) -> None:
        """Take the finding of a window."""
        if not finding.direction:
            return
        self.windows = self.windows + 1 if self.opposes(finding) else 0

    def opposes(self, finding: Finding) -> bool:
        """Whether it went the other way than was published."""
        return finding.moves == self.moves and finding.direction * self.direction < 0

    def settle(self) -> None:
        """Take for certain that it goes the other way."""
        self.windows = _WINDOWS

    @property
    def turned(self) -> bool:
        """Whether it goes the other way than was published."""
        return self.windows >= _WINDOWS

    def note_published(self, finding: Finding) -> None:
        """Note that this is being published."""
        if not finding.direction:
            return
        if self.turned or not self.direction or finding.moves != self.moves:
            self.moves, self.direction, self.windows = finding.moves, finding.direction, 0


class Size(msgspec.Struct, array_like=True):
    """How large a signal's change was published: the most since it last was less than half."""

    published: float = 0.0
    windows: int = 0  # in a row that were twice as large
    least: float = 0.0  # of those
    eased: int = 0  # windows in a row that were less than half as large
    most: float = 0.0  # of those

    def see(self, effect: float, doubling: float) -> None:
        """Take the effect of a window; it doubled from `doubling` times the published one on."""
        published = max(self.published, _MIN_SIZE)
        if effect >= doubling * published:
            self.least = min(effect, self.least) if self.windows else effect
            self.windows += 1
        else:
            self.windows = 0
        if effect * 2.0 >= self.published:
            self.eased = 0
            return
        self.most = max(effect, self.most) if self.eased else effect
        self.eased += 1
        if self.eased >= _EASED_WINDOWS:
            self.published, self.eased = self.most, 0

    @property
    def grown(self) -> bool:
        """Whether it is twice as large as was published."""
        return self.windows >= _WINDOWS

    def note_published(self, effect: float) -> None:
        """Note that this is being published as news."""
        self.published = self.least if self.grown else max(self.published, effect)
        self.windows = 0
