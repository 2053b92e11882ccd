"""`AllOrNone`: the part of the storage contract that appends to several streams in one write."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.contracts.appends import StreamAppend, StreamCheck
    from dynamo_es.values import StoredVersion


EnlistedWrite: TypeAlias = dict[str, Any]
"""A write to one of your own tables, as a part of an append's transaction.

It has the form of an entry of ``TransactItems`` for boto3's client: ``Put``, ``Update``, ``Delete``
or ``ConditionCheck``, such as ``{"Put": {"TableName": …, "Item": …}}``.
"""

ANOTHER_GENERATION: Final = (
    "The stream was deleted (and maybe created again) since the caller last saw it, "
    "so the expected version belongs to an earlier generation. "
    "Load the stream again, decide again, append again."
)
"""Advice of the error for an append that expects a version of a deleted generation."""

STORED_IN_ONE_STREAM: Final = (
    "This stream already has the events that this call appends to it, but another stream of the "
    "call does not. Append to the other streams in a call without this stream."
)
"""Advice of the error if one of several streams has its events already, and another does not."""


class AllOrNone(ABC):
    """Appends to several streams in one write, on condition that others have not changed."""

    @abstractmethod
    def insert_all(
        self,
        appends: Sequence[StreamAppend],
        *,
        unchanged: Sequence[StreamCheck] = (),
        transact_with: Sequence[EnlistedWrite] = (),
    ) -> list[StoredVersion]:
        """Append events to several streams: to all or to none.

        The streams in ``unchanged`` are only checked, in the same transaction. So a decision that
        you based on the state of all these streams is stored only if none has changed.

        Args:
            appends: one for each stream, each with ``ExplicitVersioning`` and one event or more.
                The rules of `StorageStrategy.insert_events` apply to each.
            unchanged: streams that must be at a given version; none of them may be in ``appends``.
            transact_with: writes to your own tables, carried out in the same transaction.

        Streams, checks and writes together are at most 100. Without appends, no request is sent,
        and ``unchanged`` and ``transact_with`` must be empty too.

        You can repeat the call: if all the events are already stored at exactly these versions, it
        succeeds and writes nothing, even if the streams in ``unchanged`` have changed since. That
        is why every append needs a version: `ANY_VERSION` would store the events twice.

        Returns:
            The new version of each stream, in the order given.

        Raises:
            AppendAllConflictError: one or more streams are at another version, or in another
                generation. The error has the conflict of at least one of them, with the events of
                the faster writer. Nothing was written. One append without checks raises
                `ConcurrentStreamWriteError` instead, as `StorageStrategy.insert_events` does.
            ExpectedVersionUsedOnVersionlessStream: a stream has no versions.
            InvalidVersioningError: an append or a check has no explicit version.
            InvalidEventError: an event cannot be stored, or a stream is in ``appends`` twice.
            InputError: a stream is in ``unchanged`` twice, or in ``appends`` too, or there are
                checks or writes but no appends.
            CommitTooLargeError: the events take more than 4 MB or 100 items in all, after
                compression.
            AppendOutcomeUnknownError: the answer was lost; the events are stored in all
                streams or in none.
            EventStoreError: other errors of `StorageStrategy.insert_events`.

        Cost on DynamoDB: 1 request; twice the write units of the items, and 2 write units for each
        stream in ``unchanged``. 1 request and 1 read unit more for each stream whose version this
        process does not know. One append alone costs what `StorageStrategy.insert_events` does. A
        refusal costs a read for each stream whose state is not in DynamoDB's reply.
        """
