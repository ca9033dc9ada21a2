"""Distances between histograms over the same bins."""

from __future__ import annotations

__all__: list[str] = []
