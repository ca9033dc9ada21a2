"""What code a module runs: its own and that of all it imports, without comments and docstrings."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

__all__ = ["code_of", "modules_of"]


def code_of(module: str, root: Path, without: Collection[Path] = ()) -> str:
    """Hash of a module and of what it imports below `root`; words alone do not change it."""
    digest = hashlib.sha256()
    for path in modules_of(module, root):
        if path in without:
            continue
        digest.update(f"{path.relative_to(root)}\n{_code(path)[0]}\n".encode())
    return digest.hexdigest()[:16]


def modules_of(module: str, root: Path) -> list[Path]:
    """Files of a module, of all that it imports wherever in its text, and of their packages."""
    held: set[Path] = set()
    wanted = [module]
    while wanted:
        for path in _files(wanted.pop(), root):
            if path not in held:
                held.add(path)
                wanted += _code(path)[1]
    return sorted(held)


def _files(module: str, root: Path) -> Iterator[Path]:
    parts = module.split(".")
    for k in range(1, len(parts) + 1):
        at = root.joinpath(*parts[:k])
        for path in (at / "__init__.py", at.with_suffix(".py")):
            if path.is_file():
                yield path


@cache
def _code(path: Path) -> tuple[str, list[str]]:
    """A file's syntax tree without docstrings, and what it imports."""
    tree = ast.parse(path.read_bytes())
    imports = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imports += [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
        elif (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:]
    return ast.dump(tree), imports
