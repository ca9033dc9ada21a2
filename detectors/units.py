"""Lengths of time in milliseconds."""

from __future__ import annotations

from typing import Final

__all__ = ["DAY_MS", "HOUR_MS", "WEEK_MS"]

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
WEEK_MS: Final = 7 * DAY_MS
