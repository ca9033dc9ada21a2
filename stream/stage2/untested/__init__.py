"""What is not tested, and why: of a plan before its first event, and of what came.

A test that cannot be made, or that can find nothing, is silent like one that finds nothing. Here is
where the difference is made; `fit`, `check`, `replay`, the metrics page and reports say it.
"""

from stream.stage2.untested.arrived import AtEnd, untested_at_end, untested_now
from stream.stage2.untested.planned import untested_by_plan
from stream.stage2.untested.reasons import Untested

__all__ = ["AtEnd", "Untested", "untested_at_end", "untested_by_plan", "untested_now"]
