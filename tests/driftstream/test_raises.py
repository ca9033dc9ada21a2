"""Docstrings of public names say what is raised: found in the source, looked for in the words.

Followed are calls within a module; what another module raises is for that one's names to say.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import sys
import textwrap
import typing
from collections.abc import Callable, Iterator
from types import ModuleType, UnionType
from typing import Any

import pytest

import detectors
import driftstream

#: Of a class, what its calls run when one is made.
MAKING = ("__init__", "__post_init__", "__new__")


def _functions() -> dict[str, tuple[Callable[..., Any], type | None, str]]:
    """Public functions and methods by name: with their class, and the docstring that is theirs."""
    found: dict[str, tuple[Callable[..., Any], type | None, str]] = {}
    for package in (detectors, driftstream):
        for name in package.__all__:
            value = getattr(package, name)
            where = f"{package.__name__}.{name}"
            if inspect.isfunction(value):
                found[where] = value, None, value.__doc__ or ""
            elif inspect.isclass(value) and value.__module__.partition(".")[0] in PACKAGES:
                for method, function in _methods(value):
                    words = value.__doc__ if method in MAKING else function.__doc__
                    found[f"{where}.{method}"] = function, value, words or ""
    return found


PACKAGES = ("detectors", "stream", "driftstream")


def _methods(kind: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, value in vars(kind).items():
        function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        public = not name.startswith("_") or name in MAKING
        if public and inspect.isfunction(function) and function.__module__ == kind.__module__:
            yield name, function


def raised(function: Callable[..., Any], owner: type | None) -> set[type[BaseException]]:
    """The errors that leave a function: its own, and those of what it calls in its module."""
    return _Raised(sys.modules[function.__module__], owner).of(function)


class _Raised:
    """Follows calls within one module, and on `self` within one class."""

    def __init__(self, module: ModuleType, owner: type | None) -> None:
        self._module, self._owner = module, owner
        self._seen: set[Any] = set()

    def of(self, function: Any) -> set[type[BaseException]]:
        function = inspect.unwrap(function) if callable(function) else None
        if (
            not inspect.isfunction(function)
            or function.__module__ != self._module.__name__
            or function in self._seen
        ):
            return set()
        self._seen.add(function)
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        except OSError:  # made by dataclasses or msgspec
            return set()
        # An assertion is of us and not of the caller, and what is not implemented is abstract.
        return self._below(tree) - {AssertionError, NotImplementedError}

    def _below(self, node: ast.AST) -> set[type[BaseException]]:
        found: set[type[BaseException]] = set()
        if isinstance(node, ast.Raise) and node.exc is not None:
            found |= _kind_of(node.exc, self._module)
        elif isinstance(node, ast.Call):
            found |= self.of(_called(node.func, self._module, self._owner))
        if isinstance(node, ast.Try):
            tried = set().union(*map(self._below, node.body))
            caught = tuple(kind for each in node.handlers for kind in self._caught(each))
            found |= {kind for kind in tried if not issubclass(kind, caught)}
            others: list[ast.AST] = [*node.handlers, *node.orelse, *node.finalbody]
        else:
            others = list(ast.iter_child_nodes(node))
        return found.union(*map(self._below, others))

    def _caught(self, handler: ast.ExceptHandler) -> Iterator[type[BaseException]]:
        if handler.type is None:
            yield BaseException
            return
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        for kind in kinds:
            if inspect.isclass(value := _value(kind, self._module)):
                yield value


def _kind_of(made: ast.expr, module: ModuleType) -> set[type[BaseException]]:
    """The class that is raised: called, named, or what the function that is called returns."""
    target = made.func if isinstance(made, ast.Call) else made
    value = _value(target, module)
    if inspect.isfunction(value):
        value = typing.get_type_hints(value).get("return")
    kinds = typing.get_args(value) if isinstance(value, UnionType) else (value,)
    return {kind for kind in kinds if inspect.isclass(kind) and issubclass(kind, BaseException)}


def _called(target: ast.expr, module: ModuleType, owner: type | None) -> Any:
    """The function that a call is of, where that can be seen."""
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
        if target.value.id in ("self", "cls") and owner is not None:
            return inspect.getattr_static(owner, target.attr, None)
        return None
    return _value(target, module)


def _value(target: ast.expr, module: ModuleType) -> Any:
    if not isinstance(target, ast.Name):
        return None
    return getattr(module, target.id, getattr(builtins, target.id, None))


FUNCTIONS = _functions()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_docstring_names_what_is_raised(name: str) -> None:
    function, owner, words = FUNCTIONS[name]
    unnamed = {kind.__name__ for kind in raised(function, owner)}
    unnamed -= set(re.findall(r"\w+", words))
    assert not unnamed, f"{name} raises {unnamed}: say when, under Raises"


class _Example:
    def ask(self) -> None:
        try:
            self._stop()
        except ValueError:
            self._refuse()

    def _stop(self) -> None:
        raise UnicodeError

    def _refuse(self) -> None:
        if not self:
            raise KeyError
        raise _made()


def _made() -> LookupError:
    return LookupError()


def test_what_is_raised_by_others_of_the_module_is_found() -> None:
    assert raised(_Example.ask, _Example) == {KeyError, LookupError}
    assert len(FUNCTIONS) > 100
