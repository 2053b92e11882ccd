"""Reads many items by key, or carries out many statements, and repeats those that were left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from dynamo_es.dynamodb.wire.errors import (
    MAYBE_LANDED,
    ConditionRefused,
    OutcomeUnknown,
    statement_outcome,
)
from dynamo_es.dynamodb.wire.partiql.statements import MAX_STATEMENTS, execute
from dynamo_es.dynamodb.wire.sizes import value_size
from dynamo_es.dynamodb.wire.steps import Pause, good, together
from dynamo_es.exceptions import ContentionError, EventStoreError, ThrottledError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from dynamo_es.dynamodb.wire.steps import Item, Request, Response, Steps

StatementOutcome: TypeAlias = "ConditionRefused | OutcomeUnknown | Exception | None"
"""The outcome of a statement; None: it was carried out."""

MAX_KEYS: Final = 100
"""The most keys of one ``BatchGetItem``."""
_MOST_READS: Final = 10
MAX_BATCH_BYTES: Final = 1024 * 1024
"""The most bytes of the parameters of one batch, if it has more than one statement."""


def fetch_all(
    table: str, keys: Sequence[Item], request: Callable[[Sequence[Item]], Request]
) -> Steps[list[Item]]:
    """Return the items that exist, in no particular order.

    Args:
        table: name of the table.
        keys: keys of the items, without repetitions.
        request: builds the ``BatchGetItem`` for up to 100 keys.

    Raises:
        ThrottledError: DynamoDB left keys out ten times in a row.
    """
    items: list[Item] = []
    left = list(keys)
    attempt = fruitless = 0
    while left:
        replies = yield from _read_at_once(left, request)
        found = [item for reply in replies for item in reply["Responses"].get(table, [])]
        items += found
        left = [
            key
            for reply in replies
            for key in reply.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        ]
        if left:
            attempt += 1
            fruitless = 0 if found else fruitless + 1
            yield Pause(attempt, throttled=True)
        if fruitless == _MOST_READS:
            raise ThrottledError(
                "BatchGetItem",
                "UnprocessedKeys",
                f"DynamoDB left out keys {fruitless} times in a row.",
                table,
            )
    return items


def _read_at_once(
    keys: Sequence[Item], request: Callable[[Sequence[Item]], Request]
) -> Steps[list[Response]]:
    """Send the requests for the keys at once, and return their replies.

    Raises:
        ServiceError: one of the requests failed.
    """
    if len(keys) <= MAX_KEYS:
        return [(yield request(keys))]
    starts = range(0, len(keys), MAX_KEYS)
    return good((yield from together(request(keys[start : start + MAX_KEYS]) for start in starts)))


def execute_all(
    statements: Sequence[Mapping[str, Any]], subject: str
) -> Steps[list[StatementOutcome]]:
    """Carry out conditional writes, 25 in a request and several requests at once.

    DynamoDB carries out each statement separately, in any order. Statements that it throttles are
    sent again, after a pause, until the deadline.

    Args:
        statements: the statements, each for a different item.
        subject: stream or table, for errors.

    Returns:
        The outcome of each statement, in order. `ConditionRefused`: another item is stored there,
        or (``maybe_landed``) the item of an earlier attempt of this statement. `OutcomeUnknown`:
        the statement may have been carried out, or may be later. An `EventStoreError`: it was not
        carried out.

    Cost: 1 request for 25 statements, or for 1 MB, and the write units of each statement.
    """
    outcomes: list[StatementOutcome] = [None] * len(statements)
    left = list(range(len(statements)))
    attempt = 0
    while left:
        batches = list(_batches(left, statements))
        replies = yield from together(
            execute([statements[place] for place in batch]) for batch in batches
        )
        left = []
        throttled = False
        for batch, reply in zip(batches, replies, strict=True):
            if isinstance(reply, Exception):
                for place in batch:
                    outcomes[place] = _after(outcomes[place], reply)
                continue
            for place, answer in zip(batch, reply["Responses"], strict=True):
                outcome = statement_outcome(answer, subject, maybe_landed=MAYBE_LANDED in reply)
                if isinstance(outcome, _PASSING):
                    left.append(place)
                    throttled = throttled or isinstance(outcome, ThrottledError)
                outcomes[place] = _after(outcomes[place], outcome)
        if left:
            attempt += 1
            try:
                yield Pause(attempt, throttled)
            except (ThrottledError, ContentionError):
                break  # the deadline has passed, and each outcome has its own reason
    return outcomes


_PASSING: Final = (ThrottledError, ContentionError, OutcomeUnknown)
"""Outcomes of a statement that another attempt may change."""


def _batches(places: Sequence[int], statements: Sequence[Mapping[str, Any]]) -> Iterator[list[int]]:
    batch: list[int] = []
    size = 0
    for place in places:
        bytes_of = sum(map(value_size, statements[place]["Parameters"]))
        if batch and (len(batch) == MAX_STATEMENTS or size + bytes_of > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(place)
        size += bytes_of
    if batch:
        yield batch


def _after(before: StatementOutcome, outcome: StatementOutcome) -> StatementOutcome:
    """Return the outcome of a statement, given the outcome of its previous attempt."""
    if isinstance(before, OutcomeUnknown):  # the previous attempt may have been carried out
        if isinstance(outcome, EventStoreError):
            return OutcomeUnknown(outcome)
        if isinstance(outcome, ConditionRefused):
            return ConditionRefused(outcome.items, maybe_landed=True)
    return outcome
