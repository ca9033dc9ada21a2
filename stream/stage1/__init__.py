"""Stage 1: events counted into summaries of panes."""

from __future__ import annotations

__all__: list[str] = []
