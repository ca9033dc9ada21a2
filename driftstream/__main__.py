"""The command `driftstream`, also as `python -m driftstream`."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    try:
        from stream.cli import main as run
    except ModuleNotFoundError as error:  # click
        from stream.process.extras import missing_words

        if words := missing_words(error, "the command line"):
            sys.exit(f"driftstream: {words}")
        raise
    run()


if __name__ == "__main__":
    main()
