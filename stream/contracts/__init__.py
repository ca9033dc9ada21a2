"""What crosses a wire: events in, summaries between the stages, plans, alerts and acks out.

Nothing here needs more than msgspec and numpy, and what a publisher imports needs no numpy.
"""

from __future__ import annotations

__all__: list[str] = []
