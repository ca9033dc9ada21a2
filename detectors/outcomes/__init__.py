"""Whether predictions were right: cells that outcomes are counted in, and what follows."""

from __future__ import annotations

__all__: list[str] = []
