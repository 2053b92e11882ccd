"""``dynamo-es projections`` and ``rebuild``: projections of a program in the current folder."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from dynamo_es import ANY_VERSION, DynamoBackend, StreamId
from dynamo_es.cli.consumers.catching_up import Pace
from dynamo_es.cli.terminal import progress
from dynamo_es.exceptions import ServiceError
from dynamo_es.projections.parts import ProjectionReport
from dynamo_es.projections.projection import Projection
from dynamo_es.testing.conformance.language import events

if TYPE_CHECKING:
    from pathlib import Path

_names = count(1)

PROGRAM = """
import os
from dynamo_es import DynamoBackend
from dynamo_es.projections.projection import Projection

rows = []
ENDPOINT = os.environ.get("DYNAMO_ES_ENDPOINT_URL")

def handler(recorded):
    rows.append(recorded.position)

def drawn(backend) -> Projection:
    return backend.projection("drawn", handler, keep_unknown=True)

def resettable(backend) -> "Projection":
    def apply(recorded):
        rows.append(recorded.position)
    apply.reset = rows.clear
    return backend.projection("resettable", apply, keep_unknown=True)

def failing(backend):
    def apply(recorded):
        if recorded.position == 2:
            raise ZeroDivisionError("secret")
    return backend.projection("failing", apply, keep_unknown=True)

def of_streams(backend):
    projector = backend.projector("of_streams", lambda *_: None, keep_unknown=True)
    return backend.projection("of_streams", projector, keep_unknown=True)

def of_two(backend, other) -> Projection: ...
def wrong(backend): return 7
def broken(backend): raise ZeroDivisionError("secret")
value = 7
own = drawn(DynamoBackend.from_env())
"""


@pytest.fixture
def stored(backend: DynamoBackend) -> DynamoBackend:
    """Four events with positions, the last one of a tenant."""
    inline = DynamoBackend(replace(backend.config, sequencing="inline"), client=backend.client)
    inline.storage.insert_events(StreamId(name="a"), ANY_VERSION, events(StreamId(name="a"), 3))
    acme = inline.in_tenant("acme").storage
    acme.insert_events(StreamId(name="b"), ANY_VERSION, events(StreamId(name="b"), 1))
    return inline


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The name of a module in the current folder."""
    name = f"my_app_{next(_names)}"
    (tmp_path / f"{name}.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    yield name
    sys.modules.pop(name, None)


def module_of(program: str) -> Any:
    return sys.modules[program]


def rows_of(program):
    return module_of(program).rows


def test_a_projection_runs_to_the_end_that_the_log_has(run, stored, program):
    ended = run("projections", "run", f"{program}:drawn", "--once")

    assert (ended.status, ended.out) == (0, "")
    assert ended.err == "drawn: 4 events handled, at position 4, lag 0.\n"
    assert rows_of(program) == [1, 2, 3, 4]
    assert stored.checkpoints.position("drawn") == 4


def test_it_goes_on_where_it_ended(run, stored, program):
    stored.checkpoints.move("drawn", 3)
    document = json.loads(run("projections", "run", f"{program}:drawn", "--once", "--json").out)
    assert rows_of(program) == [4]
    assert document == {
        "projection": "drawn",
        "position": 4,
        "last_position": 4,
        "lag": 0,
        "handled": 1,
        "passed_over": 0,
        "unsequenced": False,
    }


def test_it_is_one_event_if_it_is_one(run, stored, program):
    stored.checkpoints.move("drawn", 3)
    assert "drawn: 1 event handled" in run("projections", "run", f"{program}:drawn", "--once").err


def test_it_is_limited_to_a_tenant(run, stored, program):
    run("projections", "run", f"{program}:drawn", "--once", "--tenant", "acme")
    assert rows_of(program) == [4]
    assert stored.checkpoints.position("drawn") is None
    assert stored.in_tenant("acme").checkpoints.position("drawn") == 4


def test_a_projection_of_a_backend_of_its_own_runs_too(run, stored, program):
    assert run("projections", "run", f"{program}:own", "--once").status == 0
    assert stored.checkpoints.position("drawn") == 4
    ended = run("projections", "run", f"{program}:own", "--once", "--tenant", "acme")
    assert (ended.status, "--tenant cannot limit it" in ended.err) == (1, True)


def test_options_are_variables_for_the_program(run, stored, program):
    run("--endpoint-url", "http://127.0.0.1:1", "projections", "list", program)
    assert module_of(program).ENDPOINT == "http://127.0.0.1:1"
    assert "DYNAMO_ES_ENDPOINT_URL" not in os.environ


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_ends_after_the_event_in_hand(run, stored, program, by):
    def interrupt(recorded):
        handled.append(recorded.position)
        if recorded.position == 2:
            signal.raise_signal(by)

    handled: list[int] = []
    run("projections", "list", program)
    module_of(program).handler = interrupt

    ended = run("projections", "run", f"{program}:drawn")

    assert ended.status == 130
    assert ended.err.splitlines() == [
        "drawn: 2 events handled, at position 2.",
        "Interrupted.",
    ]
    assert handled == [1, 2]
    assert stored.checkpoints.position("drawn") == 2


def test_a_handler_that_fails_is_named_by_its_place_and_quotes_nothing(run, stored, program):
    ended = run("projections", "run", f"{program}:failing", "--once")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("dynamo-es: The handler of failing failed: ZeroDivisionError at ")
    assert f"{program}.py:" in ended.err
    assert "The checkpoint is at 1, before that event." in ended.err
    assert "secret" not in ended.err
    assert stored.checkpoints.position("failing") == 1


def test_the_error_of_the_handler_is_reported_even_if_the_store_does_not_answer(
    run, stored, program, monkeypatch
):
    def refuse(_):
        raise ServiceError("GetItem", "X", "no answer")

    def fail(_):
        monkeypatch.setattr(Projection, "position", property(refuse))
        raise ZeroDivisionError

    run("projections", "list", program)
    module_of(program).handler = fail
    ended = run("projections", "run", f"{program}:drawn", "--once")
    assert "The handler of drawn failed: ZeroDivisionError at " in ended.err
    assert "The checkpoint is before that event." in ended.err


def test_debug_shows_where_it_failed(run, stored, program):
    with pytest.raises(Exception, match="failing failed") as caught:
        run("projections", "run", f"{program}:failing", "--once", "--debug")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("{}", "Write module:name, such as my_app.read_models:balances, not '{}'."),
        ("{}:", "Write module:name"),
        ("{}:nothing", "The module {} has no nothing."),
        ("{}:value", "{}:value must be a projection, not int. Define it as def balances"),
        ("{}:wrong", "{}:wrong must return a projection, not int. Define it as def balances"),
        ("{}:broken", "{}:broken failed: ZeroDivisionError at {}.py:"),
        ("{}:of_two", "{}:of_two must take one argument, the backend."),
        ("no_such_module:x", "There is no module no_such_module: run the command in its folder"),
        ("./my_app.py:x", "'./my_app.py' is not the name of a module"),
    ],
)
def test_a_reference_that_names_no_projection_is_one_line(run, stored, program, reference, words):
    ended = run("projections", "run", reference.replace("{}", program), "--once")
    assert (ended.status, ended.out) == (1, "")
    assert words.replace("{}", program) in ended.err
    assert "secret" not in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import no_such_dependency", "it needs no_such_dependency, which is not installed."),
        ("1 / 0", "cannot be imported: ZeroDivisionError at broken_app.py:1"),
        ("(", "cannot be imported: SyntaxError at "),
    ],
)
def test_a_module_that_cannot_be_imported_is_one_line(
    run, stored, tmp_path, monkeypatch, text, words
):
    (tmp_path / "broken_app.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_app", raising=False)
    ended = run("projections", "run", "broken_app:x")
    assert (ended.status, ended.out) == (1, "")
    assert words in ended.err
    assert ended.err.count("\n") == 1


# The list


def test_projections_are_listed_with_position_and_lag(run, stored, program):
    stored.checkpoints.move("drawn", 3)
    stored.in_tenant("acme").checkpoints.move("drawn", 4)

    listed = [json.loads(line) for line in run("projections", "list", "--json").out.splitlines()]
    by_module = run("projections", "list", program).out.splitlines()

    assert [(one["tenant"], one["position"], one["lag"]) for one in listed] == [
        (None, 3, 1),
        ("acme", 4, 0),
    ]
    assert [line.split("\t")[0] for line in by_module] == ["3", "4", "-"]
    assert by_module[2].split("\t")[1:] == [
        "4",
        "never run",
        "resettable",
        "",
        f"{program}:resettable",
    ]


def test_without_projections_the_list_says_so(run, backend):
    ended = run("projections", "list")
    assert (ended.status, ended.out) == (0, "")
    assert ended.err == (
        "No projection has run yet. To run one: dynamo-es projections run MODULE:NAME\n"
    )


# Rebuilding


def test_a_rebuild_clears_the_read_model_and_handles_everything_again(run, stored, program):
    run("projections", "run", f"{program}:resettable", "--once")
    rows_of(program).append("wrong")

    ended = run("rebuild", f"{program}:resettable", stdin=b"y\n")

    assert ended.status == 0
    assert ended.err.startswith(
        "Rebuild resettable from 4 positions of the log? The handler's reset() clears its read "
        "model. Stop the projection's process first."
    )
    assert ended.err.endswith("resettable: 4 events handled, at position 4, lag 0.\n")
    assert rows_of(program) == [1, 2, 3, 4]


def test_a_rebuild_without_reset_says_what_to_clear(run, stored, program):
    run("projections", "run", f"{program}:drawn", "--once")
    ended = run("rebuild", f"{program}:drawn", stdin=b"n\n")
    assert (ended.status, rows_of(program)) == (1, [1, 2, 3, 4])
    assert "has no reset(), so clear its read model yourself first." in ended.err
    assert "Nothing was changed. To skip the question: --yes" in ended.err

    assert run("rebuild", f"{program}:drawn", "--yes", "--json").status == 0
    assert rows_of(program) == [1, 2, 3, 4, 1, 2, 3, 4]


def test_a_projection_that_never_ran_is_built(run, stored, program):
    assert run("rebuild", f"{program}:resettable", "--yes").status == 0
    assert rows_of(program) == [1, 2, 3, 4]


@pytest.mark.parametrize("during", ["reset", "run"])
def test_an_interrupted_rebuild_says_so_and_leaves_no_event_out(run, stored, program, during):
    run("projections", "run", f"{program}:drawn", "--once")
    module = module_of(program)

    def interrupt(*_):
        if during == "reset" or len(module.rows) == 1:
            signal.raise_signal(signal.SIGINT)

    module.rows.clear()
    module.handler = lambda recorded: (module.rows.append(recorded.position), interrupt())[0]
    if during == "reset":
        module.handler.reset = interrupt

    ended = run("rebuild", f"{program}:drawn", "--yes")

    assert ended.status == 130
    assert "The read model is not complete. To start over: dynamo-es rebuild" in ended.err
    assert stored.checkpoints.position("drawn") == len(module.rows)
    assert len(module.rows) < 4


def test_a_rebuild_that_another_process_overtakes_fails(run, stored, program):
    run("projections", "run", f"{program}:drawn", "--once")
    module = module_of(program)
    module.drawn = lambda backend: backend.projection(
        "drawn", module.handler, keep_unknown=True, batch_size=1
    )
    module.handler = lambda recorded: stored.checkpoints.move("drawn", 3)

    ended = run("rebuild", f"{program}:drawn", "--yes")

    assert ended.status == 1
    assert "Another process is running drawn: the rebuilt read model lacks the events" in ended.err


def test_a_projection_is_not_rebuilt_while_a_worker_runs_it(run, stored, program):
    run("projections", "run", f"{program}:drawn", "--once")
    checkpoints = stored.checkpoints
    checkpoints.take("drawn", "host:7-abcd", checkpoints.look("drawn"), 90_000, 60_000)

    ended = run("rebuild", f"{program}:drawn", "--yes")

    assert (ended.status, rows_of(program)) == (1, [1, 2, 3, 4])
    assert "Worker host:7-abcd is running drawn. Stop it, then rebuild." in ended.err
    run("checkpoints", "reset", "drawn", "--yes")
    assert run("rebuild", f"{program}:drawn", "--yes").status == 0


def test_a_projector_is_not_rebuilt_in_vain(run, stored, program):
    ended = run("rebuild", f"{program}:of_streams", "--yes")
    assert ended.status == 1
    assert "The handler of of_streams is a projector. Its cursors pass over" in ended.err


# Progress


def test_progress_is_told(run, stored, program, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    ended = run("rebuild", f"{program}:drawn", "--yes")
    assert "position 4 of 4, 4 events handled" in ended.err.splitlines()


def test_the_rest_is_estimated():
    seconds = iter([0.0, 1.0, 11.0])
    pace = Pace(lambda: next(seconds))
    first = pace.describe(ProjectionReport(name="a", position=0, last_position=3000, handled=1))
    later = pace.describe(
        ProjectionReport(name="a", position=1100, last_position=3300, handled=1001)
    )
    assert first == "position 0 of 3,000, 1 event handled"
    assert later == (
        "position 1,100 of 3,300, 1,001 events handled, 100 positions a second, 0:00:22 left"
    )
