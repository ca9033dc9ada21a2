"""`python -m tests`: every test, in four parts side by side.

Two parts wait for brokers and workers for most of their time, and two do arithmetic meanwhile: each
takes some six minutes of CPU, so that two cores are never idle. The first part speaks as it goes,
the others when all are done. Arguments are pytest's, for all.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack

import detectors
from stream.stage1 import quorum

#: What each part takes that none before it has; the last takes all else, so that none is forgotten.
PARTS = (
    (
        "tests/chaos",
        "tests/deploy",
        "tests/page",
        "tests/security",
        "tests/integration/test_codecs.py",
        "tests/integration/test_damaged_lengths.py",
        "tests/integration/test_neighbours.py",
        "tests/integration/test_worker.py",
    ),
    ("tests/integration",),
    (
        "tests/detectors",
        "tests/fuzz",
        "tests/mutants",
        "tests/simulation",
        "tests/statistics",
    ),
    ("tests",),
)
NO_TESTS = 5  # pytest's exit code


def main(arguments: list[str]) -> int:
    """Run all parts; the worst of their exit codes."""
    quorum.warm_up()
    detectors.warm_up()  # compiled once, here: several processes would write the same cache
    pytest = [sys.executable, "-m", "pytest", *arguments]
    taken: list[str] = []
    with ExitStack() as stack:
        running = []
        for i, part in enumerate(PARTS):
            command = [*pytest, *part, *(f"--ignore={path}" for path in taken)]
            taken += part
            said = stack.enter_context(tempfile.TemporaryFile()) if i else None
            if i:
                command += ["-p", "no:cacheprovider"]
            running.append((subprocess.Popen(command, stdout=said, stderr=said), said))
            stack.callback(running[-1][0].kill)
        codes = [process.wait() for process, _ in running]
        sys.stdout.flush()
        for _, said in running:
            if said is not None:
                said.seek(0)
                while block := said.read(65_536):
                    os.write(sys.stdout.fileno(), block)
    return max(0 if code == NO_TESTS else code for code in codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
