"""``dynamo-es export``, on the emulator: files, pipes, interruptions."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from dynamo_es import MemoryBackend, StreamId
from dynamo_es.cli.history import export_file
from dynamo_es.cli.history.exporting import Exporter, ExportError, Wanted, Written, open_target
from dynamo_es.dynamodb.maintenance.repair import repair
from dynamo_es.event_store.serde import ENCRYPTED
from tests.cli.history.histories import a_line, history
from tests.cli.history.test_export import an_event, content, fill


@pytest.fixture
def store():
    store = MemoryBackend()
    for name in "abacabb":
        fill(store, "acme", StreamId(name=name, category="file"), 1)
    store.in_tenant("acme").storage.save_snapshot(
        an_event(StreamId(name="a", category="file"), 9, name="State", version=2)
    )
    return store


def export(store: MemoryBackend, path: Path, pieces: int = 99, **wanted: object) -> Written:
    """Export the store into a file, up to a number of pieces."""
    chosen = Wanted(**wanted)  # type: ignore[arg-type]
    with open_target(path, chosen) as (written, write):
        for _, lines in zip(range(pieces), Exporter(store, chosen, written).run(), strict=False):
            if lines:
                write(lines)
    return written


def lines_in(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


@pytest.mark.parametrize("name", ["copy.jsonl", "copy.jsonl.gz"])
def test_a_file_that_was_cut_anywhere_is_completed(store, tmp_path, name):
    whole = tmp_path / f"whole-{name}"
    written = export(store, whole)
    assert (written.events, written.snapshots) == (7, 1)
    size = len(whole.read_bytes())

    path = tmp_path / name
    for length in {*range(0, size, 37), size - 1, size}:
        path.write_bytes(whole.read_bytes()[:length])
        export(store, path)
        assert sorted(lines_in(path).splitlines()) == sorted(lines_in(whole).splitlines())


@pytest.mark.parametrize("name", ["copy.jsonl", "copy.jsonl.gz"])
def test_an_export_again_adds_what_is_new(store, tmp_path, name):
    path = tmp_path / name
    export(store, path)
    before = path.read_bytes()
    export(store, path)
    assert path.read_bytes() == before

    fill(store, "acme", StreamId(name="b", category="file"), 2)
    export(store, path)

    assert path.read_bytes().startswith(before)
    assert lines_in(path).count(b"\n") == 10


@pytest.mark.parametrize(
    "content",
    [b"hello\n", b"[]\n", b"3\n", b"{}\n", a_line(), gzip.compress(b"hello\n", mtime=0), b"\xff\n"],
)
def test_a_file_that_holds_something_else_is_left_alone(store, tmp_path, content):
    path = tmp_path / ("copy.gz" if content.startswith(b"\x1f") else "copy")
    path.write_bytes(content)
    with pytest.raises(ExportError, match="has a line that this export would not write"):
        export(store, path)
    assert path.read_bytes() == content


def test_a_file_that_was_begun_with_other_options_is_left_alone(store, tmp_path):
    path = tmp_path / "copy"
    export(store, path)
    before = path.read_bytes()
    with pytest.raises(ExportError, match="give the same options as for the first export into it"):
        export(store, path, category="order")
    assert path.read_bytes() == before


def test_a_damaged_gzip_file_is_left_alone(store, tmp_path):
    path = tmp_path / "copy.gz"
    path.write_bytes(b"not gzip")
    with pytest.raises(ExportError, match="is damaged"):
        export(store, path)
    assert path.read_bytes() == b"not gzip"


@pytest.mark.parametrize("name", ["copy", "copy.gz"])
def test_two_exports_never_write_to_one_file(store, tmp_path, name):
    path = tmp_path / name
    with (
        open_target(path, Wanted()) as (_, write),
        pytest.raises(ExportError, match="Another export is writing to"),
    ):
        write(b"")
        export(store, path)

    export(store, path)
    assert lines_in(path).count(b"\n") == 8


def test_a_device_or_a_named_pipe_is_refused(store, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (Path(os.devnull), pipe):
        with pytest.raises(ExportError, match="is not a file: to write to a pipe"):
            export(store, path)


@pytest.fixture
def imported(run, backend, tmp_path):
    """A store with a small history, whose events have positions."""
    ended = run("import", "-", stdin=b"".join(history("abacabb")))
    assert ended.status == 0
    repair(backend.config, lambda: backend.client)
    return backend


def test_a_store_copied_through_standard_output_is_equal(run, imported, tmp_path):
    ended = run("export", "-")
    out = ended.out.encode()
    assert (ended.status, ended.err) == (0, "Exported 7 events of 3 streams, 7 of them now.\n")

    copy = tmp_path / "copy.jsonl"
    assert run("export", copy).status == 0
    assert copy.read_bytes() == out
    before = content(imported)
    for name in "abc":
        imported.in_tenant("acme").storage.delete_stream(StreamId(name=name, category="file"))

    ended = run("import", "-", "--json", stdin=out)

    assert json.loads(ended.out)["events"] == 7
    repair(imported.config, lambda: imported.client)
    assert content(imported) == before


def test_a_part_is_chosen_by_options(run, imported, tmp_path):
    parts: list[tuple[list[object], int]] = [
        ([], 7),
        (["--tenant", "acme"], 7),
        (["--tenant", "globex"], 0),
        (["--category", "file"], 7),
        (["--stream", "b", "--tenant", "acme", "--category", "file"], 3),
        (["--stream", StreamId(name="b"), "--tenant", "acme", "--category", "file"], 3),
    ]
    for number, (options, events) in enumerate(parts):
        ended = run("export", tmp_path / str(number), "--json", *options)
        assert json.loads(ended.out)["events"] == events


def test_a_stream_that_does_not_exist_is_an_error_and_makes_no_file(run, imported, tmp_path):
    ended = run("export", tmp_path / "copy", "--stream", "b", "--tenant", "acme")

    assert ended.status == 1
    assert ended.err.startswith("dynamo-es: There is no stream b, tenant acme. ")
    assert not (tmp_path / "copy").exists()


def test_encrypted_fields_end_the_export_and_the_message_says_what_to_do(run, imported, tmp_path):
    fill(imported, "acme", StreamId(name="secret"), 1, context={ENCRYPTED: {}})
    repair(imported.config, lambda: imported.client)

    ended = run("export", tmp_path / "copy")

    assert ended.status == 1
    assert (
        "of the stream acme/secret has encrypted fields. An export does not contain keys"
        in ended.err
    )
    assert run("export", tmp_path / "copy", "--encrypted").status == 0
    assert run("import", tmp_path / "copy").status == 1
    assert run("import", tmp_path / "copy", "--encrypted").status == 0


def test_ctrl_c_says_that_the_file_can_be_completed(run, imported, monkeypatch, tmp_path):
    class Interrupted(Exporter):
        def run(self):
            yield next(super().run())
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(export_file, "Exporter", Interrupted)
        ended = run("export", tmp_path / "copy")

    assert ended.status == 130
    assert ended.err == (
        "Interrupted after 7 events of 3 streams. Run the same command again: it continues.\n"
    )
    assert run("export", tmp_path / "copy", "--json").out.startswith('{"events": 7, ')


def test_json_and_standard_output_do_not_mix(run, imported):
    assert run("export", "-", "--json").status == 2
