"""What all tests share: generated examples are the same at every run, so a failure comes again.

And figures that a run is to show: `tell` keeps them for its end, where no test captures them.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings

settings.register_profile("driftstream", derandomize=True, deadline=None)
settings.load_profile("driftstream")

_TOLD = pytest.StashKey[list[str]]()


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Takes words, such as a time that was measured, that the run prints when it ends."""
    return request.config.stash.setdefault(_TOLD, []).append


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what was told."""
    if told := config.stash.get(_TOLD, None):
        terminalreporter.section("measured")
        for words in told:
            terminalreporter.write_line(words)
