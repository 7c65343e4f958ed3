"""Files that fsspec opens: on object stores, over SSH, on any shared storage that it knows."""

from __future__ import annotations

import io
from typing import BinaryIO, NamedTuple, Protocol, cast

from shipper.errors import FileUnreadable, FileVanished, UsageError


class Stat(NamedTuple):
    """What a file system says of a file; *device* and *inode* are 0 where it has none."""

    size: int
    mtime_ns: int
    device: int = 0
    inode: int = 0


class SharedBytes:
    """The bytes of such a file."""

    def __init__(self, address: str) -> None:
        """Open *address*. Raises SourceError, or UsageError where fsspec is missing."""
        self._address = address
        try:
            self._file = _fsspec().open(address, "rb").open()
            self.size = self._file.seek(0, io.SEEK_END)
        except FileNotFoundError:
            raise FileVanished(f"{address}: no such file") from None
        except OSError as error:
            raise FileUnreadable(f"{address}: {error}") from None

    def read(self, offset: int, size: int) -> bytes:
        try:
            self._file.seek(offset)
            return self._file.read(size)
        except OSError as error:
            raise FileUnreadable(f"{self._address}: {error} at byte {offset}") from None

    def read_now(self, offset: int, size: int) -> bytes | None:
        del offset, size
        return None

    def close(self) -> None:
        self._file.close()


def shared_stat(address: str) -> Stat:
    """Return what is known of *address* from outside. Raises SourceError."""
    system, path = _fsspec().url_to_fs(address)
    try:
        found = system.info(path)
    except FileNotFoundError:
        raise FileVanished(f"{address}: no such file") from None
    except OSError as error:
        raise FileUnreadable(f"{address}: {error}") from None
    return Stat(int(str(found.get("size") or 0)), _mtime_ns(found))


def shared_files(address: str) -> list[str]:
    """Return the addresses of the files that *address* means: itself, what its pattern fits, what is below it."""
    system, path = _fsspec().url_to_fs(address)
    try:
        files = []
        for name in system.expand_path(path, recursive=False):
            inside = [name] if system.isfile(name) else system.expand_path(name, recursive=True)
            files += [system.unstrip_protocol(file) for file in inside if system.isfile(file)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise FileUnreadable(f"{address}: {error}") from None
    return sorted(set(files))


def _mtime_ns(found: dict[str, object]) -> int:
    """Return when a file was written last; every file system of fsspec has its own word for it."""
    for name in ("mtime", "LastModified", "last_modified", "updated", "created"):
        value = found.get(name)
        if isinstance(value, int | float):
            return int(value * 1_000_000_000)
        timestamp = getattr(value, "timestamp", None)
        if timestamp is not None:
            return int(timestamp() * 1_000_000_000)
    return 0


class _FileSystem(Protocol):
    def info(self, path: str) -> dict[str, object]: ...
    def expand_path(self, path: str, *, recursive: bool) -> list[str]: ...
    def isfile(self, path: str) -> bool: ...
    def unstrip_protocol(self, name: str) -> str: ...


class _OpenFile(Protocol):
    def open(self) -> BinaryIO: ...


class _Fsspec(Protocol):
    def open(self, address: str, mode: str) -> _OpenFile: ...
    def url_to_fs(self, address: str) -> tuple[_FileSystem, str]: ...


def _fsspec() -> _Fsspec:
    try:
        import fsspec  # type: ignore[import-untyped]  # noqa: PLC0415 -- an optional extra, and it has no types
    except ImportError:
        raise UsageError("paths with a scheme need fsspec: pip install 'shipper[dask]'") from None
    return cast(_Fsspec, fsspec)
