"""The status of `driftstream notify`: read by its metrics page and /healthz from another thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.notify.delivery_stats import TargetStats

if TYPE_CHECKING:
    from stream.notify.dispatcher import Dispatcher

__all__ = ["NotifyStatus"]


class NotifyStatus:
    """The status of a dispatcher, once there is one."""

    def __init__(self) -> None:
        self.dispatcher: Dispatcher | None = None

    @property
    def open_episodes(self) -> int:
        """How many episodes fire."""
        return len(self.dispatcher.open) if self.dispatcher is not None else 0

    def targets(self) -> list[TargetStats]:
        """All targets, in the config's order."""
        return self.dispatcher.targets() if self.dispatcher is not None else []

    def healthy(self) -> tuple[bool, str]:
        """Whether each target has a thread that serves it; a receiver may be down."""
        failure = self.dispatcher.failure if self.dispatcher is not None else None
        if failure is not None:
            return False, f"{type(failure).__name__}: {failure}"
        return True, "alive"

    def ready(self) -> tuple[bool, str]:
        """Whether the topic has been read to its end, so that it is known what fires."""
        if self.dispatcher is None or not self.dispatcher.started:
            return False, "reading the alerts topic"
        words = [f"{self.open_episodes} open episodes"]
        targets = self.targets()
        if failing := [target.name for target in targets if target.failing]:
            words.append(f"trying again: {', '.join(failing)}")
        if stalled := [target.name for target in targets if target.stalled]:
            words.append(f"slow to answer: {', '.join(stalled)}")
        return True, "; ".join(words)
