"""The file that an export writes or continues: plain, or gzip if it ends in ``.gz``."""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

from dynamo_es.cli.history.exporting.written import ExportError, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dynamo_es.cli.history.exporting.exporter import Wanted

_READ_BYTES: Final = 256 * 1024
_GZIP: Final = 31  # zlib's name for the format


@contextmanager
def open_target(path: Path, wanted: Wanted) -> Iterator[tuple[Written, Callable[[bytes], None]]]:
    """Open a file, or standard output for ``-``; yield its content, and a function to add lines.

    If an interrupted export left an incomplete line or gzip member at the end, it is cut off.

    Raises:
        ExportError: the file has something else than a part of this export, or another export is
            writing to it.
        OSError: the file cannot be opened.
    """
    if str(path) == "-":
        yield Written(), lambda lines: _write(sys.stdout.buffer, lines)
        return
    if path.exists() and not (path.is_file() or path.is_dir()):
        # Reading its content could take forever, because a device or a named pipe may have no end.
        raise ExportError(f"{path} is not a file: to write to a pipe or a device, give - as FILE.")
    packed = path.suffix == ".gz"
    with path.open("a+b") as stream:
        _lock(stream, path)
        stream.seek(0)
        written, end = Written(), 0
        for lines, offset in _members(stream, path) if packed else _lines(stream):
            for line in lines.splitlines():
                _read(line, path, wanted, written)
            end = offset
        stream.truncate(end)

        def write(lines: bytes) -> None:
            # Write a member for each piece. After an interruption, the members before are complete.
            _write(stream, gzip.compress(lines, mtime=0) if packed else lines)

        yield written, write


def _lock(stream: IO[bytes], path: Path) -> None:
    """Lock a file against other exports until it is closed, if the system supports that."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ExportError(
            f"Another export is writing to {path}: wait until it ends, or give another file."
        ) from None
    except OSError:  # a file system without locks
        return


def _write(stream: IO[bytes], content: bytes) -> None:
    stream.write(content)
    stream.flush()  # everything that is counted must be in the file


def _read(line: bytes, path: Path, wanted: Wanted, written: Written) -> None:
    try:
        known = wanted.has(written.add(json.loads(line)))
    except (ValueError, LookupError, TypeError, AttributeError):
        known = False
    if not known:
        raise ExportError(
            f"{path} has a line that this export would not write: "
            "give the same options as for the first export into it, or another file."
        )


def _lines(stream: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield each complete line, and the offset of its end."""
    end = 0
    for line in stream:
        if line.endswith(b"\n"):
            end += len(line)
            yield line, end


def _members(stream: IO[bytes], path: Path) -> Iterator[tuple[bytes, int]]:
    """Yield the content of each complete gzip member, and the offset of its end."""
    rest = b""
    while True:
        member, content = zlib.decompressobj(_GZIP), b""
        while not member.eof:
            rest = rest or stream.read(_READ_BYTES)
            if not rest:
                return
            try:
                content += member.decompress(rest)
            except zlib.error as error:
                raise ExportError(f"{path} is damaged ({error}): export into a new file.") from None
            rest = member.unused_data
        yield content, stream.tell() - len(rest)
