"""Every small change of a module's source that its tests should notice.

Found in the syntax tree and made in the text, so that lines keep their numbers and a difference
shows one line.
"""

from __future__ import annotations

import ast
import re
from typing import Final, NamedTuple

__all__ = ["Edit", "edits_of"]

_COMPARISONS: Final = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
}
_SUMS: Final = {ast.Add: ("+", "-"), ast.Sub: ("-", "+")}
_EXTREMES: Final = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum"}
_LOGGERS: Final = {"log", "logger", "warnings"}


class Edit(NamedTuple):
    """One change: bytes `start` to `end` of the source become `text`."""

    line: int
    start: int
    end: int
    text: bytes

    def apply(self, source: bytes) -> bytes:
        return source[: self.start] + self.text + source[self.end :]

    def lines(self, source: bytes) -> tuple[str, str]:
        """The line that is changed, before and after, without its indentation."""
        first = source.rfind(b"\n", 0, self.start) + 1
        after = self.apply(source)
        grown = len(after) - len(source)
        last = source.find(b"\n", self.end)
        before = source[first:last].decode().strip()
        return before, after[first : last + grown].decode().strip()


def edits_of(source: bytes) -> list[Edit]:
    """All edits of a module, in the order of their places."""
    found = _Finder(source)
    found.visit(ast.parse(source))
    return sorted(set(found.edits))


class _Finder(ast.NodeVisitor):
    def __init__(self, source: bytes) -> None:
        self.source = source
        self.edits: list[Edit] = []
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def _place(self, node: ast.AST) -> tuple[int, int]:
        return (
            self._starts[node.lineno - 1] + node.col_offset,
            self._starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def _add(self, start: int, end: int, text: str) -> None:
        line = self.source.count(b"\n", 0, start) + 1
        self.edits.append(Edit(line, start, end, text.encode()))

    def _operator(self, left: ast.AST, right: ast.AST, word: str) -> tuple[int, int] | None:
        """Where the operator between two operands is, past brackets and line ends."""
        start, end = self._place(left)[1], self._place(right)[0]
        pattern = rf"(?<![<>=!\w]){re.escape(word)}(?![<>=\w])"
        found = re.search(pattern.encode(), self.source[start:end])
        return None if found is None else (start + found.start(), start + found.end())

    def _replace(self, left: ast.AST, right: ast.AST, old: str, new: str) -> None:
        if (place := self._operator(left, right, old)) is not None:
            self._add(*place, new)

    # What is not run, or only read by people, is left alone.

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.visit(default)
        self._body(node.body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._body(node.body)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None: ...

    def visit_Assign(self, node: ast.Assign) -> None:
        if ast.unparse(node.targets[0]) != "__all__":
            self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" in ast.unparse(node.test):
            return
        self.visit(node.test)
        self._body(node.body, early=True)
        self._body(node.orelse, early=True)

    def _body(self, statements: list[ast.stmt], *, early: bool = False) -> None:
        """Statements of a block; an `early` one may leave its function or loop."""
        for statement in statements:
            if early and isinstance(statement, ast.Return | ast.Raise | ast.Continue | ast.Break):
                self._add(*self._place(statement), "pass")
            self.visit(statement)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            name = ast.unparse(node.value.func).split(".")[0]
            if name in _LOGGERS:
                return
            self._add(*self._place(node), "pass")
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None: ...

    def visit_Compare(self, node: ast.Compare) -> None:
        left = node.left
        for operator, right in zip(node.ops, node.comparators):
            if type(operator) in _COMPARISONS:
                self._replace(left, right, *_COMPARISONS[type(operator)])
            left = right
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:]):
            self._replace(left, right, old, new)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            start, _ = self._place(node)
            self._add(start, start + len("not "), "")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in _SUMS:
            old, new = _SUMS[type(node.op)]
            self._replace(node.left, node.right, old, new)
            place = self._operator(node.left, node.right, old)
            if isinstance(node.right, ast.Constant) and node.right.value == 1 and place:
                self._add(place[0], self._place(node.right)[1], "")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._add(*self._place(node), "pass")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        name = getattr(function, "id", getattr(function, "attr", None))
        if name in _EXTREMES:
            end = self._place(function)[1]
            self._add(end - len(name), end, _EXTREMES[name])
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        place = self._place(node)
        if isinstance(value, bool):
            self._add(*place, str(not value))
        elif isinstance(value, int):
            self._add(*place, str(value + 1))
            if value > 0:
                self._add(*place, str(value - 1))
        elif isinstance(value, float):
            self._add(*place, repr(value * 1.5 if value else 1.0))
