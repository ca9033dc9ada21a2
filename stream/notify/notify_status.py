"""The status of `driftstream notify`: read by its metrics page and /healthz from another thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.notify.delivery_stats import TargetState

if TYPE_CHECKING:
    from stream.notify.dispatcher import Bridge

__all__ = ["NotifyStatus"]


class NotifyStatus:
    """A bridge, once there is one."""

    def __init__(self) -> None:
        self.bridge: Bridge | None = None

    @property
    def open_episodes(self) -> int:
        """How many episodes fire."""
        return len(self.bridge.open) if self.bridge is not None else 0

    def targets(self) -> list[TargetState]:
        """All targets, in the config's order."""
        return self.bridge.targets() if self.bridge is not None else []

    def healthy(self) -> tuple[bool, str]:
        """Whether each target has a thread that serves it; a receiver may be down."""
        failure = self.bridge.failure if self.bridge is not None else None
        if failure is not None:
            return False, f"{type(failure).__name__}: {failure}"
        return True, "alive"

    def ready(self) -> tuple[bool, str]:
        """Whether the topic has been read to its end, so that it is known what fires."""
        if self.bridge is None or not self.bridge.started:
            return False, "reading the alerts topic"
        words = [f"{self.open_episodes} open episodes"]
        targets = self.targets()
        if failing := [target.name for target in targets if target.failing]:
            words.append(f"trying again: {', '.join(failing)}")
        if stalled := [target.name for target in targets if target.stalled]:
            words.append(f"slow to answer: {', '.join(stalled)}")
        return True, "; ".join(words)
