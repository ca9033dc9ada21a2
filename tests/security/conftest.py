"""One secured broker for the session, with the rights of docs/security.md and no others."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.devbroker.broker import BrokerUnavailableError
from stream.devbroker.runtime import find_runtime
from tests.security.secured import Secured, acls_of, documented_commands, grant, start_secured

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make certificates with")
    try:
        find_runtime(os.environ)
    except BrokerUnavailableError as why:
        pytest.skip(f"no Kafka broker of one's own: {why}")
    there = start_secured(tmp_path_factory.mktemp("secured"))
    try:
        for command in documented_commands((ROOT / "docs" / "security.md").read_text()):
            grant(there.super_user, acls_of(command))
        yield there
    finally:
        there.broker.stop()
