"""How long a version of a model is monitored: until it was not heard for long.

Only versions that share the plan of every version end so, since anybody can invent those; the one
without a name and those with plans of their own stay. The end by time is an event time that sealed
panes alone decide, so it is the same for any partitioning and through any restart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from stream.contracts.moments import NOT_YET
from stream.plans.plan import ANY_VERSION, AnyPlan, Subject
from stream.text.durations import HOUR_MS

if TYPE_CHECKING:
    from stream.stage2.panes import SealedPane

__all__ = ["FOLDED_EPISODE_ENDS_MS", "Lifetime"]

#: The episode about folded versions is over after so long without an event of any.
FOLDED_EPISODE_ENDS_MS: Final = HOUR_MS


class Lifetime(msgspec.Struct, array_like=True):
    """What is known of a version's life.

    Attributes
    ----------
    heard_to_ms : int
        End of the last sealed pane; -1 before the first.
    tested : bool
        Whether a full window of it was ever tested.
    is_folding : bool
        Whether an episode says that versions are folded here.
    events : int
        In sealed panes; each once, however often it was read.
    """

    heard_to_ms: int = NOT_YET
    tested: bool = False
    is_folding: bool = False
    events: int = 0

    def hear(self, sealed: SealedPane[Any], plan: AnyPlan) -> None:
        """Note a sealed pane."""
        self.heard_to_ms = sealed.start_ms + plan.pane_ms
        if (whole := sealed.counts.get("")) is not None:
            self.events += plan.merge_rule.events(whole)

    def ends_ms(self, subject: Subject, plan: AnyPlan | None) -> int | None:
        """Event time at which the version ends if nothing more comes; None if it does not."""
        if plan is None or plan.version != ANY_VERSION or not subject.version:
            return None
        return None if self.heard_to_ms < 0 else self.heard_to_ms + plan.retire_after_ms
