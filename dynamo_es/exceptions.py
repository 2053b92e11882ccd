"""Every error of the library, under one base.

::

    EventStoreError
    ├── InputError (also a ValueError)          refused before anything is sent
    │   ├── InvalidStreamIdError                tenant, category, name or UUID; key too long
    │   │   └── IncompatibleUuidAndName         the UUID is not the one the name derives
    │   ├── InvalidVersioningError              an expected version that is no version
    │   ├── InvalidRangeError                   start or stop below 1
    │   ├── InvalidEventError                   not JSON, contradicting versions, mixed clocks
    │   ├── InvalidSubjectError                 a data subject that cannot make a key
    │   ├── InvalidPositionError                negative, or one that the log has not reached
    │   ├── InvalidSubscriptionError            a batch size, time limit or handler
    │   │   └── AsynchronousFunctionError       a function that nobody here would wait for
    │   ├── InvalidConsumerError                a consumer's name that cannot make a key
    │   ├── InvalidMessageError                 what a consumer was given is no published event
    │   ├── InvalidEnlistedWriteError           a write that cannot go along with an append
    │   └── CommitTooLargeError                 past what one write can carry
    ├── ConcurrentStreamWriteError              the stream's version is not the expected one
    ├── EnlistedWriteRefusedError               a write that went along was refused, and all with it
    ├── UnknownConsumerError                    no checkpoint of that name
    ├── UnknownOutboxEntryError                 nothing failed at that position
    ├── UnknownSubjectError                     nothing was ever encrypted for that subject
    ├── CursorBusyError                         another process applies events of that stream
    ├── VersioningMismatch                      versions and no versions mixed
    │   ├── ExpectedVersionUsedOnVersionlessStream
    │   └── NoExpectedVersionGivenOnVersionedStream
    ├── SnapshotAheadOfStreamError              a snapshot of a version not reached
    ├── AppendOutcomeUnknownError               stored or not: the engine's answer is lost
    ├── StreamGapError                          a stream with a hole: never returned
    ├── StoredItemError                         an item that this release cannot read
    ├── UnreadableEventError                    a stored event that its class cannot take
    │   ├── UnknownEventError                   no class has its name
    │   └── NewerSchemaError                    its class here is older than it
    ├── CommandDecidedError                     a command that was decided before, otherwise
    ├── AggregateDefinitionError                an aggregate class that cannot be used
    ├── EventDefinitionError                    an event class that cannot be used
    │   ├── DuplicatedEvent                     two classes of one name
    │   └── EncryptedFieldError                 a mark of encryption that cannot be kept
    ├── PrivacyError                            a value that cannot be encrypted or decrypted
    │   ├── NoSubjectIdFound                    whose it is, is not known
    │   └── DecryptionError                     it was altered, or moved from elsewhere
    ├── PublishingError                         an event of the outbox could not be handed on
    ├── RedactedError                           a cause, in place of one that may quote an event
    ├── ConfigurationError                      wrong before any request
    │   └── MissingExtraError                   an optional dependency is not installed
    └── ServiceError                            AWS refused the request or did not answer
        ├── TableNotFoundError
        │   └── EnlistedTableNotFoundError      a table that a write going along is to
        ├── CredentialsError                    missing, expired, or not allowed
        ├── ThrottledError                      asked for more than the table gives
        ├── ContentionError                     other transactions held the item too long
        └── UnavailableError                    time-out, broken connection, internal error

Each carries what a handler needs as attributes, and says in its message what to do next.
The two mixing errors, their base and ``IncompatibleUuidAndName`` keep the names that
python-event-sourcery gives them. Errors survive ``pickle`` and ``copy``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.portable import copy_error, deepcopy_error, reduce_error

if TYPE_CHECKING:
    from typing import Any
    from uuid import UUID


class EventStoreError(Exception):
    """Base of every error of the library.

    All of them can be pickled and copied: message, attributes and notes stay, and so does what
    they came from (``__cause__``), at least as text.
    """

    __reduce__ = reduce_error
    __copy__ = copy_error
    __deepcopy__ = deepcopy_error


class InputError(EventStoreError, ValueError):
    """The call's own arguments are wrong; nothing was sent."""


class InvalidStreamIdError(InputError):
    """A tenant, category, name or UUID that cannot make a key."""


class IncompatibleUuidAndName(InvalidStreamIdError):  # noqa: N818 - python-event-sourcery's name
    """A stream id was given both a name and a UUID that the name does not derive.

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
            f"The name {name!r} derives the UUID {expected}, not {received}: "
            "give the name or the UUID, not both."
        )


class InvalidVersioningError(InputError):
    """A versioning that is none of the three, or an expected version that is no version."""


class InvalidRangeError(InputError):
    """``start`` or ``stop`` is below 1 or not an integer."""


class InvalidEventError(InputError):
    """Events that cannot be stored as they are.

    Attributes:
        stream_id: the stream of the refused append or snapshot, as text.
    """

    def __init__(self, stream_id: object, reason: str) -> None:
        self.stream_id = str(stream_id)
        super().__init__(f"Stream {stream_id}: {reason} Nothing was written.")


class CommitTooLargeError(InputError):
    """The events do not fit in what one write to DynamoDB can carry; nothing was sent.

    Attributes:
        stream_id: the stream of the refused write, as text.
        size: bytes that the write would need.
        limit: bytes (or items) that it may have.
    """

    def __init__(self, stream_id: object, size: int, limit: int, reason: str) -> None:
        self.stream_id = str(stream_id)
        self.size = size
        self.limit = limit
        super().__init__(f"Stream {stream_id}: {reason} Nothing was written.")


class InvalidPositionError(InputError):
    """A position that is negative, no number, or beyond the end of the log.

    Attributes:
        position: as given.
        last_position: where the log ends; None if that was not looked at.
    """

    def __init__(self, position: object, last_position: int | None = None) -> None:
        self.position = position
        self.last_position = last_position
        if last_position is None:
            reason = "a position is a number of 0 (before the first event) or more."
        else:
            reason = (
                f"the log ends at {last_position}: whoever is further has read another log, "
                "or one that was restored since. Begin at or before its end."
            )
        super().__init__(f"There is no position {position!r}: {reason}")


class InvalidSubscriptionError(InputError):
    """A batch size, a time limit, a filter or a handler that a consumer cannot have."""


class AsynchronousFunctionError(InvalidSubscriptionError):
    """A function to be called is asynchronous, or a generator: it would never run."""


class InvalidConsumerError(InputError):
    """A name of a projection, outbox or other consumer that cannot make a key."""


class InvalidMessageError(InputError):
    """What was given as a published event is not one."""


class InvalidEnlistedWriteError(InputError):
    """A write that cannot go along with an append in one transaction; nothing was sent."""


class ConcurrentStreamWriteError(EventStoreError):
    """The stream's version is not the expected one; nothing was written.

    Attributes:
        stream_id: the stream, as text.
        expected: version the append expected.
        actual: version the stream has reached as far as this refusal shows (it may be
            further by now); 0 when it does not exist.
        winning: the `RawEvent` objects from ``expected + 1`` up to ``actual``, if the refusal saw
            them anyhow: who has the stream up to ``expected`` need not load it again. Else empty.
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
        super().__init__(
            f"Stream {stream_id}: expected version {expected}, but it is at {actual}. "
            + (hint or "Load the stream again, decide again, append again.")
        )


class EnlistedWriteRefusedError(EventStoreError):
    """The condition of a write that was to go along with an append was not met.

    Neither it nor the events nor any other of the writes was carried out.

    Attributes:
        stream_id: the stream of the append, as text.
        index: which of the writes, 0-based.
        item: what its condition was checked against, in the wire format, if the write asked for
            it (``ReturnValuesOnConditionCheckFailure``); else None.
    """

    def __init__(self, stream_id: object, index: int, item: dict[str, Any] | None) -> None:
        self.stream_id = str(stream_id)
        self.index = index
        self.item = item
        super().__init__(
            f"Stream {stream_id}: the condition of the enlisted write {index} was not met. "
            "Nothing was written, neither the events nor the other writes."
        )


class UnknownConsumerError(EventStoreError):
    """No consumer of that name has saved a checkpoint.

    Attributes:
        consumer: its name.
    """

    def __init__(self, consumer: str, known: list[str]) -> None:
        self.consumer = consumer
        names = ", ".join(map(repr, known[:20])) or "there is none yet"
        super().__init__(
            f"No consumer {consumer!r} has saved a checkpoint. Those that have: {names}."
        )


class UnknownOutboxEntryError(EventStoreError):
    """No event at that position has failed, or it was published or dropped since.

    Attributes:
        outbox: name of the outbox.
        position: as given.
    """

    def __init__(self, outbox: str, position: object) -> None:
        self.outbox = outbox
        self.position = position
        super().__init__(
            f"The outbox {outbox!r} has no failed entry at position {position!r}: "
            "it never failed, or was published since. entries() returns those that failed."
        )


class UnknownSubjectError(EventStoreError):
    """The subject never had a key in this tenant: nothing was ever encrypted for it.

    Attributes:
        subject: as given.
    """

    def __init__(self, subject: str) -> None:
        self.subject = subject
        super().__init__(
            f"The subject {subject!r} never had a key in this tenant, so there is nothing to make "
            "unreadable. Check its spelling and the tenant."
        )


class CursorBusyError(EventStoreError):
    """Another process applies events of the same stream to the same read model right now.

    Attributes:
        consumer: the read model.
        stream_id: the stream, as text.
    """

    def __init__(self, consumer: str, stream_id: object) -> None:
        self.consumer = consumer
        self.stream_id = str(stream_id)
        super().__init__(
            f"Another process applies events of stream {stream_id} to {consumer!r}. "
            "Try again: it is done in a moment, or its claim runs out."
        )


class VersioningMismatch(EventStoreError):  # noqa: N818 - python-event-sourcery's name
    """Versions and no versions were mixed in one stream.

    Attributes:
        stream_id: the stream, as text.
    """

    def __init__(self, stream_id: object, reason: str) -> None:
        self.stream_id = str(stream_id)
        super().__init__(f"Stream {stream_id}: {reason}")


class ExpectedVersionUsedOnVersionlessStream(VersioningMismatch):
    """An append or a snapshot with a version on a stream that has none."""

    def __init__(self, stream_id: object) -> None:
        super().__init__(stream_id, "it has no versions; append with NO_VERSIONING.")


class NoExpectedVersionGivenOnVersionedStream(VersioningMismatch):
    """``NO_VERSIONING`` on a stream whose events have versions."""

    def __init__(self, stream_id: object) -> None:
        super().__init__(
            stream_id, "its events have versions; append with ExplicitVersioning or ANY_VERSION."
        )


class SnapshotAheadOfStreamError(EventStoreError):
    """A snapshot of a version that the stream has not reached; nothing was written.

    Attributes:
        stream_id: the stream, as text.
        snapshot_version: version of the refused snapshot.
        stream_version: version of the stream; 0 when it does not exist.
    """

    def __init__(self, stream_id: object, snapshot_version: int, stream_version: int) -> None:
        self.stream_id = str(stream_id)
        self.snapshot_version = snapshot_version
        self.stream_version = stream_version
        super().__init__(
            f"Stream {stream_id}: a snapshot of version {snapshot_version} is ahead of the stream, "
            f"which is at {stream_version}. Append the events first, then save the snapshot."
        )


class AppendOutcomeUnknownError(EventStoreError):
    """The append may or may not be stored; it is never stored in part.

    Appending the same events (same UUIDs) again with the same expected version is safe:
    if they are stored, that is a success and writes nothing. With ``ANY_VERSION`` and
    ``NO_VERSIONING`` there is no such version: load the stream and look for the events first.

    Attributes:
        stream_id: the stream, as text.
        expected: version the append went on from; None without an explicit one.
    """

    def __init__(self, stream_id: object, expected: int | None, reason: str) -> None:
        self.stream_id = str(stream_id)
        self.expected = expected
        advice = (
            "load the stream and append only what is not there"
            if expected is None
            else "append the same events again with the same expected version: it is safe"
        )
        super().__init__(f"Stream {stream_id}: {reason} To find out, {advice}.")


class StreamGapError(EventStoreError):
    """The stored commits of a stream are not contiguous, on two reads in a row.

    Attributes:
        stream_id: the stream, as text.
        version: version at which an event is missing.
    """

    def __init__(self, stream_id: object, version: int) -> None:
        self.stream_id = str(stream_id)
        self.version = version
        super().__init__(
            f"Stream {stream_id}: no event at version {version}, read twice. If the stream is "
            "being deleted and created again right now, load it again; else restore the table."
        )


class StoredItemError(EventStoreError):
    """A stored item is not one that this release wrote.

    Attributes:
        stream_key: partition key of the item.
        version: sort key of the item.
        reason: what is wrong with it, without any value that it holds.
    """

    def __init__(self, stream_key: str, version: object, reason: str) -> None:
        self.stream_key = stream_key
        self.version = version
        self.reason = reason
        super().__init__(
            f"The item {stream_key!r} at {version} cannot be read: {reason} "
            "Was it written by hand, or by a newer release? Upgrade, or restore it."
        )


class UnreadableEventError(EventStoreError):
    """A stored event that cannot be made an object of its class.

    Attributes:
        stream_id: the stream, as text.
        version: of the event in the stream; None in streams without versions.
        name: the name it is stored under.
    """

    def __init__(self, stream_id: object, version: int | None, name: str, reason: str) -> None:
        self.stream_id = str(stream_id)
        self.version = version
        self.name = name
        where = "an event" if version is None else f"version {version}"
        super().__init__(f"Stream {stream_id}, {where}, {name}: {reason}")


class UnknownEventError(UnreadableEventError):
    """No event class has the name of a stored event."""

    def __init__(self, stream_id: object, version: int | None, name: str) -> None:
        super().__init__(
            stream_id,
            version,
            name,
            "no event class has this name. Import the module that defines it; if the class was "
            "moved or renamed, give it the old name in __event_aliases__; to read on without it, "
            "load with keep_unknown=True.",
        )


class NewerSchemaError(UnreadableEventError):
    """A stored event has a schema version above that of its class in this process.

    Attributes:
        stored: schema version of the stored event.
        known: schema version of the class here.
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
            f"it is stored with schema version {stored}, and the class here has {known}. "
            "A newer release wrote it: deploy that one here too.",
        )


class CommandDecidedError(EventStoreError):
    """A command was decided before, and deciding it again came to something else.

    Nothing was written now. What counts is what was stored the first time.

    Attributes:
        stream_id: the stream, as text.
        command_id: the command, as text.
        version: version of the last event that the command led to.
        events: these events, as they were stored the first time.
    """

    def __init__(
        self, stream_id: object, command_id: str, version: int, events: tuple[Any, ...]
    ) -> None:
        self.stream_id = str(stream_id)
        self.command_id = command_id
        self.version = version
        self.events = events
        super().__init__(
            f"Stream {stream_id}: the command {command_id!r} was decided before, up to version "
            f"{version}, and deciding it again on the same state gave other events, so what it "
            "returned the first time is not known. Take it from the events of this error. To "
            "have it returned, let the decision depend on the aggregate and the command alone: "
            "no clock, no random ids."
        )


class AggregateDefinitionError(EventStoreError):
    """An aggregate class that cannot be used as it is defined; the message names it."""


class EventDefinitionError(EventStoreError):
    """An event class that cannot be stored or loaded as it is defined; the message names it."""


class DuplicatedEvent(EventDefinitionError):  # noqa: N818 - python-event-sourcery's name
    """Two event classes have one name, or one class was added twice."""


class ConfigurationError(EventStoreError):
    """The backend cannot work as it is configured."""


class PublishingError(EventStoreError):
    """An event of the outbox could not be handed to where it was to go."""


class RedactedError(EventStoreError):
    """Stands as the cause of an error for one whose text may quote an event.

    It has the class of that error and where it was raised as its text, and its traceback.
    """


class MissingExtraError(ConfigurationError):
    """An optional dependency is not installed.

    Attributes:
        extra: name of the extra that brings it.
    """

    def __init__(self, extra: str, what: str) -> None:
        self.extra = extra
        super().__init__(f"{what} needs the extra: pip install 'dynamo_es[{extra}]'")


class ServiceError(EventStoreError):
    """AWS refused a request or did not answer it; the cause is attached.

    Attributes:
        operation: API operation, such as ``PutItem``.
        code: error code of AWS, or the name of the client's own error.
        subject: the stream or table the request was about.
        reasons: codes of a cancelled transaction, in the order of its items.
    """

    advice = "See the attached cause."

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
        super().__init__(f"{operation}{about}: {code}{why}: {detail} {self.advice}")


class TableNotFoundError(ServiceError):
    """A table is missing (or still being made)."""

    advice = (
        "Deploy infra/event-store.yaml or call backend.create_tables(), "
        "and check the table names, the region and the account."
    )


class EnlistedTableNotFoundError(TableNotFoundError):
    """A table of your own, which a write that goes along with an append is to, is missing.

    Neither the events nor any of the writes was carried out.

    Attributes:
        tables: the tables of your writes; one of them is missing (or still being made).
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
    """Credentials or region are missing, expired, or do not allow the request."""

    advice = (
        "Check the credentials, the region (AWS_REGION or AWS_DEFAULT_REGION) "
        "and the policy of the role."
    )


class ThrottledError(ServiceError):
    """DynamoDB throttled the request to the last attempt; nothing was written by it."""

    advice = "Try again later; if it goes on, raise the table's limits or spread the streams."


class ContentionError(ServiceError):
    """Other transactions held the item until the deadline; nothing was written."""

    advice = "Try again; if it goes on, write less to this stream at once."


class UnavailableError(ServiceError):
    """DynamoDB did not answer in time, or answered with an internal error."""

    advice = "Try again; the call is safe to repeat."


class InvalidSubjectError(InputError):
    """A data subject that cannot make a key: not text, empty, or too long."""


class EncryptedFieldError(EventDefinitionError):
    """A field of an event class is marked as encrypted where that cannot be kept.

    Attributes:
        event: name of the class in which the mark stands.
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
        field: where the value is.
    """

    def __init__(self, stream_id: object, field: str, reason: str) -> None:
        self.stream_id = str(stream_id)
        self.field = field
        super().__init__(f"Stream {stream_id}: {reason}")


class NoSubjectIdFound(PrivacyError):  # noqa: N818 - python-event-sourcery's name
    """It is not known whose data an encrypted field holds; nothing was written.

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
            f"{event} has an encrypted value at {field}, and no subject for it. Mark the field "
            "that holds the subject's id with DataSubject and fill it, name it in "
            "Encrypted(subject_field=…), or give the stream a name. Nothing was written.",
        )


class DecryptionError(PrivacyError):
    """A stored encrypted value is not what was written there: altered, or moved from elsewhere.

    Attributes:
        stream_id: the stream, as text.
        field: the encrypted field, as a JSON pointer.
    """

    def __init__(self, stream_id: object, field: str) -> None:
        super().__init__(
            stream_id,
            field,
            f"the encrypted value at {field} was altered, or moved here from another field, "
            "event, stream or tenant. Restore the event from a backup.",
        )
