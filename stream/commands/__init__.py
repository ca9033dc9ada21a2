"""The commands of `driftstream`, one module each, loaded when they are called."""

from __future__ import annotations

__all__: list[str] = []
