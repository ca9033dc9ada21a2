"""The command `driftstream`, also as `python -m driftstream`."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    from stream.cli import main as run

    run()


if __name__ == "__main__":
    main()
