from __future__ import annotations

import gzip
import io
import os
from typing import TYPE_CHECKING

import pytest

from dynamo_es.cli.history.importing import Source, SourceError, open_source
from dynamo_es.cli.history.importing import source as source_module
from tests.cli.history.histories import history

if TYPE_CHECKING:
    from pathlib import Path

LINES = history("abcabc")


@pytest.fixture
def write(tmp_path):
    def write_file(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write_file


def read(path: Path) -> list[bytes]:
    with open_source(path) as source:
        return list(source)


@pytest.mark.parametrize("name", ["history.jsonl", "history.gz"])
@pytest.mark.parametrize("packed", [False, True])
def test_gzip_is_known_by_its_content_not_by_the_name(write, name, packed):
    content = b"".join(LINES)
    assert read(write(name, gzip.compress(content) if packed else content)) == LINES


def test_several_gzip_members_are_one_history(write):
    halves = gzip.compress(b"".join(LINES[:3])) + gzip.compress(b"".join(LINES[3:]))
    assert read(write("history.gz", halves)) == LINES


def test_the_last_line_needs_no_end(write):
    assert read(write("history", b"one\ntwo")) == [b"one\n", b"two"]


def test_a_byte_order_mark_is_passed_over(write):
    assert read(write("history", b"\xef\xbb\xbfone\n\xef\xbb\xbftwo\n")) == [
        b"one\n",
        b"\xef\xbb\xbftwo\n",
    ]


@pytest.mark.parametrize("content", [b"", b"1"])
def test_less_than_two_bytes_are_no_gzip(write, content):
    assert read(write("history", content)) == ([content] if content else [])


def test_gzip_that_ends_early_is_an_error_after_what_was_read(write):
    noise = os.urandom(300_000).hex().encode()
    packed = gzip.compress(b"one\ntwo\n" + noise)
    lines: list[bytes] = []

    with open_source(write("history.gz", packed[: len(packed) // 2])) as source:
        reading = iter(source)
        lines += [next(reading), next(reading)]
        with pytest.raises(SourceError, match="damaged after line 2 "):
            next(reading)

    assert lines == [b"one\n", b"two\n"]


def test_damaged_gzip_is_an_error(write):
    packed = bytearray(gzip.compress(b"one\n" * 1000))
    packed[-6] ^= 0xFF  # in the checksum
    with pytest.raises(SourceError, match="CRC"):
        read(write("history.gz", bytes(packed)))


def test_of_a_line_that_is_too_long_only_the_beginning_is_read(write, monkeypatch):
    monkeypatch.setattr(source_module, "MAX_LINE_BYTES", 10)
    content = b"short\n" + b"x" * 9 + b"\n" + b"y" * 10 + b"\n" + b"z" * 35 + b"\nshort\n"
    assert read(write("history", content)) == [
        b"short\n",
        b"x" * 9 + b"\n",
        b"y" * 10 + b"\n",
        b"z" * 11,
        b"short\n",
    ]


def test_bytes_are_counted_as_they_are_in_the_file(write):
    packed = gzip.compress(b"".join(LINES) * 1000)
    with open_source(write("history.gz", packed)) as source:
        assert source.total == len(packed)
        for _ in source:
            pass
        assert source.bytes_read == len(packed)


def test_what_trickles_out_of_a_pipe_is_read_as_it_comes():
    class Trickle(io.RawIOBase):
        def __init__(self, content: bytes) -> None:
            self._left = io.BytesIO(content)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any buffer
            return self._left.readinto(buffer[:1])

    trickle = Trickle(gzip.compress(b"one\ntwo\n"))
    source = Source(trickle, "a pipe")  # type: ignore[arg-type]

    assert source.total is None
    assert list(source) == [b"one\n", b"two\n"]

    trickle = Trickle(b"one\ntwo\n")
    buffered = io.BufferedReader(trickle)
    assert next(iter(Source(buffered, "a pipe"))) == b"one\n"
    assert trickle._left.tell() == 4, "the buffer did not wait for more"


def test_no_line_of_a_gzip_file_with_a_wrong_checksum_is_read(write):
    packed = bytearray(gzip.compress(b'{"amount": 1}\n' * 3, compresslevel=0))
    packed[packed.index(b"1")] = ord("9")  # still JSON, so only the checksum tells
    with (
        open_source(write("history.gz", bytes(packed))) as source,
        pytest.raises(
            SourceError,
            match=r"history.gz is damaged after line 0 \(CRC .* Nothing after that line was",
        ),
    ):
        next(iter(source))


def test_a_gzip_file_is_read_from_where_its_stream_is(tmp_path):
    path = tmp_path / "history"
    path.write_bytes(b"before" + gzip.compress(b"one\ntwo\n"))
    with path.open("rb", buffering=0) as stream:
        stream.seek(6)
        source = Source(stream, "history")
        assert list(source) == [b"one\n", b"two\n"]
