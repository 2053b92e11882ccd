"""Errors keep their attributes through pickle, copies and other processes."""

from __future__ import annotations

import copy
import importlib
import inspect
import multiprocessing
import pickle
import pkgutil
from concurrent.futures import ProcessPoolExecutor
from threading import Lock
from typing import Any, Final
from uuid import UUID

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

import dynamo_es
from dynamo_es import RawEvent, StreamId
from dynamo_es.dynamodb.wire.errors import translate
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    ConcurrentStreamWriteError,
    EventStoreError,
    InvalidPositionError,
    InvalidStreamIdError,
    UnavailableError,
)
from dynamo_es.portable import RemoteError
from dynamo_es.testing.conformance.language import an_event

STREAM = StreamId(name="order 1", category="Order")
SAMPLES: dict[str, Any] = {
    "int": 3,
    "int | None": 0,
    "str": "text",
    "bool": True,
    "object": STREAM,
    "UUID": UUID(int=7),
    "list[str]": ["a", "b"],
    "tuple[str, ...]": ("None", "Conflict"),
    "tuple[Any, ...]": (1, "two"),
    "frozenset[int]": frozenset({1}),
    "list[Item | None]": [None, {"id": {"S": "x"}}],
    "EventStoreError": EventStoreError("inner"),
    "Mapping[Any, ConcurrentStreamWriteError]": {STREAM: ConcurrentStreamWriteError(STREAM, 2, 3)},
}
"""A value for each annotation of an error's parameters."""

NEEDS_NODE: Final = {"dynamo_es.cdk"}
"""Packages whose extra is not installed here; the other modules are all looked at."""


def _may_need_node(package: str) -> None:
    assert package in NEEDS_NODE, f"{package} cannot be imported"


def exceptions_of_the_package() -> list[type[Exception]]:
    """Return every exception class that a module of the package defines."""
    found = pkgutil.walk_packages(dynamo_es.__path__, "dynamo_es.", onerror=_may_need_node)
    names = [each.name for each in found if not each.name.endswith("__main__")]
    modules = [importlib.import_module(name) for name in names if name not in NEEDS_NODE]
    return [
        value
        for module in modules
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and issubclass(value, Exception)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]


def an_example(kind: type[Exception]) -> Exception:
    """Make an error of that class, with an argument of the right kind for each parameter."""
    if kind.__init__ in {Exception.__init__, ValueError.__init__}:
        return kind("text")
    positional, named = [], {}
    for parameter in inspect.signature(kind).parameters.values():
        value = SAMPLES.get(parameter.annotation, {"id": {"S": "x"}})
        if parameter.kind is parameter.VAR_KEYWORD:
            named["another"] = 1
        elif parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = value
        else:
            positional.append(value)
    return kind(*positional, **named)


def pickled(error):
    return pickle.loads(pickle.dumps(error))  # noqa: S301 - its own


WAYS = {"pickle": pickled, "copy": copy.copy, "deepcopy": copy.deepcopy}


def assert_same_error(again: BaseException, error: BaseException) -> None:
    assert type(again) is type(error)
    assert again is not error
    assert str(again) == str(error)
    assert again.args == error.args
    ours, theirs = dict(vars(error)), dict(vars(again))
    for name, value in ours.items():
        if isinstance(value, Exception):
            assert str(theirs[name]) == str(value)
        elif isinstance(value, dict):
            assert {key: str(each) for key, each in theirs[name].items()} == {
                key: str(each) for key, each in value.items()
            }
        else:
            assert theirs[name] == value
    assert ours.keys() == theirs.keys()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("kind", exceptions_of_the_package(), ids=lambda kind: kind.__name__)
def test_error_comes_back_with_message_attributes_notes_and_cause(kind, way):
    error = an_example(kind)
    error.__cause__ = ValueError("the reason")
    error.add_note("a note")

    again = way(error)

    assert_same_error(again, error)
    assert again.__notes__ == ["a note"]
    if isinstance(error, EventStoreError):
        assert str(again.__cause__) == "the reason"
        assert again.__suppress_context__ is True


def test_walk_finds_every_class_of_the_tree():
    found = set(exceptions_of_the_package())

    def walk(kind):
        for sub in kind.__subclasses__():
            yield sub
            yield from walk(sub)

    assert len(found) > 40
    assert {kind for kind in walk(EventStoreError) if kind.__module__.startswith("dynamo_es")} <= (
        found
    )


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_of_pickle_takes_a_conflict(protocol):
    winning: tuple[RawEvent, ...] = (an_event(STREAM),)
    error = ConcurrentStreamWriteError(STREAM, 1, 2, winning=winning)

    again = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301 - its own

    assert (again.stream_id, again.expected, again.actual) == (str(STREAM), 1, 2)
    assert again.winning == winning
    assert again.winning[0].stream_id.name == "order 1"


def test_cause_of_botocore_is_kept_at_least_as_text():
    reply: Any = {
        "Error": {"Code": "InternalServerError", "Message": "It broke"},
        "ResponseMetadata": {"HTTPStatusCode": 500},
    }
    for cause in (
        ClientError(reply, "PutItem"),
        ReadTimeoutError(endpoint_url="https://x", error=Lock()),
    ):
        error = translate(cause, "PutItem", "orders")
        error.__cause__ = cause

        again = pickled(error)

        assert type(again) is UnavailableError
        assert again.operation == "PutItem"
        assert str(cause) in str(again.__cause__)


def test_cause_that_cannot_be_pickled_is_its_class_and_text():
    class LocalError(Exception):
        pass

    error = InvalidStreamIdError("wrong")
    error.__cause__ = LocalError("only here")

    again = pickled(error)

    assert isinstance(again.__cause__, RemoteError)
    assert "LocalError: only here" in str(again.__cause__)
    assert pickled(again).__cause__.kind == again.__cause__.kind
    assert copy.copy(error).__cause__ is error.__cause__


def test_context_that_is_hidden_stays_behind_and_a_shown_one_comes_along():
    def failing(*, hidden):
        try:
            int("before")
        except ValueError as before:
            if hidden:
                raise InvalidStreamIdError("after") from None
            raise InvalidStreamIdError("after") from before

    with pytest.raises(InvalidStreamIdError) as shown:
        failing(hidden=False)
    with pytest.raises(InvalidStreamIdError) as hidden:
        failing(hidden=True)

    assert "'before'" in str(pickled(shown.value).__cause__)
    assert pickled(hidden.value).__context__ is None


def test_attribute_that_cannot_be_pickled_is_its_text():
    lock = Lock()
    error = InvalidPositionError(lock)

    again = pickled(error)

    assert again.position == repr(lock)
    assert str(again) == str(error)
    assert copy.deepcopy(error).position is lock


def test_chain_of_causes_comes_through_whole_however_long():
    error: EventStoreError = InvalidStreamIdError("0")
    for number in range(1, 40):
        nxt = InvalidStreamIdError(str(number))
        nxt.__cause__ = error
        error = nxt
    error.__cause__.__cause__.__cause__ = error  # type: ignore[union-attr]  # a ring, which Python allows

    again = pickled(error)

    assert str(again.__cause__.__cause__) == "37"
    assert again.__cause__.__cause__.__cause__ is again


def refuse(number: int) -> None:
    raise AppendOutcomeUnknownError(STREAM, number, "Lost.") from TimeoutError("no reply")


def conflict(number: int) -> None:
    raise ConcurrentStreamWriteError(STREAM, number, number + 1)


@pytest.fixture(scope="module")
def spawning():
    return multiprocessing.get_context("fork")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_error_of_a_worker_process_reaches_the_caller(spawning):
    with ProcessPoolExecutor(1, mp_context=spawning) as workers:
        with pytest.raises(ConcurrentStreamWriteError) as caught:
            workers.submit(conflict, 4).result(timeout=20)
        with pytest.raises(AppendOutcomeUnknownError) as unknown:
            workers.submit(refuse, 4).result(timeout=20)
        assert workers.submit(abs, -1).result(timeout=20) == 1, "the pool is not broken"

    assert (caught.value.expected, caught.value.actual) == (4, 5)
    assert "no reply" in str(unknown.value.__cause__)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_error_of_a_pool_does_not_hang_it(spawning):
    with spawning.Pool(1) as pool:
        with pytest.raises(ConcurrentStreamWriteError, match="at 2"):
            pool.apply_async(conflict, (1,)).get(timeout=20)
        assert pool.apply_async(abs, (-1,)).get(timeout=20) == 1
