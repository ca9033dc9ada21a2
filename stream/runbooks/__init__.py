"""The runbooks: what an alert means, where to look first, what to do."""

from stream.runbooks.library import (
    Runbook,
    UnknownRunbookError,
    find_runbook,
    runbook_command,
    runbook_index,
    runbooks,
)

__all__ = [
    "Runbook",
    "UnknownRunbookError",
    "find_runbook",
    "runbook_command",
    "runbook_index",
    "runbooks",
]
