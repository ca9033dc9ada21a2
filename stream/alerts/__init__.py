"""Alerts: findings to episodes, episodes to events that say what happened."""

from __future__ import annotations

__all__: list[str] = []
