"""``dynamo-es import``, on the emulator."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from dynamo_es import DynamoBackend, StreamId
from dynamo_es.cli.history import import_file
from dynamo_es.cli.history.importing import Importer, Meter, Settings
from dynamo_es.cli.terminal import progress
from dynamo_es.cli.terminal.output import tell_interrupted
from dynamo_es.exceptions import AppendOutcomeUnknownError, CredentialsError
from tests.cli.history.histories import (
    Crash,
    Watched,
    a_line,
    expected,
    failing,
    history,
    raises_at,
    stored,
)

if TYPE_CHECKING:
    from pathlib import Path

LINES = history("abacabbbadcaabcd")


@pytest.fixture
def file(tmp_path) -> Path:
    path: Path = tmp_path / "history.jsonl"
    path.write_bytes(b"".join(LINES))
    return path


def is_stored(backend, lines):
    wanted = expected(lines)
    return stored(backend.storage, wanted) == wanted


def metered(backend: DynamoBackend) -> tuple[DynamoBackend, Meter]:
    """Return another process on the same tables, observed."""
    meter = Meter()
    config = replace(backend.config, report_capacity=True)
    return DynamoBackend(config, client=backend.client, observer=meter), meter


def test_a_file_is_imported(run, backend, file):
    ended = run("import", file, "--json")

    assert ended.status == 0
    assert is_stored(backend, LINES)
    summary = json.loads(ended.out)
    assert ended.out.count("\n") == 1
    assert summary["events"] == len(LINES)
    assert summary["commits"] == 13
    assert summary["requests"] < 13, "commits of different streams share requests"
    assert (summary["streams"], summary["tenants"]) == (4, 1)
    assert summary["write_units"] == 13
    assert summary["write_units_per_event"] == 13 / 16
    assert summary["complete"] is True
    assert ended.err == ""


def test_the_summary_is_for_people_without_json(run, backend, file):
    ended = run("import", file)
    assert "16 in 13 commits" in ended.out
    assert "4 of 1 tenant " in ended.out
    assert "13 (reported), 0.81 an event" in ended.out


def test_an_import_that_stores_nothing_has_no_figures_of_one_event(run, backend, file):
    run("import", file)

    ended = run("import", file)

    assert "0 in 0 commits" in ended.out
    assert " an event" not in ended.out


@pytest.mark.parametrize("packed", [False, True])
def test_standard_input_is_imported(run, backend, packed):
    content = b"".join(LINES)
    ended = run("import", "-", stdin=gzip.compress(content) if packed else content)
    assert ended.status == 0
    assert is_stored(backend, LINES)


def test_events_of_a_stream_are_gathered(run, backend, file):
    summary = json.loads(run("import", file, "--group-by-stream", 3, "--json").out)
    assert is_stored(backend, LINES)
    assert summary["commits"] == 2 + 2 + 1 + 1  # of 6 a, 5 b, 3 c and 2 d


def test_commits_are_as_large_as_asked_for(run, backend, file):
    summary = json.loads(run("import", file, "--events-per-commit", 1, "--json").out)
    assert summary["commits"] == len(LINES)


def test_a_single_worker_stores_one_commit_in_a_request(run, backend, file):
    summary = json.loads(run("import", file, "--workers", 1, "--json").out)
    assert summary["requests"] == summary["commits"] == 13
    assert is_stored(backend, LINES)


def test_lines_without_tenant_and_category_get_those_of_the_options(run, backend, tmp_path):
    path = tmp_path / "history"
    path.write_bytes(a_line(tenant=None, category=None) + a_line(tenant="acme", category="file"))

    run("import", path, "--tenant", "globex", "--category", "order")

    for tenant, category in (("globex", "order"), ("acme", "file")):
        stream_id = StreamId(name="a", category=category)
        assert len(backend.in_tenant(tenant).storage.fetch_events(stream_id)) == 1


def test_importing_again_passes_over_what_is_stored(run, backend, file):
    run("import", file, "--events-per-commit", 3)
    summary = json.loads(run("import", file, "--group-by-stream", 2, "--json").out)

    assert is_stored(backend, LINES)
    assert (summary["events"], summary["already_stored"]) == (0, len(LINES))
    assert summary["write_units"] == 0


@pytest.mark.parametrize("gather", [False, True])
@pytest.mark.parametrize("commits", [1, 2, 5])
def test_after_a_crash_the_rest_is_stored_and_counted(backend, commits, gather):
    first, meter = metered(backend)
    crashing = Watched(first.storage, after=raises_at([commits], Crash()))
    with pytest.raises(Crash):
        Importer(crashing, Settings(workers=1, events_per_commit=3), meter=meter).run(LINES)
    before = sum(map(len, stored(backend.storage, expected(LINES)).values()))

    again, meter = metered(backend)
    settings = Settings(workers=1, events_per_commit=2, gather=gather)
    summary = Importer(again.storage, settings, meter=meter).run(LINES)

    assert is_stored(backend, LINES)
    assert (summary.already_stored, summary.events) == (before, len(LINES) - before)
    assert summary.clean


def test_a_history_that_is_stored_is_compared_by_reading_it_ahead(backend):
    lines = history("a" * 60)
    settings = Settings(workers=1, events_per_commit=2)
    Importer(backend.storage, settings).run(lines)

    process, meter = metered(backend)
    summary = Importer(process.storage, settings, meter=meter).run(lines)

    # The first append is refused and looked into; then one window, of two pages.
    assert summary.already_stored == 60
    assert summary.requests <= 5


@pytest.mark.parametrize("number", [1, 3])
def test_a_lost_reply_is_no_event_of_an_earlier_run(backend, number):
    process, meter = metered(backend)
    client: Any = backend.client
    hooks = backend.client.meta.events
    puts = count(1)

    def lose(request: object, **_: object) -> None:
        if next(puts) == number:
            assert client._endpoint.http_session.send(request).status_code == 200
            raise ReadTimeoutError(endpoint_url="http://lost")

    hooks.register_first("before-send.dynamodb.PutItem", lose)
    try:
        summary = Importer(process.storage, Settings(workers=1), meter=meter).run(LINES)
    finally:
        hooks.unregister("before-send.dynamodb.PutItem", lose)

    assert (summary.events, summary.already_stored) == (len(LINES), 0)
    assert summary.attempts == summary.requests + 1
    assert next(puts) == summary.commits + 2  # one of them was sent twice
    assert is_stored(backend, LINES)


@pytest.mark.parametrize("number", [1, 3])
def test_a_commit_that_is_tried_again_is_no_event_of_an_earlier_run(backend, number):
    process, meter = metered(backend)
    unknown = AppendOutcomeUnknownError("a", 0, "No reply.")
    lost = failing(process.storage, "after", [number], unknown)

    summary = Importer(lost, Settings(workers=1), meter=meter).run(LINES)

    assert (summary.events, summary.already_stored) == (len(LINES), 0)
    assert is_stored(backend, LINES)


A, ALL = "The later lines of acme/file/a are skipped.", "so all later lines are skipped."
BAD = [
    (b"{", "not JSON", ALL),
    (b"[]", "not a JSON object", ALL),
    (b"\xff", "not UTF-8", ALL),
    (a_line(stream=None), "the field 'stream' is missing", ALL),
    (a_line(type=None), "the field 'type': Field required", A),
    (a_line(at="soon"), "the field 'at': not an ISO 8601 time", A),
    (a_line(data={"a": float("nan")}), "NaN is not a JSON value", A),
    (a_line(data=[]), "the field 'data': Input should be a valid dictionary", A),
]


@pytest.mark.parametrize(("bad", "reason", "skipped"), BAD, ids=[reason for _, reason, _ in BAD])
def test_a_malformed_line_is_reported_and_the_repaired_file_is_imported(
    run, backend, bad, reason, skipped
):
    lines = [*LINES[:5], bad.rstrip(b"\n") + b"\n", *LINES[5:]]
    others = [line for line in LINES[5:] if b'"stream": "a"' not in line]

    ended = run("import", "-", "--json", stdin=b"".join(lines))

    assert ended.status == 1
    assert ended.err.startswith("line 6: ")
    assert reason in ended.err
    assert skipped in ended.err
    assert ended.err.count("\n") == 1
    assert json.loads(ended.out)["malformed"] == 1
    assert is_stored(backend, LINES[:5] + (others if skipped is A else []))

    repaired = run("import", "-", "--json", stdin=b"".join(LINES))

    assert repaired.status == 0
    assert is_stored(backend, LINES)


def test_after_twenty_malformed_lines_the_others_are_counted(run, backend):
    ended = run("import", "-", "--json", stdin=b"{\n" * 25 + LINES[0])

    lines = ended.err.splitlines()
    assert [line.split(":")[0] for line in lines[:20]] == [f"line {n}" for n in range(1, 21)]
    assert lines[20:] == ["… and 5 more like these."]
    assert json.loads(ended.out)["malformed"] == 25


def test_a_stream_with_other_events_is_reported(run, backend, file):
    run("import", "-", stdin=a_line("b", type="Other"))

    ended = run("import", file, "--json")

    assert ended.status == 1
    assert ended.err.startswith("line 2: the stream holds another event at version 1 ")
    assert "The later lines of acme/file/b are skipped." in ended.err
    summary = json.loads(ended.out)
    assert (summary["skipped"], summary["refused_streams"], summary["events"]) == (5, 1, 11)


def test_ctrl_c_says_that_it_can_be_continued(run, backend, file, monkeypatch):
    class Interrupted(Importer):
        def run(self, lines):
            return super().run(self._until_interrupted(lines))

        def _until_interrupted(self, lines):
            for number, line in enumerate(lines):
                if number == 9:
                    raise KeyboardInterrupt
                yield line

    with monkeypatch.context() as patched:
        patched.setattr(import_file, "Importer", Interrupted)
        ended = run("import", file, "--json")
    summary = json.loads(ended.out)

    assert ended.status == 130
    assert ended.err == (
        f"Interrupted after storing at least {summary['events']} events. "
        "Run the same command again: it continues, and stores nothing twice.\n"
    )
    assert summary["complete"] is False
    assert run("import", file).status == 0
    assert is_stored(backend, LINES)


def test_an_error_of_the_store_says_how_far_it_came(run, backend, file, monkeypatch):
    expired = raises_at([5], CredentialsError("PutItem", "ExpiredToken", "It is expired."))
    monkeypatch.setattr(
        DynamoBackend, "storage", property(lambda self: Watched(self._storage, before=expired))
    )
    ended = run("import", file, "--workers", 1)

    assert ended.status == 1
    assert ended.out == ""
    told, error = ended.err.splitlines()
    assert re.match(r"Failed after storing \d+ events?\. Run the same command again", told)
    assert error.startswith("dynamo-es: PutItem: ExpiredToken: It is expired.")


def test_damaged_gzip_is_an_error_after_what_was_imported(run, backend):
    packed = gzip.compress(b"".join(LINES))
    ended = run("import", "-", stdin=packed[:-20])
    assert ended.status == 1
    assert "Standard input is damaged after line" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["import"],
        ["import", "no-such-file"],
        ["import", "-", "--workers", 0],
        ["import", "-", "--events-per-commit", 0],
        ["import", "-", "--group-by-stream", "x"],
    ],
)
def test_wrong_usage_ends_with_two(run, backend, arguments):
    assert run(*arguments).status == 2


def test_progress_is_told_in_lines_where_there_is_no_terminal(run, backend, file, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr("dynamo_es.cli.history.importing.importer._TICK", 0.001)
    ended = run("import", file, "--json")
    assert "a second" in ended.err
    assert " left" in ended.err
    assert json.loads(ended.out)["events"] == len(LINES)


def test_gathering_shows_progress_while_it_reads(run, backend, file, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr("dynamo_es.cli.history.importing.importer._TICK", 0.0)
    ended = run("import", file, "--group-by-stream", 100)
    first, *_, last = ended.err.splitlines()
    assert re.match(r"0 events, 0 a second, 1 read, 50%, ", first)
    assert re.match(r"16 events, [\d,]+ a second, 16 read, 100%, ", last)


def test_an_interruption_is_told_on_a_line_after_that_of_the_terminal(monkeypatch, capsys):
    tell_interrupted("Interrupted.")
    monkeypatch.setenv("FORCE_COLOR", "1")
    tell_interrupted("Interrupted.")
    assert capsys.readouterr().err == "Interrupted.\n" + "\nInterrupted.\n"


def test_progress_is_a_bar_on_a_terminal(run, backend, file, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    ended = run("import", file, "--json")
    assert json.loads(ended.out)["events"] == len(LINES)
    assert "events" in ended.err


def test_importing_loads_nothing_for_terminals():
    code = (
        "import sys, dynamo_es.cli, dynamo_es.cli.history.importing;"
        "sys.exit(sorted({'rich', 'typer'} & set(sys.modules)) or None)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own code
