"""Read models of single streams, from the events table's stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dynamo_es.aws_lambda.starting import prepare_in_function
from dynamo_es.aws_lambda.stream_read_models_handler import ROLE, StreamsHandler
from dynamo_es.contracts.checks.functions import refuse_asynchronous
from dynamo_es.exceptions import InvalidSubscriptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import timedelta

    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.facade.backend import Backend
    from dynamo_es.projections.failure_policy import OnFailure
    from dynamo_es.projections.projector import ReadModel


def project_streams(  # noqa: PLR0913 - options, each by its name
    backend: Backend,
    name: str,
    *,
    category: str | None = None,
    events: Iterable[type[Event]] | None = None,
    keep_unknown: bool = False,
    lease: timedelta | float = 60.0,
    margin: timedelta | float | None = None,
    on_failure: OnFailure = "stop",
    writes: bool = False,
) -> Callable[[Callable[[Recorded], object]], StreamsHandler]:
    """Turn a function into a Lambda handler that applies the events of each stream, in order.

    Put the handler on the events table's stream::

        @project_streams(backend, "balances", category="account")
        def handler(recorded: Recorded) -> None: ...

    It calls your function with a `Recorded` for each event, once, and in the order of versions
    within a stream, even if Lambda delivers records late, twice or in parts. The log table keeps a
    cursor for each stream. The event's position is 0, because the events table does not store it.

    If your function raises, the rest of that stream waits for the next call, and other streams go
    on. A commit that a newer release wrote waits until that release runs here. If the process dies,
    a later call applies some events of that stream again, once the lease has ended. Your function
    must tolerate that: compare the event's version or uuid, or use ``writes=True``.

    Args:
        backend: a `DynamoBackend`; from `Backend.in_tenant`, only that tenant's events are applied.
        name: name of the read model. Its cursors are stored under it. Text of at most 255 bytes
            without ``#``.
        category: apply only events of streams in this category.
        events: apply only events of these classes and their subclasses, under their names and
            aliases. Other events are passed over and need no class.
        keep_unknown: pass an event whose name no class has as an `UnknownEvent`.
        lease: how long a call keeps other calls out of a stream, a timedelta or seconds; longer
            than your function takes for one event.
        margin: how long before the function's end to stop, a timedelta or seconds; None: a fifth
            of its time, at most 5 s.
        on_failure: what to do with an event that your function fails on. ``"stop"``: its stream
            waits, and Lambda reads nothing after its record. ``"park"``: after three failures the
            stream is parked and listed, and its shard continues; call ``retry_parked`` of the
            handler later. ``"skip"``: after three failures the event is listed and left out. With a
            `FailurePolicy` you choose the number of failures.
        writes: True: your function returns `Writes`, or a list in boto3's ``TransactItems`` form.
            The writes of a stream's events are carried out in one transaction with its cursor, so
            each is applied exactly once.

    Raises:
        InvalidEnlistedWriteError: ``writes`` on a `MemoryBackend`, which has no tables.
        InvalidSubscriptionError: a wrong filter, lease, policy or function, such as an
            asynchronous one.
        EventDefinitionError: a class that is not an event class that can be stored.
        InvalidConsumerError: a name that cannot be part of a key.

    Cost: 2 requests for each stream in a batch, and 1 more if events before the first one are
    missing. With ``writes``, 1 more for each transaction.
    """
    selection = backend.chooser(category, events)

    def decorate(function: Callable[[Recorded], object]) -> StreamsHandler:
        if not callable(function):
            raise InvalidSubscriptionError(
                f"A read model must be callable, not {type(function).__name__}."
            )
        refuse_asynchronous(function, ROLE)
        # The handler calls the function itself, through `follow`: with a `Recorded`.
        read_model = cast("ReadModel", function)
        projector = backend.projector(
            name,
            read_model,
            lease=lease,
            keep_unknown=keep_unknown,
            on_failure=on_failure,
            writes=writes,
        )
        projector = projector.choosing(lambda: selection().event_names)
        prepare_in_function(backend)
        return StreamsHandler(function, backend, projector, selection, keep_unknown, margin)

    return decorate
