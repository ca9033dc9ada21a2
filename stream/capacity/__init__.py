"""How many cores, partitions and bytes a load needs."""

from __future__ import annotations

from stream.capacity.arithmetic import FORMS, UNITS, Line, Load, Units, capacity

__all__ = ["FORMS", "UNITS", "Line", "Load", "Units", "capacity"]
