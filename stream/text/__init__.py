"""Words for people: names made harmless, counts."""

from __future__ import annotations

__all__: list[str] = []
