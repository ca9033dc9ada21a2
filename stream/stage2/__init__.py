"""Stage 2: summaries merged into panes, panes tested, findings made."""

from __future__ import annotations

__all__: list[str] = []
