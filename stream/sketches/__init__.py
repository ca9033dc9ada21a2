"""Sketches of signals, and how they merge."""

from __future__ import annotations

__all__: list[str] = []
