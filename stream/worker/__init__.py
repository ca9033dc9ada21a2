"""The process that does the work: plans in, both stages run, state kept, health shown."""

from __future__ import annotations

__all__: list[str] = []
