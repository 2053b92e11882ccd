"""Given events, project, then rows."""

from __future__ import annotations

import pytest

from dynamo_es import Recorded, StreamId
from dynamo_es.exceptions import AsynchronousFunctionError
from dynamo_es.testing import given
from tests.event_store.accounts import Deposited, Opened

ANN = StreamId(name="ann", category="account")
BOB = StreamId(name="bob", category="account")


def amount(recorded: Recorded) -> tuple[str | None, int] | None:
    event = recorded.wrapped_event.event
    return (recorded.stream_id.name, event.amount) if isinstance(event, Deposited) else None


def test_rows_are_what_the_handler_returns():
    (
        given(Opened(owner="ann"), Deposited(amount=5), stream=ANN)
        .also(Deposited(amount=7), stream=BOB)
        .also(Deposited(amount=1), stream=ANN)
        .project(amount)
        .then(("ann", 5), ("bob", 7), ("ann", 1))
        .then([("ann", 5), ("bob", 7), ("ann", 1)])
    )


def test_events_may_come_as_a_list():
    given([Deposited(amount=5), Deposited(amount=6)], stream="ann").project(amount).then(
        ("ann", 5), ("ann", 6)
    )


def test_rows_may_be_those_of_a_read_model():
    balances: dict[str | None, int] = {}

    def count(recorded: Recorded) -> None:
        event = recorded.wrapped_event.event
        name = recorded.stream_id.name
        if isinstance(event, Deposited):
            balances[name] = balances.get(name, 0) + event.amount

    projected = given(Deposited(amount=5), stream=ANN).project(count, rows=lambda: balances)
    projected.then({"ann": 5})
    with pytest.raises(AssertionError, match=r"> *1 {'ann': 6} *\| {'ann': 5}"):
        projected.then({"ann": 6})
    with pytest.raises(AssertionError, match="10"):
        projected.again().then({"ann": 5})


def test_a_projection_may_choose_its_events():
    given(Opened(owner="ann"), Deposited(amount=5)).project(
        lambda recorded: type(recorded.wrapped_event.event).__name__, events=[Opened]
    ).then("Opened")


def test_missing_rows_fail():
    with pytest.raises(AssertionError, match=r"> *2 'b'"):
        given(Opened(owner="ann")).project(lambda _: "a").then("a", "b")


def test_an_error_of_the_handler_is_raised():
    def broken(recorded: Recorded) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        given(Opened(owner="ann")).project(broken)


def test_a_coroutine_is_refused():
    async def handler(recorded: Recorded) -> None: ...

    with pytest.raises(AsynchronousFunctionError):
        given(Opened(owner="ann")).project(handler)


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        (1, 1.0),
        (1, True),
        (("ann", 1), ("ann", 1.0)),
        ({"ann": 1}, {"ann": True}),
        (["ann", [1]], ["ann", [1.0]]),
    ],
)
def test_a_number_of_another_type_is_another_row(row, wrong):
    projected = given(Opened(owner="ann")).project(lambda _: row)

    projected.then([row])
    with pytest.raises(AssertionError, match="other rows"):
        projected.then([wrong])
