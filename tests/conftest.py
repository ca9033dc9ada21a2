"""What all tests share: generated examples are the same at every run, so a failure comes again.

And a browser, and figures that a run is to show: `tell` keeps them for its end, where no test
captures them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.page.browser import find_browser, open_browser

settings.register_profile("driftstream", derandomize=True, deadline=None)
settings.load_profile("driftstream")

_TOLD = pytest.StashKey[list[str]]()


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Takes words, such as a time that was measured, that the run prints when it ends."""
    return request.config.stash.setdefault(_TOLD, []).append


@pytest.fixture(scope="session")
def browser() -> Iterator[Callable[..., Any]]:
    """Opens tabs of a headless Chromium."""
    executable = find_browser()
    if executable is None:
        pytest.skip("no browser: install Debian's chromium-headless-shell or chromium")
    with open_browser(executable) as opened:
        yield opened


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where tests leave pictures: the folder that DRIFTSTREAM_SCREENSHOTS names, else a new one."""
    named = os.environ.get("DRIFTSTREAM_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what was told."""
    if told := config.stash.get(_TOLD, None):
        terminalreporter.section("measured")
        for words in told:
            terminalreporter.write_line(words)
