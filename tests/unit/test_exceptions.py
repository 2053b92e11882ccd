"""The tree of errors matches its drawing, and each message says what to do."""

import ast
import inspect
import re
from pathlib import Path
from uuid import UUID, uuid4

import pytest

import dynamo_es
from dynamo_es import StreamId, exceptions
from dynamo_es.exceptions import EventStoreError, describe_stream

LINE = re.compile(r"^(?P<indent>[│ ]*)(?:[├└]── )?(?P<name>[A-Z]\w+)(?P<note>.*)$")


def drawn_tree():
    """Return each class of the drawing with its parent's name."""
    drawing = inspect.cleandoc(exceptions.__doc__).split("::\n", 1)[1].split("\n\nEach", 1)[0]
    parents, path = {}, {}
    for line in filter(str.strip, drawing.splitlines()):
        match = LINE.match(line.removeprefix("    "))
        assert match, line
        depth = (match.start("name")) // 4
        path[depth] = match["name"]
        parents[match["name"]] = path.get(depth - 1)
    return parents


def classes():
    return {
        name: value
        for name, value in vars(exceptions).items()
        if inspect.isclass(value) and value.__module__ == exceptions.__name__
    }


def test_every_class_is_drawn_and_every_drawn_class_is_there():
    assert set(drawn_tree()) == set(classes())


@pytest.mark.parametrize(("name", "parent"), drawn_tree().items())
def test_class_hangs_where_it_is_drawn(name, parent):
    bases = [base.__name__ for base in classes()[name].__mro__[1:]]

    assert bases[0] == (parent or "Exception")


def test_there_is_one_base():
    assert all(issubclass(error, EventStoreError) for error in classes().values())
    assert drawn_tree()["EventStoreError"] is None


def test_input_errors_are_value_errors_and_no_others_are():
    for error in classes().values():
        assert issubclass(error, ValueError) == issubclass(error, exceptions.InputError)


def test_every_class_says_what_it_means():
    assert all(inspect.getdoc(error) for error in classes().values())


def raised_anywhere():
    """Return the names of all exceptions that the package raises with a call."""
    names = set()
    for path in Path(dynamo_es.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                names.add(ast.unparse(node.exc.func).rpartition(".")[2])
    return names


def test_a_conflict_of_several_streams_names_each():
    four = {uuid4(): exceptions.ConcurrentStreamWriteError(uuid4(), 1, at) for at in (2, 3, 4, 5)}

    text = str(exceptions.AppendAllConflictError(four))

    assert text.startswith("4 streams of the call have changed. Stream ")
    assert [f"it is at {at}" in text for at in (2, 3, 4, 5)] == [True, True, True, False]
    assert text.endswith(" And 1 more. Nothing was written to any stream.")


def test_package_raises_no_bare_exception():
    assert not {"Exception", "RuntimeError", "BaseException"} & raised_anywhere()


STREAM, OTHER = uuid4(), uuid4()
CONFLICT = exceptions.ConcurrentStreamWriteError(OTHER, 2, 0)
EXAMPLES = {
    exceptions.ConcurrentStreamWriteError(STREAM, 2, 0): {
        "stream_id": str(STREAM),
        "expected": 2,
        "actual": 0,
    },
    exceptions.ExpectedVersionUsedOnVersionlessStream(STREAM): {"stream_id": str(STREAM)},
    exceptions.NoExpectedVersionGivenOnVersionedStream(STREAM): {"stream_id": str(STREAM)},
    exceptions.SnapshotAheadOfStreamError(STREAM, 7, 3): {
        "stream_id": str(STREAM),
        "snapshot_version": 7,
        "stream_version": 3,
    },
    exceptions.AppendOutcomeUnknownError(STREAM, 4, "Lost."): {
        "stream_id": str(STREAM),
        "expected": 4,
    },
    exceptions.AppendOutcomeUnknownError(STREAM, None, "Lost."): {"expected": None},
    exceptions.AppendsFailedError((STREAM, OTHER), (3, CONFLICT)): {
        "results": (3, CONFLICT),
        "errors": {OTHER: CONFLICT},
        "stored": {STREAM: 3},
    },
    exceptions.AppendAllConflictError({OTHER: CONFLICT}): {
        "conflicts": {OTHER: CONFLICT},
        "stream_id": str(OTHER),
        "expected": 2,
        "actual": 0,
    },
    exceptions.InvalidEventError(STREAM, "wrong."): {"stream_id": str(STREAM)},
    exceptions.CommitTooLargeError(STREAM, 9, 5, "too large."): {"size": 9, "limit": 5},
    exceptions.StreamGapError(STREAM, 5): {"stream_id": str(STREAM), "version": 5},
    exceptions.StoredItemError("a#b#c", 3, "Odd."): {"stream_key": "a#b#c", "version": 3},
    exceptions.MissingExtraError("local", "This"): {"extra": "local"},
    exceptions.EncryptedFieldError("Opened", "email", "wrong."): {
        "event": "Opened",
        "field": "email",
    },
    exceptions.NoSubjectIdFound(STREAM, "Opened", "/email"): {
        "stream_id": str(STREAM),
        "event": "Opened",
        "field": "/email",
    },
    exceptions.DecryptionError(STREAM, "/email"): {"stream_id": str(STREAM), "field": "/email"},
    exceptions.ThrottledError("PutItem", "Slow", "Too much.", "s", ("None", "Slow")): {
        "operation": "PutItem",
        "code": "Slow",
        "subject": "s",
        "reasons": ("None", "Slow"),
    },
}


@pytest.mark.parametrize(
    ("error", "attributes"), EXAMPLES.items(), ids=lambda value: type(value).__name__
)
def test_error_carries_what_a_handler_needs_and_says_it(error, attributes):
    assert {name: getattr(error, name) for name in attributes} == attributes
    for name, value in attributes.items():
        if isinstance(value, (str, int)) and name not in {"limit", "size"}:
            assert str(value) in str(error)


def test_a_call_that_failed_in_part_says_how_many_failed_and_why():
    text = str(exceptions.AppendsFailedError((STREAM, OTHER, STREAM), (3, CONFLICT, CONFLICT)))

    assert text.startswith("2 of 3 appends failed; the others are stored.")
    assert text.endswith(str(CONFLICT))


def test_a_call_that_failed_as_a_whole_speaks_of_no_stored_append():
    text = str(exceptions.AppendsFailedError((STREAM,), (CONFLICT,)))

    assert text.startswith("1 of 1 appends failed. `errors` has")
    assert "stored" not in text.removesuffix(str(CONFLICT))


def test_version_0_is_a_version_in_messages():
    text = str(exceptions.ConcurrentStreamWriteError(STREAM, 0, 3))

    assert "expected version 0" in text
    assert "at 3" in text


ID = UUID(int=7)


@pytest.mark.parametrize(
    ("stream_id", "text"),
    [
        ("a stream", "a stream"),
        (ID, str(ID)),
        (StreamId(ID), str(ID)),
        (StreamId(ID, category=""), f"{ID} (category '')"),
        (
            StreamId(name="acc-1", category="Account"),
            f"{StreamId(name='acc-1')!s} (category 'Account', name 'acc-1')",
        ),
        (StreamId(name="a\nb"), f"{StreamId(name='a' + chr(10) + 'b')!s} (name 'a\\nb')"),
        (StreamId(ID, category="x" * 900), f"{ID} (category '{'x' * 78}…)"),
    ],
)
def test_a_stream_is_named_by_its_uuid_and_its_category_and_name(stream_id, text):
    assert describe_stream(stream_id) == text


NAMED = StreamId(name="acc-1", category="Account")


@pytest.mark.parametrize(
    "error",
    [
        exceptions.InvalidEventError(NAMED, "so."),
        exceptions.CommitTooLargeError(NAMED, 2, 1, "so."),
        exceptions.ConcurrentStreamWriteError(NAMED, 1, 2),
        exceptions.EnlistedWriteRefusedError(NAMED, 0, None),
        exceptions.CursorBusyError("balances", NAMED),
        exceptions.ExpectedVersionUsedOnVersionlessStream(NAMED),
        exceptions.NoExpectedVersionGivenOnVersionedStream(NAMED),
        exceptions.SnapshotAheadOfStreamError(NAMED, 2, 1),
        exceptions.AppendOutcomeUnknownError(NAMED, 1, "so."),
        exceptions.StreamGapError(NAMED, 1),
        exceptions.UnknownEventError(NAMED, 1, "opened"),
        exceptions.NewerSchemaError(NAMED, 1, "opened", stored=2, known=1),
        exceptions.CommandDecidedError(NAMED, "c", 1, ()),
        exceptions.NoSubjectIdFound(NAMED, "Opened", "/owner"),
        exceptions.DecryptionError(NAMED, "/owner"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_a_stream_names_it_in_its_message_and_keeps_the_uuid(error):
    assert f"{NAMED} (category 'Account', name 'acc-1')" in str(error)
    assert error.stream_id == str(NAMED)


def test_hint_takes_the_place_of_the_usual_advice():
    usual = exceptions.ConcurrentStreamWriteError(STREAM, 1, 2)
    hinted = exceptions.ConcurrentStreamWriteError(STREAM, 1, 2, "Another generation.")

    assert str(usual).endswith("append again.")
    assert str(hinted).endswith("Another generation.")


LOST = "an attempt of the append got no reply."
UNKNOWN = f"Stream {NAMED} (category 'Account', name 'acc-1'): the events may be stored or not: "
REPEAT = (
    "Repeat the call with the same events (same UUIDs) and the same expected version: it is safe, "
    "because events that are stored already are not stored again."
)
LOOK = (
    "Load the stream and look for the UUIDs of your events. Only if they are missing, append the "
    "events again, with the same UUIDs."
)


@pytest.mark.parametrize(("expected", "advice"), [(0, REPEAT), (None, LOOK)])
def test_an_unknown_outcome_says_what_happened_and_how_to_find_out(expected, advice):
    error = exceptions.AppendOutcomeUnknownError(NAMED, expected, LOST)

    assert str(error) == f"{UNKNOWN}{LOST} {advice}"


def test_a_position_after_the_end_of_the_log_says_where_to_start():
    assert str(exceptions.InvalidPositionError(9, 5)) == (
        "Position 9 does not exist: the log ends at 5. Start after position 5 or before it. If a "
        "consumer saved 9, it has read another log, or this log was restored from a backup: "
        "reset the consumer's checkpoint."
    )
