"""``dynamo-es demo``, and the sample it imports."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dynamo_es import DynamoBackend, ExplicitVersioning, MemoryBackend, append_cost
from dynamo_es.cli.demonstration import stage, steps
from dynamo_es.cli.demonstration.steps import textbook_units
from dynamo_es.cli.history.importing import Cutter, Defaults, Importer, Settings, parse_line
from tests.cli.history.histories import SAMPLE, a_line, expected, import_lines, stored

if TYPE_CHECKING:
    from dynamo_es import Observer

STORY = {steps.CONTESTED.id.name, steps.LONG.id.name, steps.DELETED.id.name}
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    return stage.sample_lines()


def priced(lines: list[bytes]) -> int:
    """Return the write units of the demonstration's commits, by the size rules."""
    cutter = Cutter(stage.EVENTS_PER_COMMIT, gather=True)
    parsed = [parse_line(text, number, Defaults()) for number, text in enumerate(lines, 1)]
    chunks = [*chain.from_iterable(map(cutter.add, parsed)), *cutter.flush()]
    return sum(
        append_cost(
            chunk.stream.id,
            chunk.events,
            versioning=ExplicitVersioning(chunk.first - 1),
            tenant_id=chunk.stream.tenant_id,
        ).write_units
        for chunk in chunks
    )


@pytest.mark.ci  # on the whole sample
def test_the_demo_tells_what_it_saw(run, lines):
    told = run("demo", "--json")
    seen = json.loads(told.out)

    assert told.status == 0
    assert told.err == ""
    streams = expected(lines)
    done = seen["import"]
    assert done["events"] == len(lines)
    assert done["streams"] == len(streams)
    assert done["commits"] / 25 <= done["requests"] < done["commits"] / 3, "many in a request"
    assert seen["comparison"]["events"] == len(lines)
    assert seen["comparison"]["different"] == 0
    conflict = seen["conflict"]
    assert f"expected version {conflict['loaded']}, but it is at" in conflict["message"]
    assert conflict["ended"] == conflict["loaded"] + 2
    replay, load = seen["snapshot"]["replay"], seen["snapshot"]["load"]
    assert replay["state"] == load["state"]
    assert replay["state"]["changes"] == replay["events"] > load["events"]
    transaction = seen["transaction"]
    first, second, _ = steps.DEPOSITS
    assert transaction["decisions"] == [first, first + second]
    assert transaction["version"] == transaction["snapshot"] == 4
    assert seen["lifted"] == {"stored": {"units": 7}, "loaded": {"cents": 700}}
    assert seen["forgotten"]["before"] == "ann@example.com"
    assert seen["forgotten"]["after"] == "(forgotten)"
    assert "ann" not in seen["forgotten"]["stored"]
    tenants = seen["tenants"]
    assert len(tenants["before"]) >= 2
    assert tenants["after"] == {**tenants["before"], tenants["deleted"]: 0}
    assert seen["lost_reply"] == {
        "lost": 1,
        "requests": 2,
        "attempts": 3,
        "stored": 1,
        "error": None,
    }
    bill = seen["bill"]
    assert bill["events"] == len(lines)
    assert bill["commits"] == done["commits"]
    assert bill["dynamo_es"]["write_units"] == priced(lines)
    assert bill["dynamo_es"]["write_units_per_event"] < 0.4
    assert 1.9 < bill["textbook"]["write_units_per_event"] <= 2.0


def test_the_demo_can_be_read_when_it_is_piped(run, lines, backend, monkeypatch):
    # On the streams that the steps are about, because the others take most of the time.
    chosen = [line for line in lines if json.loads(line)["stream"] in STORY]
    monkeypatch.setattr(stage, "sample_lines", lambda: chosen)

    @contextmanager
    def backend_at(url: str, *, prefix: str, observer: Observer, **settings: Any):
        assert (url, prefix) == ("http://127.0.0.1:8000", "dynamo-es-demo")
        yield DynamoBackend(replace(backend.config, **settings), backend.client, observer)

    monkeypatch.setattr(stage, "backend_at", backend_at)

    ended = run("demo", "--endpoint-url", "http://127.0.0.1:8000")

    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("dynamo_es on http://127.0.0.1:8000\n")
    assert "\x1b" not in ended.out
    assert f"stored    {len(chosen)} events" in ended.out
    assert "streams are equal to the input" in ended.out
    assert "ConcurrentStreamWriteError: Stream " in ended.out
    assert "3 times, in 2 requests" in ended.out
    for number in range(1, 11):
        assert f"\n{number}  " in ended.out


def test_the_comparison_finds_what_differs(lines):
    with stage.set_stage(None, lines[:100]) as store:
        Importer(store.backend.storage, Settings()).run(store.lines)
        assert stage.compare_all(store, store.streams)["different"] == 0

        other = json.dumps({**json.loads(lines[0]), "data": {"other": 1}}).encode()
        changed = stage.read_streams([other, *lines[1:99]])  # and a stream without its last event
        assert stage.compare_all(store, changed)["different"] == 2


def test_the_textbook_design_is_priced_by_the_size_rules():
    cutter = Cutter(3)
    text = [a_line(), a_line(), a_line(data={"text": "x" * 1000})]
    parsed = [parse_line(line, number, Defaults()) for number, line in enumerate(text, 1)]
    (chunk,) = [chunk for line in parsed for chunk in cutter.add(line)]

    assert textbook_units(chunk) == 2 + 2 + 4
    last = chunk.after(2)
    assert last is not None
    assert textbook_units(last) == 2  # alone it needs no transaction


def test_the_sample_is_a_part_of_a_real_history(lines):
    streams = expected(lines)
    tenants = Counter(stream.tenant_id for stream in streams)
    names = Counter(stream.id.name for stream in streams)

    assert 2000 <= len(lines) <= 2600
    assert len(tenants) >= 2
    assert names["README.md"] >= 2
    assert len(SAMPLE.read_bytes()) < 60 * 1024
    assert SAMPLE.read_bytes()[4:8] == bytes(4)  # no time of day in it
    times = [json.loads(line)["at"] for line in lines]
    assert times == sorted(times)


def test_the_sample_is_whole_streams(lines):
    for events in expected(lines).values():
        assert events[0][1] in {"FileAdded", "FileRenamed"}


@pytest.mark.ci  # a few tenths of a second; the demo imports it too
def test_the_sample_goes_into_every_backend(lines):
    storage = MemoryBackend().storage
    summary, problems = import_lines(storage, lines, events_per_commit=3, gather=True)
    assert problems == []
    assert summary.clean
    assert stored(storage, expected(lines)) == expected(lines)


def test_the_sample_is_made_by_its_script(tmp_path, lines):
    script = tmp_path / "scripts" / "make-sample"
    script.parent.mkdir()
    script.write_bytes((ROOT / "scripts" / "make-sample").read_bytes())
    # A history with another stream, which does not fit.
    many = [a_line("big", n, tenant="cqrs", at="2030-01-01T00:00:00+00:00") for n in range(551)]
    full = tmp_path / "full.jsonl.gz"
    full.write_bytes(gzip.compress(b"".join([*lines, *many])))

    subprocess.run(  # noqa: S603 - our own code
        [sys.executable, script, full], check=True, capture_output=True
    )

    made = tmp_path / "dynamo_es" / "cli" / "demonstration" / "sample" / "history.jsonl.gz"
    assert gzip.decompress(made.read_bytes()) == b"".join(lines)


@pytest.mark.ci  # an interpreter of its own
def test_the_classes_of_the_demo_are_not_among_those_of_other_commands():
    code = (
        "import dynamo_es.cli.application; from dynamo_es import Aggregate; "
        "print(Aggregate.__subclasses__())"
    )
    ended = subprocess.run(  # noqa: S603 - its own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ended.stdout == "[]\n"
