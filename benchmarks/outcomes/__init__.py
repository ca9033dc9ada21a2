"""What the tests of outcomes do where nothing changes, and where something does."""

from __future__ import annotations

__all__: list[str] = []
