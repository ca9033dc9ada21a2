"""From the alerts topic to where people look: Alertmanager, webhooks, Slack."""

from __future__ import annotations

__all__: list[str] = []
