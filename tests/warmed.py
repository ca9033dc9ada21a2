"""What a worker imports and compiles, done at import: by the server of `tests.warm_start` alone."""

from __future__ import annotations

import pytest  # noqa: F401  # multiprocessing imports a process's main module anew in each child

import detectors
import stream.commands.worker
import stream.worker.app  # noqa: F401
from stream.stage1 import quorum

detectors.warm_up()
quorum.warm_up()
