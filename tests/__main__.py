"""`python -m tests`: every test, in two halves side by side.

Half of the time goes to waiting for brokers and workers, the other half to arithmetic; one after
the other they would take twice as long. The first half speaks as it goes, the second when both are
done. Arguments are pytest's, for both.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import detectors
from stream.summaries import quorum

#: The tests that wait. All others are the second half, so that none can be forgotten.
WAITING = ("tests/chaos", "tests/deploy", "tests/integration", "tests/page", "tests/security")
NO_TESTS = 5  # pytest's exit code


def main(arguments: list[str]) -> int:
    """Run both; the worse of their exit codes."""
    quorum.warm_up()
    detectors.warm_up()  # compiled once, here: two processes would write the same cache at a time
    pytest = [sys.executable, "-m", "pytest", *arguments]
    others = [f"--ignore={folder}" for folder in WAITING]
    with tempfile.TemporaryFile() as said:
        computing = subprocess.Popen(
            [*pytest, "-p", "no:cacheprovider", "tests", *others], stdout=said, stderr=said
        )
        try:
            codes = [subprocess.run([*pytest, *WAITING], check=False).returncode, computing.wait()]
        finally:
            computing.kill()
        said.seek(0)
        sys.stdout.flush()
        while block := said.read(65_536):
            os.write(sys.stdout.fileno(), block)
    return max(0 if code == NO_TESTS else code for code in codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
