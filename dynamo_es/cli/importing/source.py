"""Reads lines from a file or standard input, plain or gzip."""

from __future__ import annotations

import gzip
import io
import os
import stat
import sys
import zlib
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Final

from dynamo_es.cli.importing.lines import MAX_LINE_BYTES
from dynamo_es.exceptions import EventStoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_GZIP: Final = b"\x1f\x8b"
_READ_BYTES: Final = 32 * 1024  # small, because progress is computed from the bytes read
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class SourceError(EventStoreError):
    """The input ends early or is damaged; the lines before the damage were read."""


class Source:
    """The lines of a binary stream, gunzipped if it begins like gzip; its name does not matter.

    Args:
        stream: the bytes to read.
        name: its name in messages.

    Attributes:
        total: size in bytes, before gunzipping; None if it is unknown.
    """

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._counted = _Counted(stream)
        self._name = name
        self.total: int | None = None
        with suppress(OSError):
            status = os.fstat(stream.fileno())
            self.total = status.st_size if stat.S_ISREG(status.st_mode) else None

    @property
    def bytes_read(self) -> int:
        """Bytes read so far, before gunzipping."""
        return self._counted.bytes_read

    def __iter__(self) -> Iterator[bytes]:
        """Yield each line, cut to `MAX_LINE_BYTES` and one more if it is too long.

        Raises:
            SourceError: The gzip data end early or are damaged.
        """
        buffered: io.BufferedReader | gzip.GzipFile
        buffered = io.BufferedReader(self._counted, _READ_BYTES)
        if self._counted.beginning == _GZIP:
            buffered = gzip.GzipFile(fileobj=buffered)
        number = 0
        try:
            while text := buffered.readline(MAX_LINE_BYTES + 1):
                number += 1
                last = text
                while len(last) > MAX_LINE_BYTES and not last.endswith(b"\n"):
                    last = buffered.readline(MAX_LINE_BYTES + 1)
                yield text.removeprefix(_BYTE_ORDER_MARK) if number == 1 else text
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise SourceError(
                f"{self._name} is damaged after line {number:,} ({error}). "
                "The lines before the damage were read; get the whole file and run this again."
            ) from error


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a file, or standard input for ``-``.

    Raises:
        OSError: The file cannot be opened.
    """
    if str(path) == "-":
        yield Source(sys.stdin.buffer, "Standard input")
    else:
        with path.open("rb", buffering=0) as stream:
            yield Source(stream, str(path))


class _Counted(io.RawIOBase):
    """Counts the bytes read, and shows the first two bytes before they are read."""

    def __init__(self, stream: IO[bytes]) -> None:
        # Returns the bytes at hand: the writer of a pipe may take long to send all of them.
        self._read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
        self.bytes_read = 0
        self.beginning = b""
        # A pipe may hand out one byte at a time.
        while len(self.beginning) < len(_GZIP) and (byte := self._read(1)):
            self.beginning += byte
        self._unread = self.beginning

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any buffer
        content, self._unread = self._unread, b""
        if not content:
            content = self._read(len(buffer))
        buffer[: len(content)] = content
        self.bytes_read += len(content)
        return len(content)
