"""Write the reference pages from the code: `make reference`.

`config.md` comes from the keys that the config reader asks for, with their kinds, defaults and
bounds; `cli.md` from the commands' own help; `metrics.md` from the collectors; `schemas.md` from
the types of events; `python.md` from docstrings; `README.md` says which is which.
tests/docs/test_reference.py holds the files to the code.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from pages_cli import cli_page
from pages_config import config_page
from pages_metrics import metrics_page
from pages_python import python_page
from pages_schemas import schemas_page

HERE = Path(__file__).parent
_README = """# Reference

Written from the code by `make reference`, and held to it by tests.

| page | has |
|---|---|
| [config](config.md) | every key of the config file: kind, default, bounds; an example with all |
| [commands](cli.md) | every command of `driftstream`, with its options |
| [metrics](metrics.md) | every metric of a worker and of the notifier that sends notifications |
| [schemas](schemas.md) | every field of events in and of alerts out |
| [Python](python.md) | every public name of `driftstream`, and those below it |
"""


def pages() -> dict[str, str]:
    """File name -> text."""
    return {
        "README.md": _README,
        "config.md": config_page(),
        "cli.md": cli_page(),
        "metrics.md": metrics_page(),
        "schemas.md": schemas_page(),
        "python.md": python_page(),
    }


def main() -> None:
    """Write the files."""
    for name, text in pages().items():
        (HERE / name).write_text(text)


if __name__ == "__main__":
    main()
