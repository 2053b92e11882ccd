"""Appends to many streams at once, each independently.

Every append runs its ordinary algorithm, side by side with the others. Their reads are sent at
once, and their puts become ``INSERT`` statements, 25 in a request. DynamoDB carries out each
statement separately, and bills it like a put. An ``INSERT`` fails if any item exists there, even a
fence of an earlier generation, and does not return that item. So after a refusal the ordinary put
follows, and the append decides as usual.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dynamo_es.dynamodb.streams.requests import is_commit_put
from dynamo_es.dynamodb.wire.batches import execute_all
from dynamo_es.dynamodb.wire.errors import ConditionRefused, OutcomeUnknown
from dynamo_es.dynamodb.wire.parallel.side_by_side import side_by_side
from dynamo_es.dynamodb.wire.partiql.statements import insert
from dynamo_es.dynamodb.wire.steps import together
from dynamo_es.exceptions import (
    ContentionError,
    EventStoreError,
    ServiceError,
    ThrottledError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.contracts.appends import AppendResult
    from dynamo_es.dynamodb.streams.appending.append import Append
    from dynamo_es.dynamodb.wire.steps import Request, Response, Steps

AT_ONCE: Final = 200
"""How many streams are appended to at a time. Their events are in memory in the stored form."""


def append_to_many(appends: Sequence[Append]) -> Steps[list[AppendResult]]:
    """Carry out each append independently; return the result or the error of each, in order.

    Appends to the same stream run in their order. After a `ServiceError`, appends that have not
    begun get the same error without a try, because they would fail in the same way.
    """
    if len(appends) == 1:
        return (yield from _in_order(appends, _Outage()))
    places: dict[str, list[int]] = {}
    for place, append in enumerate(appends):
        places.setdefault(append.stream.key, []).append(place)
    outage = _Outage()
    of_streams = (_in_order([appends[place] for place in own], outage) for own in places.values())
    found = yield from side_by_side(of_streams, AT_ONCE, _Sender().send)
    results: list[AppendResult] = [None] * len(appends)
    for own, of_stream in zip(places.values(), found, strict=True):
        for place, result in zip(own, of_stream, strict=True):
            results[place] = result
    return results


@dataclass(slots=True)
class _Outage:
    """The error after which no further append is tried; None: no such error yet."""

    error: ServiceError | None = None


def _in_order(appends: Sequence[Append], outage: _Outage) -> Steps[list[AppendResult]]:
    """Run the appends to one stream, one after the other."""
    results: list[AppendResult] = []
    for append in appends:
        if outage.error is not None:
            results.append(outage.error)
            continue
        try:
            results.append((yield from append.run()))
        except OutcomeUnknown as unknown:
            results.append(unknown.error)
        except Exception as error:  # noqa: BLE001 - the others continue, and the caller gets it
            results.append(error)
        if isinstance(results[-1], ServiceError):
            outage.error = results[-1]
    return results


@dataclass(slots=True)
class _Sender:
    """Sends the requests of many appends at once.

    Attributes:
        taken: keys in the events table at which an ``INSERT`` found an item.
    """

    taken: set[tuple[str, str]] = field(default_factory=set)

    def send(self, requests: Sequence[Request]) -> Steps[list[Response | Exception]]:
        """Send requests; return the reply or the error of each, as if it had been sent alone."""
        inserts = [place for place, each in enumerate(requests) if self._can_be_inserted(each)]
        if len(inserts) < 2:  # noqa: PLR2004 - a single put returns the item that refuses it
            return (yield from together(requests))
        answers: dict[int, Response | Exception] = {}
        refused: dict[int, bool] = {}
        params = [requests[place].params for place in inserts]
        statements = [insert(each["TableName"], each["Item"]) for each in params]
        outcomes = yield from execute_all(statements, f"table {params[0]['TableName']!r}")
        for place, outcome in zip(inserts, outcomes, strict=True):
            if isinstance(outcome, ConditionRefused):
                self.taken.add(_place_of(requests[place]))
                refused[place] = outcome.maybe_landed
            elif not isinstance(outcome, (ThrottledError, ContentionError)):  # the SDK tries longer
                answers[place] = {} if outcome is None else outcome
        others = [place for place in range(len(requests)) if place not in answers]
        replies = yield from together(requests[place] for place in others)
        for place, reply in zip(others, replies, strict=True):
            maybe_landed = refused.get(place)
            answers[place] = reply if maybe_landed is None else _after_insert(reply, maybe_landed)
        return [answers[place] for place in range(len(requests))]

    def _can_be_inserted(self, request: Request) -> bool:
        return is_commit_put(request) and _place_of(request) not in self.taken


def _place_of(request: Request) -> tuple[str, str]:
    item = request.params["Item"]
    return item["stream_key"]["S"], item["version"]["N"]


def _after_insert(
    reply: Response | Exception,
    maybe_landed: bool,  # noqa: FBT001 - one of two facts
) -> Response | Exception:
    """Return the outcome of a put whose ``INSERT`` was refused before.

    If the put returns the item that refuses it, the append decides. If not, the item may be the
    append's own, because the network may have delivered the ``INSERT`` twice.
    """
    if isinstance(reply, ConditionRefused):
        return ConditionRefused(reply.items, maybe_landed=maybe_landed or reply.maybe_landed)
    return OutcomeUnknown(reply) if isinstance(reply, EventStoreError) else reply
