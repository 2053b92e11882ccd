"""Every error of the library, under one base.

::

    EventStoreError
    ├── InputError (also a ValueError)          refused before anything is sent
    │   ├── InvalidStreamIdError                tenant, category, name or UUID; key too long
    │   │   └── IncompatibleUuidAndName         the name derives another UUID
    │   ├── InvalidVersioningError              a wrong versioning or version
    │   ├── InvalidRangeError                   start or stop below 1
    │   ├── InvalidEventError                   not JSON, a wrong version, mixed time zones
    │   ├── InvalidSubjectError                 a data subject that cannot be a key
    │   ├── InvalidPositionError                negative, or past the end of the log
    │   ├── TenantRequiredError                 each tenant has a log: say which one
    │   ├── InvalidSubscriptionError            a batch size, time limit or handler
    │   │   └── AsynchronousFunctionError       an async function where a plain one is needed
    │   ├── InvalidConsumerError                a consumer's name that cannot be a key
    │   ├── InvalidMessageError                 a message that is not a published event
    │   ├── InvalidEnlistedWriteError           a write that an append cannot carry
    │   └── CommitTooLargeError                 more than one write can carry
    ├── ConcurrentStreamWriteError              the stream is not at the expected version
    │   └── AppendAllConflictError              streams of an append to several have changed
    ├── BoundaryConflictError                   a query matches an event that you have not seen
    ├── EnlistedWriteRefusedError               the condition of an enlisted write was not met
    ├── AppendsFailedError                      some of many independent appends failed
    ├── UnknownConsumerError                    no checkpoint with that name
    ├── UnknownOutboxEntryError                 no failed event at that position
    ├── UnknownSubjectError                     nothing was ever encrypted for that subject
    ├── ProjectionPausedError                   the projection is paused
    ├── ProjectionDemotedError                  a newer version of the projection is live
    ├── VersionLagsError                        the version lags the live one
    ├── CursorBusyError                         another process applies the stream's events
    ├── ProjectionBusyError                     another worker runs the projection
    ├── ProjectionWriteRefusedError             a condition of a projection's writes was not met
    ├── OutboxBusyError                         a worker publishes from the outbox
    ├── VersioningMismatch                      versions on a versionless stream, or the reverse
    │   ├── ExpectedVersionUsedOnVersionlessStream
    │   └── NoExpectedVersionGivenOnVersionedStream
    ├── SnapshotAheadOfStreamError              the stream has not reached its version
    ├── AppendOutcomeUnknownError               the events may be stored or not
    ├── StreamGapError                          an event is missing in the middle of a stream
    ├── StoredItemError                         an item that this release cannot read
    ├── UnreadableEventError                    a stored event that does not fit its class
    │   ├── UnknownEventError                   no class has its name
    │   └── NewerSchemaError                    its class in this process is older
    ├── CommandDecidedError                     the command was decided before, differently
    ├── AggregateDefinitionError                an aggregate class that cannot be used
    ├── DecisionDefinitionError                 a decision or a model that cannot be used
    ├── EventDefinitionError                    an event class that cannot be used
    │   ├── DuplicatedEvent                     two classes with one name
    │   └── EncryptedFieldError                 Encrypted on a field that cannot have it
    ├── PrivacyError                            a value that cannot be encrypted or decrypted
    │   ├── NoSubjectIdFound                    an encrypted value without a data subject
    │   └── DecryptionError                     the value was altered, or moved from elsewhere
    ├── DeploymentError                         a package or a stack could not be made
    ├── PublishingError                         an event of the outbox was not published
    ├── RedactedError                           replaces a cause that may quote an event
    ├── ConfigurationError                      a wrong setting, found before any request
    │   ├── LogScopeError                       a table written with another log_scope
    │   ├── ReplicaWriteError                   a write, where the tables are replicas
    │   ├── TransactionsUnsupportedError        a transaction, where the tables take none
    │   └── MissingExtraError                   an optional dependency is not installed
    └── ServiceError                            AWS refused the request or did not answer
        ├── TableNotFoundError                  a table of the store is missing
        │   └── EnlistedTableNotFoundError      a table of an enlisted write is missing
        ├── CredentialsError                    missing, expired, or not allowed
        ├── ThrottledError                      more requests than the table takes
        ├── ContentionError                     other transactions held the item too long
        └── UnavailableError                    time-out, broken connection, internal error
            └── ReplicaLagError                 an item has not arrived in this region yet

Each error has attributes for its handler, and a message that says what to do next. A message names
a stream by its UUID, its category and its name. ``VersioningMismatch``, its two subclasses,
``IncompatibleUuidAndName``, ``DuplicatedEvent`` and ``NoSubjectIdFound`` have the names that
python-event-sourcery gives them. You can pickle and copy every error.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING
from uuid import UUID

from dynamo_es.portable import copy_error, deepcopy_error, reduce_error
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

_SHOWN: Final = 3
"""Number of conflicts that a message shows in full."""


def describe_stream(stream_id: object) -> str:
    """Return the text by which errors and logs name a stream.

    Example: ``1b4e28ba-… (category 'Account', name 'acc-1')``. Text, and a UUID without category
    and name, stay as they are. Long categories and names are cut.
    """
    if not isinstance(stream_id, str | UUID):
        # Not its text: an event that was given by mistake would be quoted.
        return type(stream_id).__name__
    parts = [
        f"{label} {shown(value, str)}"
        for label in ("category", "name")
        if (value := getattr(stream_id, label, None)) is not None
    ]
    return f"{stream_id} ({', '.join(parts)})" if parts else str(stream_id)


class EventStoreError(Exception):
    """Base of every error of the library.

    You can pickle and copy every error. The copy has the message, the attributes, the notes and the
    cause (``__cause__``). A cause that cannot be pickled is kept as text.
    """

    __reduce__ = reduce_error
    __copy__ = copy_error
    __deepcopy__ = deepcopy_error


class InputError(EventStoreError, ValueError):
    """An argument of the call is wrong; nothing was sent."""


class InvalidStreamIdError(InputError):
    """A tenant, category, name or UUID that cannot be part of a key."""


class IncompatibleUuidAndName(InvalidStreamIdError):  # noqa: N818 - python-event-sourcery's name
    """A stream id was given a name and a UUID, but the name derives another UUID.

    Attributes:
        received: the UUID given.
        expected: the UUID that the name derives.
        name: the name given.
    """

    def __init__(self, received: UUID, expected: UUID, name: str) -> None:
        self.received = received
        self.expected = expected
        self.name = name
        super().__init__(
            f"The name {shown(name, str)} derives the UUID {expected}, not {received}: "
            "give the name or the UUID, not both."
        )


class InvalidVersioningError(InputError):
    """The versioning is not one of the three ways to append, or its version is not a version."""


class InvalidRangeError(InputError):
    """``start`` or ``stop`` is below 1, or not an integer."""


class InvalidEventError(InputError):
    """An event or a snapshot that cannot be stored.

    Attributes:
        stream_id: the stream of the refused append or snapshot, as text; None if the snapshot names
            no stream.
    """

    def __init__(self, stream_id: object | None, reason: str) -> None:
        self.stream_id = None if stream_id is None else str(stream_id)
        stream = "" if stream_id is None else f"Stream {describe_stream(stream_id)}: "
        super().__init__(f"{stream}{reason} Nothing was written.")


class CommitTooLargeError(InputError):
    """The events do not fit into one write to DynamoDB; nothing was sent.

    Attributes:
        stream_id: the stream of the refused write, as text.
        size: bytes that the write would need.
        limit: most bytes that a write can have.
    """

    def __init__(self, stream_id: object, size: int, limit: int, reason: str) -> None:
        self.stream_id = str(stream_id)
        self.size = size
        self.limit = limit
        super().__init__(f"Stream {describe_stream(stream_id)}: {reason} Nothing was written.")


class InvalidPositionError(InputError):
    """A position that is negative, not an integer, or past the end of the log.

    Attributes:
        position: the position that was given.
        last_position: the last position of the log; None if the position is wrong in any log.
    """

    def __init__(self, position: object, last_position: int | None = None) -> None:
        self.position = position
        self.last_position = last_position
        if last_position is None:
            message = (
                "A position must be an integer of 0 (before the first event) or more, "
                f"not {shown(position)}."
            )
        else:
            message = (
                f"Position {shown(position)} does not exist: the log ends at {last_position}. "
                f"Start after position {last_position} or before it. If a consumer saved "
                f"{shown(position)}, it has read another log, or this log was restored from a "
                "backup: reset the consumer's checkpoint."
            )
        super().__init__(message)


class TenantRequiredError(InputError):
    """The operation needs one log, but each tenant has its own and you did not say which.

    Attributes:
        operation: the refused operation, such as "The last position of the log".
    """

    def __init__(self, operation: str) -> None:
        super().__init__(operation)
        self.operation = operation

    def __str__(self) -> str:
        return (
            f'{self.operation} needs a tenant: with log_scope="tenant" each tenant has a log with '
            "positions of its own. Use backend.in_tenant(tenant_id), or --tenant on the command "
            "line."
        )


class InvalidSubscriptionError(InputError):
    """A batch size, time limit, filter or handler that a consumer cannot use."""


class AsynchronousFunctionError(InvalidSubscriptionError):
    """A function is asynchronous or a generator, so a plain call would not run it."""


class InvalidConsumerError(InputError):
    """The name of a projection, outbox or other consumer cannot be part of a key."""


class InvalidMessageError(InputError):
    """A message that is not a published event."""


class InvalidEnlistedWriteError(InputError):
    """A write cannot be part of an append's transaction; nothing was sent."""


class ConcurrentStreamWriteError(EventStoreError):
    """The stream is not at the expected version; nothing was written.

    Attributes:
        stream_id: the stream, as text.
        expected: version that the append expected.
        actual: version of the stream when the append was refused; 0 if the stream does not exist.
            It may have more events by now. None: unknown.
        winning: the `RawEvent` objects from ``expected + 1`` to ``actual``, if the store returned
            all of them with the refusal; else empty. Apply them to the state that you loaded,
            instead of loading it again.
    """

    def __init__(
        self,
        stream_id: object,
        expected: int | None,
        actual: int | None,
        hint: str = "",
        *,
        winning: tuple[Any, ...] = (),
    ) -> None:
        self.stream_id = str(stream_id)
        self.expected = expected
        self.actual = actual
        self.winning = winning
        seen = "the stream has changed since" if actual is None else f"it is at {actual}"
        super().__init__(
            f"Stream {describe_stream(stream_id)}: expected version {expected}, but {seen}. "
            + (hint or "Load the stream again, decide again, append again.")
        )


class AppendAllConflictError(ConcurrentStreamWriteError):
    """An append to several streams found some of them changed; nothing was written.

    ``stream_id``, ``expected``, ``actual`` and ``winning`` are those of the first conflict.

    Attributes:
        conflicts: the `ConcurrentStreamWriteError` of each stream that has changed, by its
            `StreamId`, in the order of the call. It has at least one stream, and usually all that
            changed; a stream that is missing here may have changed too.
    """

    def __init__(self, conflicts: Mapping[Any, ConcurrentStreamWriteError]) -> None:
        self.conflicts = dict(conflicts)
        each = list(self.conflicts.values())
        first = each[0]
        super().__init__(first.stream_id, first.expected, first.actual, winning=first.winning)
        count = f"{len(each)} streams of the call have changed. " if len(each) > 1 else ""
        more = f" And {len(each) - _SHOWN} more." if len(each) > _SHOWN else ""
        shown_ones = " ".join(map(str, each[:_SHOWN]))
        self.args = (f"{count}{shown_ones}{more} Nothing was written to any stream.",)


class BoundaryConflictError(EventStoreError):
    """The query of an append matches an event that you have not seen; nothing was written.

    Attributes:
        stream_id: the stream of the boundary, as text.
        boundary: name of the boundary; None if only its UUID is known.
        query: the query of the append; None if it had none.
        after: version up to which you had seen the boundary.
        head: version up to which the query was checked, with its generation. Give it as ``after``
            when you try again.
        matching: the matching `RawEvent` objects above ``after`` and up to ``head``, in order;
            `Boundary.typed` makes objects of your classes from them. Empty if the boundary has not
            reached ``after``: it was deleted since, or ``after`` comes from another boundary.
    """

    def __init__(
        self,
        stream_id: object,
        query: Any,
        after: int,
        head: Any,
        matching: tuple[Any, ...] = (),
        hint: str = "",
    ) -> None:
        self.stream_id = str(stream_id)
        self.boundary: str | None = getattr(stream_id, "name", None)
        self.query = query
        self.after = after
        self.head = head
        self.matching = matching
        events = "1 event" if len(matching) == 1 else f"{len(matching)} events"
        super().__init__(
            f"Boundary {describe_stream(stream_id)}: "
            + (hint or f"{events} after version {after} match the condition. Take them into ")
            + ("" if hint else "account, decide again, append again.")
        )

    @property
    def command(self) -> str | None:
        """Shell command that shows the matching events, each with the alternative that it matches.

        None without a query. Add ``--tenant`` unless the boundary belongs to the default tenant.
        The message does not have the command, because a tag may hold a value of an event.
        """
        if self.query is None:
            return None
        words = ["dynamo-es", "boundary", "read", f"--query={self.query.text}"]
        return shlex.join([*words, f"--after={self.after}", "--", self.boundary or "NAME"])


class EnlistedWriteRefusedError(EventStoreError):
    """The condition of one of your writes in ``transact_with`` was not met; nothing was written.

    Attributes:
        stream_id: the stream of the append, as text.
        index: index of the write in ``transact_with``, 0-based.
        item: the item that failed the condition, in DynamoDB's wire format, if the write asked
            for it (``ReturnValuesOnConditionCheckFailure``); else None.
    """

    def __init__(self, stream_id: object, index: int, item: dict[str, Any] | None) -> None:
        self.stream_id = str(stream_id)
        self.index = index
        self.item = item
        super().__init__(
            f"Stream {describe_stream(stream_id)}: the condition of the enlisted write {index} "
            "was not met. Nothing was written, neither the events nor the other writes."
        )


class AppendsFailedError(EventStoreError):
    """Some or all appends of one call failed; the others are stored.

    Attributes:
        streams: the `StreamId` of each append, in the order of the call.
        results: the result of each append, in the same order: the version that it would have
            returned alone, or the error that it would have raised.
    """

    def __init__(self, streams: tuple[Any, ...], results: tuple[Any, ...]) -> None:
        self.streams = streams
        self.results = results
        failed = len([result for result in results if isinstance(result, Exception)])
        first = next(iter(self.errors.values()), None)
        others = failed < len(results)
        super().__init__(
            f"{failed} of {len(results)} appends failed{'; the others are stored' * others}. "
            "`errors` has the error of each stream: handle it as if the append had been alone. "
            f"{'Do not repeat the appends in `stored`. ' * others}The first error is: {first}"
        )

    @property
    def errors(self) -> dict[Any, Exception]:
        """The first error of each stream with a failed append, by its `StreamId`."""
        errors: dict[Any, Exception] = {}
        for stream, result in zip(self.streams, self.results, strict=True):
            if isinstance(result, Exception):
                errors.setdefault(stream, result)
        return errors

    @property
    def stored(self) -> dict[Any, Any]:
        """The new version of each stream whose appends all succeeded, by its `StreamId`."""
        errors = self.errors
        pairs = zip(self.streams, self.results, strict=True)
        return {stream: result for stream, result in pairs if stream not in errors}


class UnknownConsumerError(EventStoreError):
    """No consumer with that name has saved a checkpoint.

    Attributes:
        consumer: the name that was given.
    """

    def __init__(self, consumer: str, known: list[str]) -> None:
        self.consumer = consumer
        names = ", ".join(map(repr, known[:20])) or "no consumer yet"
        super().__init__(
            f"The consumer {shown(consumer, str)} has no checkpoint. Consumers with one: {names}."
        )


class UnknownOutboxEntryError(EventStoreError):
    """The outbox has no entry of a failed event at that position.

    Attributes:
        outbox: name of the outbox.
        position: the position that was given.
    """

    def __init__(self, outbox: str, position: object) -> None:
        self.outbox = outbox
        self.position = position
        super().__init__(
            f"The outbox {shown(outbox, str)} has no failed entry at position {shown(position)}: "
            "its event never failed, or was published since. entries() returns the failed ones."
        )


class UnknownSubjectError(EventStoreError):
    """The subject never had a key in this tenant, so nothing was ever encrypted for it.

    Attributes:
        subject: the subject that was given.
    """

    def __init__(self, subject: str) -> None:
        self.subject = subject
        super().__init__(
            f"The subject {shown(subject, str)} never had a key in this tenant: nothing was "
            "encrypted for it. Check the spelling and the tenant."
        )


class ProjectionPausedError(EventStoreError):
    """The projection is paused, so a run handles no events.

    Attributes:
        projection: name of the projection.
        tenant_id: tenant of the log; None: the log of all tenants.
    """

    def __init__(self, projection: str, tenant_id: str | None = None) -> None:
        self.projection = projection
        self.tenant_id = tenant_id
        where = "" if tenant_id is None else f" in the log of tenant {shown(tenant_id, str)}"
        super().__init__(
            f"Projection {shown(projection, str)} is paused{where}. To let it go on: call "
            "resume(), or run `dynamo-es checkpoints resume`."
        )


class ProjectionDemotedError(EventStoreError):
    """A newer version of the projection is live, so this one has stopped.

    Attributes:
        projection: name of the projection.
        version: the version that has stopped.
        live: the live version.
    """

    def __init__(self, projection: str, version: int, live: int) -> None:
        self.projection = projection
        self.version = version
        self.live = live
        super().__init__(
            f"Version {version} of projection {shown(projection, str)} has stopped, because "
            f"version {live} is live. End its process. To make it live again: call catch_up(), "
            "then promote()."
        )


class VersionLagsError(EventStoreError):
    """A version of a projection lags the live one, so it was not promoted.

    Attributes:
        projection: name of the projection.
        version: the version that was not promoted.
        position: its position in the log.
        live_position: position of the live version.
    """

    def __init__(self, projection: str, version: int, position: int, live_position: int) -> None:
        self.projection = projection
        self.version = version
        self.position = position
        self.live_position = live_position
        super().__init__(
            f"Version {version} of projection {shown(projection, str)} is at {position}, the live "
            f"one at {live_position}: readers would go back. Call catch_up() first, or "
            "promote(force=True)."
        )


class CursorBusyError(EventStoreError):
    """Another process is applying events of the same stream to the same read model.

    Attributes:
        consumer: name of the read model.
        stream_id: the stream, as text.
    """

    def __init__(self, consumer: str, stream_id: object) -> None:
        self.consumer = consumer
        self.stream_id = str(stream_id)
        super().__init__(
            f"Another process is applying events of stream {describe_stream(stream_id)} to "
            f"{shown(consumer, str)}. Try again in a moment, when that process has finished or "
            "its lease has ended."
        )


class ProjectionWriteRefusedError(EventStoreError):
    """The condition of a write that a handler returned was not met.

    None of the writes of that event was made, nor those of later events. Those of earlier events
    were made.

    Attributes:
        projection: name of the projection or projector.
        position: position of the event whose writes were refused; for a projector, its version.
        stream_id: stream of the event, for a projector; None for a projection.
    """

    def __init__(self, projection: str, position: int, stream_id: object = None) -> None:
        self.projection = projection
        self.position = position
        self.stream_id = stream_id
        of, place, kept = "Projection", f"position {position}", "checkpoint"
        if stream_id is not None:
            of, kept = "Read model", "cursor"
            place = f"version {position} of stream {describe_stream(stream_id)}"
        super().__init__(
            f"{of} {shown(projection, str)}: the condition of a write for the event at {place} was "
            f"not met. The read model and the {kept} stay before that event."
        )


class ProjectionBusyError(EventStoreError):
    """Another worker holds the lease of the projection, so this run handles no events.

    Attributes:
        projection: name of the projection.
        worker: the worker that holds the lease; "" if it is not known.
        tenant_id: tenant of the log; None: the log of all tenants, or in `Backend.in_tenant` that
            of its tenant.
    """

    def __init__(self, projection: str, worker: str = "", tenant_id: str | None = None) -> None:
        self.projection = projection
        self.worker = worker
        self.tenant_id = tenant_id
        where = "" if tenant_id is None else f" in the log of tenant {shown(tenant_id, str)}"
        who = f"Worker {worker}" if worker else "Another worker"
        super().__init__(
            f"{who} runs projection {shown(projection, str)}{where}. Try again in a moment, when "
            "that worker has finished or its lease has ended."
        )


class OutboxBusyError(EventStoreError):
    """A worker is publishing from the outbox, so you cannot change its position now.

    Attributes:
        outbox: name of the outbox.
    """

    def __init__(self, outbox: str) -> None:
        self.outbox = outbox
        super().__init__(
            f"A worker has the lease of the outbox {shown(outbox, str)}. Try again in a moment, or "
            "stop the worker first."
        )


class VersioningMismatch(EventStoreError):  # noqa: N818 - python-event-sourcery's name
    """A write with versions to a stream without versions, or the reverse.

    Attributes:
        stream_id: the stream, as text.
    """

    def __init__(self, stream_id: object, reason: str) -> None:
        self.stream_id = str(stream_id)
        super().__init__(f"Stream {describe_stream(stream_id)}: {reason}")


class ExpectedVersionUsedOnVersionlessStream(VersioningMismatch):
    """An append or a snapshot has a version, but its stream has no versions."""

    def __init__(self, stream_id: object) -> None:
        super().__init__(stream_id, "it has no versions; append with NO_VERSIONING.")


class NoExpectedVersionGivenOnVersionedStream(VersioningMismatch):
    """An append has ``NO_VERSIONING``, but its stream has versions."""

    def __init__(self, stream_id: object) -> None:
        super().__init__(
            stream_id, "its events have versions; append with ExplicitVersioning or ANY_VERSION."
        )


class SnapshotAheadOfStreamError(EventStoreError):
    """A snapshot of a version that the stream has not reached; nothing was written.

    Attributes:
        stream_id: the stream, as text.
        snapshot_version: version of the refused snapshot.
        stream_version: version of the stream; 0 if it does not exist.
    """

    def __init__(self, stream_id: object, snapshot_version: int, stream_version: int) -> None:
        self.stream_id = str(stream_id)
        self.snapshot_version = snapshot_version
        self.stream_version = stream_version
        super().__init__(
            f"Stream {describe_stream(stream_id)}: a snapshot of version {snapshot_version} is "
            f"ahead of the stream, which is at {stream_version}. Append the events first, then "
            "save the snapshot."
        )


class AppendOutcomeUnknownError(EventStoreError):
    """The events of an append may be stored or not: all of them or none.

    You can safely append the same events (same UUIDs) again with the same expected version: if
    they are stored already, the call succeeds and writes nothing. With ``ANY_VERSION`` and
    ``NO_VERSIONING``, load the stream and look for the UUIDs of the events first.

    Attributes:
        stream_id: the stream, as text.
        expected: version that the append expected; None if it expected no explicit version.
    """

    def __init__(self, stream_id: object, expected: int | None, reason: str) -> None:
        self.stream_id = str(stream_id)
        self.expected = expected
        advice = (
            "Load the stream and look for the UUIDs of your events. Only if they are missing, "
            "append the events again, with the same UUIDs."
            if expected is None
            else "Repeat the call with the same events (same UUIDs) and the same expected version: "
            "it is safe, because events that are stored already are not stored again."
        )
        super().__init__(
            f"Stream {describe_stream(stream_id)}: the events may be stored or not: {reason} "
            f"{advice}"
        )


class StreamGapError(EventStoreError):
    """An event was missing in the middle of a stream in two reads, one after the other.

    Attributes:
        stream_id: the stream, as text.
        version: version of the missing event.
    """

    def __init__(self, stream_id: object, version: int) -> None:
        self.stream_id = str(stream_id)
        self.version = version
        super().__init__(
            f"Stream {describe_stream(stream_id)}: the event at version {version} was missing in "
            "two reads. If another process is deleting the stream, load it again. Otherwise "
            "restore the events table from a backup."
        )


class StoredItemError(EventStoreError):
    """A stored item that this release cannot read.

    Attributes:
        stream_key: partition key of the item.
        version: sort key of the item.
        reason: what is wrong, without any value of the item.
    """

    def __init__(self, stream_key: str, version: object, reason: str) -> None:
        self.stream_key = stream_key
        self.version = version
        self.reason = reason
        super().__init__(
            f"The item {stream_key!r} at {version} cannot be read: {reason} "
            "If a newer release of dynamo_es wrote it, upgrade this program. If somebody changed "
            "it, restore it from a backup."
        )


class UnreadableEventError(EventStoreError):
    """A stored event that does not fit its class.

    Attributes:
        stream_id: the stream, as text.
        version: version of the event; None in streams without versions.
        name: the stored name of the event.
    """

    def __init__(self, stream_id: object, version: int | None, name: str, reason: str) -> None:
        self.stream_id = str(stream_id)
        self.version = version
        self.name = name
        where = "an event without a version" if version is None else f"version {version}"
        super().__init__(f"Stream {describe_stream(stream_id)}, {where}, {name}: {reason}")


class UnknownEventError(UnreadableEventError):
    """No event class that this process knows has the name of a stored event."""

    def __init__(self, stream_id: object, version: int | None, name: str) -> None:
        super().__init__(
            stream_id,
            version,
            name,
            "no event class has this name. Import the module that defines the class. If you "
            "moved or renamed the class, list the old name in its __event_aliases__. To read on "
            "without the class, load with keep_unknown=True.",
        )


class NewerSchemaError(UnreadableEventError):
    """A stored event has a higher schema version than its class in this process.

    Attributes:
        stored: schema version of the stored event.
        known: schema version of the class in this process.
    """

    def __init__(
        self, stream_id: object, version: int | None, name: str, *, stored: int, known: int
    ) -> None:
        self.stored = stored
        self.known = known
        super().__init__(
            stream_id,
            version,
            name,
            f"the event is stored with schema version {stored}, and its class here has {known}. "
            "A newer release of your application wrote it: deploy that release here too.",
        )


class CommandDecidedError(EventStoreError):
    """A command has stored its events already, but deciding it again gave other events.

    Nothing was written this time. The events that the command stored the first time stay valid.

    Attributes:
        stream_id: the stream, as text.
        command_id: the command, as text.
        version: version of the last event that the command stored.
        events: the events that the command stored the first time.
    """

    def __init__(
        self, stream_id: object, command_id: str, version: int, events: tuple[Any, ...]
    ) -> None:
        self.stream_id = str(stream_id)
        self.command_id = command_id
        self.version = version
        self.events = events
        super().__init__(
            f"Stream {describe_stream(stream_id)}: the command {shown(command_id, str)} has "
            f"stored its events already, the last one at version {version}. Nothing was written "
            "now. Deciding the command again on the same state gave other events, so what the "
            "first decision returned is lost: read the stored events from this error's `events`. "
            "For a repeated command to return its first result, let the decision depend on the "
            "aggregate and the command alone: no clock, no random ids."
        )


class AggregateDefinitionError(EventStoreError):
    """An aggregate class with a wrong definition; the message names the class."""


class DecisionDefinitionError(EventStoreError):
    """A class of decisions or decision models with a wrong definition; the message names it."""


class EventDefinitionError(EventStoreError):
    """An event class with a wrong definition; the message names the class."""


class DuplicatedEvent(EventDefinitionError):  # noqa: N818 - python-event-sourcery's name
    """Two event classes have the same name, or one class was added twice."""


class ConfigurationError(EventStoreError):
    """A setting is missing or wrong."""


class DeploymentError(EventStoreError):
    """A package could not be built, or a stack could not be deployed or deleted.

    The message names the resource that failed, with the reason that AWS gave.
    """


class PublishingError(EventStoreError):
    """An event of the outbox could not be published."""


class RedactedError(EventStoreError):
    """Stands for a cause whose text may quote an event.

    The message names the class of the original error and where it was raised. The traceback is that
    of the original error.
    """


class LogScopeError(ConfigurationError):
    """A log table was written with one ``log_scope`` and opened with another.

    Attributes:
        table: name of the log table; None if it is unknown.
        stored: the scope that the table was written with.
        configured: the scope that this process has.
    """

    def __init__(self, table: str | None, stored: str, configured: str) -> None:
        super().__init__(table, stored, configured)
        self.table = table
        self.stored = stored
        self.configured = configured

    def __str__(self) -> str:
        table = "The log table" if self.table is None else f"The log table {self.table!r}"
        return (
            f'{table} was written with log_scope="{self.stored}", and this process has '
            f'log_scope="{self.configured}". Set log_scope="{self.stored}" '
            f"(DYNAMO_ES_LOG_SCOPE={self.stored}). To change the scope, create a new log table and "
            "run `dynamo-es log repair`, which rebuilds the log from the streams."
        )


class ReplicaWriteError(ConfigurationError):
    """The tables are replicas of another region, so this process must not write to them.

    Attributes:
        operation: the refused operation, such as ``append``.
    """

    def __init__(self, operation: str) -> None:
        self.operation = operation
        super().__init__(
            f'{operation} is refused: DynamoConfig.replication is "replica", so this process only '
            "reads. The conditions of writes hold within one region. Do it in the region that "
            'writes. If that region is lost, see the runbook "A region is lost".'
        )


class TransactionsUnsupportedError(ConfigurationError):
    """The operation needs a transaction, which strongly consistent global tables do not take."""

    def __init__(self) -> None:
        super().__init__(
            "This operation needs a transaction, and tables with multi-Region strong consistency "
            '(DynamoConfig.replication is "strong") take none. Nothing was written. Append less '
            "than 400 KB to one stream at a time, without transact_with. Run read models without "
            "writes=True, and publish from a projection instead of an outbox."
        )


class MissingExtraError(ConfigurationError):
    """An optional dependency is not installed.

    Attributes:
        extra: name of the extra that installs it.
    """

    def __init__(self, extra: str, feature: str) -> None:
        self.extra = extra
        super().__init__(f"{feature} needs the extra: pip install 'dynamo_es[{extra}]'")


class ServiceError(EventStoreError):
    """AWS refused a request or did not answer it.

    Attributes:
        operation: API operation, such as ``PutItem``.
        code: error code from AWS, or the class name of botocore's own error.
        subject: the stream and table, or the table, of the request.
        reasons: codes of a cancelled transaction, in the order of its items.
    """

    advice = ""

    def __init__(
        self,
        operation: str,
        code: str,
        detail: str,
        subject: str = "",
        reasons: tuple[str, ...] = (),
    ) -> None:
        self.operation = operation
        self.code = code
        self.subject = subject
        self.reasons = reasons
        about = f" on {subject}" if subject else ""
        why = f" [{', '.join(reasons)}]" if reasons else ""
        super().__init__(f"{operation}{about}: {code}{why}: {detail} {self.advice}".rstrip())


class TableNotFoundError(ServiceError):
    """A table of the store does not exist, or is still being created."""

    advice = (
        "Deploy infra/event-store.yaml or call backend.create_tables(), "
        "and check the table names, the region and the account."
    )


class EnlistedTableNotFoundError(TableNotFoundError):
    """The table of one of your writes in ``transact_with`` does not exist; nothing was written.

    Attributes:
        tables: the tables of your writes. At least one of them does not exist, or is still being
            created.
    """

    advice = "Create it, or correct the TableName in transact_with. Nothing was written."

    def __init__(
        self, operation: str, code: str, tables: tuple[str, ...], subject: str = ""
    ) -> None:
        self.tables = tables
        names = ", ".join(map(repr, tables))
        which = "your table" if len(tables) == 1 else "one of your tables"
        super().__init__(operation, code, f"{which} {names} does not exist.", subject)


class CredentialsError(ServiceError):
    """The credentials or the region are missing, expired, or do not allow the request."""

    advice = (
        "Check the credentials, the region (AWS_REGION or AWS_DEFAULT_REGION) "
        "and the policy of the role."
    )


class ThrottledError(ServiceError):
    """DynamoDB throttled every attempt of the request; nothing was written."""

    advice = "Try again later. If it goes on, raise the table's limits or use more streams."


class ContentionError(ServiceError):
    """Other writers held the item until the deadline; nothing was written."""

    advice = "Try again. If it goes on, let fewer writers append to this stream at once."


class UnavailableError(ServiceError):
    """DynamoDB did not answer in time, or answered with an internal error."""

    advice = "Try again; the call is safe to repeat."


class ReplicaLagError(UnavailableError):
    """An item of the store has not arrived in this region yet; nothing was skipped.

    Raised only with ``DynamoConfig(replication="replica")``, after the ``retry_deadline``.
    """

    advice = (
        "Nothing was skipped, so call again. CloudWatch's metric ReplicationLatency of the global "
        "table shows how late this region is."
    )

    def __init__(self, operation: str, missing: str, subject: str = "") -> None:
        super().__init__(
            operation, "NotReplicated", f"{missing} has not arrived in this region yet.", subject
        )


class InvalidSubjectError(InputError):
    """A data subject that cannot be a key: not text, empty, or too long."""


class EncryptedFieldError(EventDefinitionError):
    """A field of an event class is marked ``Encrypted``, but cannot be encrypted.

    Attributes:
        event: name of the class that has the mark.
        field: name of the field.
    """

    def __init__(self, event: str, field: str, reason: str) -> None:
        self.event = event
        self.field = field
        super().__init__(f"{event}.{field}: {reason}")


class PrivacyError(EventStoreError):
    """A value of an event cannot be encrypted or decrypted.

    Attributes:
        stream_id: the stream, as text.
        field: the field, as a JSON pointer into the event.
    """

    def __init__(self, stream_id: object, field: str, reason: str) -> None:
        self.stream_id = str(stream_id)
        self.field = field
        super().__init__(f"Stream {describe_stream(stream_id)}: {reason}")


class NoSubjectIdFound(PrivacyError):  # noqa: N818 - python-event-sourcery's name
    """An encrypted field has no data subject to encrypt it for; nothing was written.

    Attributes:
        stream_id: the stream, as text.
        event: name of the event class.
        field: the encrypted field, as a JSON pointer.
    """

    def __init__(self, stream_id: object, event: str, field: str) -> None:
        self.event = event
        super().__init__(
            stream_id,
            field,
            f"{event} has an encrypted value at {field}, but no subject to encrypt it for. Mark "
            "the field that holds the subject's id with DataSubject and fill it, name that field "
            "in Encrypted(subject_field=…), or give the stream a name. Nothing was written.",
        )


class DecryptionError(PrivacyError):
    """A stored encrypted value was altered, or moved here from another place.

    Attributes:
        stream_id: the stream, as text.
        field: the encrypted field, as a JSON pointer.
    """

    def __init__(self, stream_id: object, field: str) -> None:
        super().__init__(
            stream_id,
            field,
            f"the encrypted value at {field} was altered, or moved from another field, event, "
            "stream or tenant. Restore the event from a backup.",
        )
