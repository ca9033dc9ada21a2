"""When single days that are unlike the reference's are published: once for each run of them.

An episode may be open for weeks, and a holiday within it is another matter: it is news at once.
But a shift that lasts makes every day unlike the reference's, or every other. So the days of one
run are published with its first, and a run that begins soon after the last one waits longer before
it is over.
"""

from __future__ import annotations

import msgspec

from stream.alerts.finding import Finding
from stream.alerts.patience import FEWEST_LOOKS, Rest, looks_after
from stream.text.durations import DAY_MS

__all__ = ["DayRun"]


class DayRun(msgspec.Struct, array_like=True):
    """The last run of days of a signal: from the end of its first to that of its latest."""

    first_ms: int = 0
    latest_ms: int = 0
    looks: int = FEWEST_LOOKS  # days in a row without a finding, after which the run is over
    words: str = ""  # not published yet

    def see(self, finding: Finding) -> bool:
        """Take a day; whether it begins a run, which is news."""
        ended_ms, self.latest_ms = self.latest_ms + self.looks * DAY_MS, finding.end_ms
        last = None
        if self.first_ms:
            if finding.end_ms <= ended_ms + DAY_MS // 2:  # a day of local time may be 25 hours
                return False
            last = Rest(ended_ms, ended_ms - self.first_ms, self.looks)
        self.looks, self.first_ms = looks_after(last, finding.end_ms), finding.end_ms
        self.words = finding.note
        return True
