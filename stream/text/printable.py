"""Names are data: the one place where a name from outside enters words, a terminal or a log.

Versions, segments, categories, columns and a receiver's answer are whatever somebody sent. A line
break in one would forge a line of ours, an escape sequence would steer the reader's terminal, a
bidirectional override would turn the line around, a zero-width character would hide. What cannot
be seen is written as an escape that can, such as `\\n` or `\\x1b`. Ordinary names in any script
stay as they are. Contracts (events, alerts, plans) hold the exact names: this is for words.
"""

from __future__ import annotations

import logging
import unicodedata
from typing import Final

__all__ = ["MAX_NAME", "PrintableFormatter", "printable", "printable_json", "printable_lines"]

#: Longer names are cut in words.
MAX_NAME: Final = 200
#: Controls, formats (bidirectional and zero-width), surrogates, private use, unassigned, and
#: separators of lines and paragraphs.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINER: Final = "\u200d"
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: object, limit: int | None = None) -> str:
    """A text on one line, of characters that can be seen; cut with an ellipsis beyond `limit`.

    Doing it twice changes nothing more.

    Examples
    --------
    >>> printable("3\\n12:00 critical"), printable("naïve 中文 🙂")
    ('3\\\\n12:00 critical', 'naïve 中文 🙂')
    """
    shown = text if isinstance(text, str) else str(text)
    if not shown.isprintable():
        shown = "".join(
            char if _is_seen(shown, at, char) else _escape(char) for at, char in enumerate(shown)
        )
    if limit is not None and len(shown) > limit:
        shown = shown[: limit - 1] + "…"
    return shown


def printable_lines(text: str) -> str:
    """A text of several lines of ours, such as a traceback: line breaks and tabs are kept."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def printable_json(document: bytes | str) -> str:
    """The same JSON with all that cannot be seen as escapes: a terminal is not steered by it."""
    text = document.decode() if isinstance(document, bytes) else document
    if text.isprintable():
        return text
    # Outside of strings JSON is ASCII, and its line breaks are layout.
    return "".join(
        char if char in "\n\t\r" or _is_seen(text, at, char) else _escape_json(char)
        for at, char in enumerate(text)
    )


class PrintableFormatter(logging.Formatter):
    """A log record is one line, whatever names it holds; its traceback follows, set in."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line without its traceback."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's name
        """The traceback; set in, so that no name in it begins a line as a record does."""
        lines = printable_lines(super().formatException(ei))  # type: ignore[arg-type]
        return "  " + lines.replace("\n", "\n  ")


def _is_seen(text: str, at: int, char: str) -> bool:
    if unicodedata.category(char) not in _UNSEEN:
        return True
    # A joiner between two pictures makes one of them: a family, a profession.
    return char == _JOINER and _is_picture(text, at - 1, -1) and _is_picture(text, at + 1, 1)


def _is_picture(text: str, at: int, step: int) -> bool:
    """Whether there is an emoji, seen past its colour and its variation."""
    while 0 <= at < len(text) and step < 0 and text[at] in "\ufe0f🏻🏼🏽🏾🏿":
        at += step
    return 0 <= at < len(text) and unicodedata.category(text[at]) == "So"


def _escape(char: str) -> str:
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else (f"\\U{code:08x}")
    )


def _escape_json(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
