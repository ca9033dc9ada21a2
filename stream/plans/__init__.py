"""Plans: what is watched, how, and from when."""

from __future__ import annotations

__all__: list[str] = []
