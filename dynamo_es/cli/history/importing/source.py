"""Reads lines from a file or standard input, plain or gzip."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, Final

from dynamo_es.cli.history.importing.lines import MAX_LINE_BYTES
from dynamo_es.exceptions import EventStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_GZIP: Final = b"\x1f"  # no JSON begins with it
_READ_BYTES: Final = 32 * 1024  # small, because progress is computed from the bytes read
_CHECKED_BYTES: Final = 1024 * 1024
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class SourceError(EventStoreError):
    """The input ends early or is damaged; the message says which lines were read."""


class Source:
    """The lines of a binary stream, gunzipped if it begins like gzip; its name does not matter.

    Args:
        stream: the bytes to read.
        name: its name in messages.

    Attributes:
        total: size in bytes, before gunzipping; None if it is unknown.
    """

    def __init__(self, stream: IO[bytes], name: str) -> None:
        # Unbuffered, because a buffered pipe hands out lines only once the buffer is full.
        self._raw: Any = getattr(stream, "raw", stream)
        self._buffered = io.BufferedReader(self._raw, _READ_BYTES)
        self._name = name
        self.total: int | None = None
        if self._raw.seekable():
            begin = self._raw.tell()
            self.total = self._raw.seek(0, io.SEEK_END)
            self._raw.seek(begin)

    @property
    def bytes_read(self) -> int:
        """Bytes read so far, before gunzipping; 0 if the total is unknown."""
        return 0 if self.total is None else self._raw.tell()

    def __iter__(self) -> Iterator[bytes]:
        """Yield each line, cut to `MAX_LINE_BYTES` and one more if it is too long.

        A gzip file is checked first, so that no damaged line is taken for an event: its checksum
        comes after the lines. A pipe cannot be read twice.

        Raises:
            SourceError: The gzip data end early or are damaged.
        """
        number = 0
        try:
            lines = self._unpacked()
            while text := lines.readline(MAX_LINE_BYTES + 1):
                number += 1
                last = text
                while len(last) > MAX_LINE_BYTES and not last.endswith(b"\n"):
                    last = lines.readline(MAX_LINE_BYTES + 1)
                yield text.removeprefix(_BYTE_ORDER_MARK) if number == 1 else text
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise SourceError(
                f"{self._name} is damaged after line {number:,} ({error}). Nothing after that "
                "line was read; get the whole file and run this again."
            ) from error

    def _unpacked(self) -> io.BufferedReader | gzip.GzipFile:
        if self._buffered.peek(1)[:1] != _GZIP:
            return self._buffered
        if self.total is not None:
            begin = self._buffered.tell()
            unpacked = gzip.GzipFile(fileobj=self._buffered)
            with suppress(EOFError):  # the lines before an early end are right
                while unpacked.read(_CHECKED_BYTES):
                    pass
            self._buffered.seek(begin)
        return gzip.GzipFile(fileobj=self._buffered)


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
