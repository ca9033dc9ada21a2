"""numba's cache of compiled kernels, made safe: whole files only, and of these very sources.

numba believes what it finds. Half a file ends the process in unpickling or, worse, in machine code;
and as it looks at a kernel's own source file only, a kernel goes on with what it once called when
that was changed in another file.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Any, Final

from numba.core.caching import IndexDataCacheFile

__all__ = ["make_safe"]

log = logging.getLogger(__name__)

#: Behind the content of a file stand this and the content's SHA-256. numba reads up to it.
_MARK: Final = b"driftstream"
_TAIL: Final = len(_MARK) + hashlib.sha256().digest_size
_told: set[str] = set()


class _WholeFiles(IndexDataCacheFile):  # type: ignore[misc]
    """Cache files of one kernel: one that is not whole counts as not there, and is made anew."""

    def save(self, key: object, data: object) -> None:
        try:
            super().save(key, data)
        except OSError as error:
            self._tell("cannot be kept", error.strerror or str(error))

    def _load_index(self) -> dict[object, str]:
        found: dict[object, str] = super()._load_index() if self._whole(self._index_path) else {}
        return found

    def _load_data(self, name: str) -> object:
        if not self._whole(self._data_path(name)):
            raise OSError  # to numba: not there
        return super()._load_data(name)

    @contextlib.contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[Any]:
        with super()._open_for_write(filepath) as file:
            yield file
            file.flush()
            with open(file.name, "rb") as written:
                file.write(_tail_of(written.read()))

    def _whole(self, path: str) -> bool:
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return False
        except OSError as error:
            self._tell("cannot be read", f"{os.path.basename(path)}: {error.strerror or error}")
            return False
        if data[-_TAIL:] == _tail_of(data[:-_TAIL]):
            return True
        why = "is not whole" if _MARK in data[-_TAIL:] else "is cut off, or of another version"
        self._tell("cannot be used", f"{os.path.basename(path)} {why}")
        return False

    def _tell(self, what: str, why: str) -> None:
        """Once: what is wrong, and what becomes of it."""
        if what in _told:
            return
        _told.add(what)
        log.warning(
            "compiled kernels in %s %s: %s. Such kernels are compiled anew, all in 30 s of CPU. If "
            "this is said at each start, delete the folder, or set NUMBA_CACHE_DIR to another.",
            self._cache_path,
            what,
            why,
        )


def make_safe(compiled: Any, stamps: dict[int, str]) -> None:
    """Guard the cache of a kernel; `stamps` are those of all kernels before, by their id."""
    cache = compiled._cache
    file = cache._cache_file
    # It would raise where the folder went away or is full; saving says so instead.
    cache._impl.locator.ensure_cache_path = lambda: None
    function = compiled.py_func
    used = sorted(_used(function.__code__, function.__globals__, stamps))
    stamp = hashlib.sha256(repr((file._source_stamp, used)).encode()).hexdigest()
    stamps[id(compiled)] = stamp
    cache._cache_file = _WholeFiles(file._cache_path, cache._impl.filename_base, stamp)


def _used(
    code: CodeType, names: Mapping[str, object], stamps: Mapping[int, str]
) -> Iterator[tuple[str, str]]:
    """What is compiled into a kernel from elsewhere: other kernels, and constants."""
    for name in code.co_names:
        value = names.get(name)
        if id(value) in stamps:
            yield name, stamps[id(value)]
        elif isinstance(value, bool | int | float | str | tuple):
            yield name, repr(value)
        elif hasattr(value, "tobytes"):
            yield name, hashlib.sha256(value.tobytes()).hexdigest()
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _used(inner, names, stamps)


def _tail_of(content: bytes) -> bytes:
    return _MARK + hashlib.sha256(content).digest()
