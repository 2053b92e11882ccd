"""`Appends`: the part of `EventStore` that appends typed events."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts import StreamAppend, StreamCheck
from dynamo_es.contracts.boundaries.strategy import ConditionalAppend
from dynamo_es.contracts.checks.arguments import check_kind, check_stream
from dynamo_es.event_store.wrapped import wrap_all
from dynamo_es.exceptions import InputError, describe_stream
from dynamo_es.grouping.appends import append_in_group
from dynamo_es.values import ANY_VERSION
from dynamo_es.values.versioning import versioning_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.contracts import AppendCost, EnlistedWrite, StorageStrategy
    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.serde import Serde
    from dynamo_es.event_store.wrapped import WrappedEvent
    from dynamo_es.grouping.groups import Groups
    from dynamo_es.values import ExplicitVersioning, StoredVersion, StreamId, TenantId, Versioning


NO_VERSIONS: Final[Mapping[StreamId, Any]] = MappingProxyType({})
"""The default: no stream has an expected version."""


class Appends:
    """Appends one tenant's typed events. A part of `EventStore`, which reads them too."""

    _storage: StorageStrategy
    _serde: Serde
    _tenant_id: TenantId
    _groups: Groups

    def append(
        self,
        *events: Event | WrappedEvent[Any],
        stream_id: StreamId,
        expected_version: int | Versioning = 0,
        transact_with: Sequence[EnlistedWrite] = (),
        group: bool = False,
    ) -> StoredVersion | None:
        """Append events to a stream: all or none.

        Args:
            events: the events, in order; wrap one in `WrappedEvent` to choose its metadata.
            stream_id: the stream.
            expected_version: version that the stream must have; 0 (the default): it must not exist.
                With the result of an append or of `EventStore.version`, or with an
                ``ExplicitVersioning`` that has a generation, the append is also refused if the
                stream was deleted and created again since. ``ANY_VERSION``: append at the end.
                ``NO_VERSIONING``: append to a stream without versions.
            transact_with: up to 99 writes to your own tables, in the form of boto3's
                ``TransactItems``; carried out with the events, or not at all.
            group: whether to put appends of this process that wait for the same stream into one
                commit, up to 25 appends in a request. It needs ``ANY_VERSION``, and no
                ``transact_with``. If no other append is on its way, this one is sent at once.

        Returns:
            The version of the last event, with its generation. None if there are no events, or the
            stream has no versions.

        Raises:
            ConcurrentStreamWriteError: the stream has another version. Nothing was written.
            InvalidEventError: an event would load with other values or types.
            EventDefinitionError: another process could not load events of this class.
            AppendOutcomeUnknownError: the answer was lost. Append the same wrapped events again.
                With ``ANY_VERSION`` or ``NO_VERSIONING``, first look for them in the stream.
            ContentionError: with ``group``, the appends before it took more than ten seconds.
            InputError: ``group`` comes with an expected version or with ``transact_with``.

        Other errors, and the cost: see `StorageStrategy.insert_events` and `Encryption.encrypt`.
        """
        versioning = versioning_of(expected_version)
        if group is not False:
            _check_grouped(group, versioning, transact_with)
        raws = self._serde.serialize_all(wrap_all(events), stream_id)
        if group and raws:
            append = ConditionalAppend(raws)
            return append_in_group(self._groups, self._storage, self._tenant_id, stream_id, append)
        if not transact_with:
            return self._storage.insert_events(stream_id, versioning, raws)
        return self._storage.insert_events(stream_id, versioning, raws, transact_with=transact_with)

    def append_cost(
        self,
        *events: Event | WrappedEvent[Any],
        stream_id: StreamId,
        expected_version: int | Versioning = 0,
    ) -> AppendCost:
        """Return what `append` would cost for these events, without a request.

        ``store.append_cost(Deposited(amount=5), stream_id=ann).write_units``. Arguments and errors
        are those of `append`. Encrypted fields count with the size of their ciphertext. In memory,
        nothing is charged: the result has the number of events, and 0 units.
        """
        raws = self._serde.for_estimates().serialize_all(wrap_all(events), stream_id)
        return self._storage.append_cost(stream_id, versioning_of(expected_version), raws)

    def append_many(
        self,
        streams: Mapping[StreamId, Sequence[Event | WrappedEvent[Any]]],
        *,
        expected_version: int | Versioning | Mapping[StreamId, int | Versioning] = 0,
    ) -> dict[StreamId, StoredVersion | None]:
        """Append to many streams, each on its own, in few requests, such as for an import.

        ``append_many({ann: [Opened()], bob: [Opened()]})``. Each stream gets all its events or
        none, but some streams may fail while others succeed. To append to all streams or none, use
        `append_all`.

        Args:
            streams: the events of each stream, in order.
            expected_version: version that each stream must have, as in `append`; or a mapping with
                the version of each stream. A stream without an entry must not exist.

        Returns:
            The new version of each stream, as `append` returns it.

        Raises:
            AppendsFailedError: an append failed; its ``errors`` has the error of each stream, its
                ``stored`` the new versions of the others. To try again, append the failed events
                again, in the same `WrappedEvent` objects.
            InputError: an argument is wrong; nothing was written.

        Other errors: those of the events themselves, as in `append`; then nothing was written. Cost
        on DynamoDB: see `StorageStrategy.insert_many`.
        """
        appends = self._appends(streams, "expected_version", expected_version)
        stored = self._storage.insert_many(appends)
        return dict(zip(streams, stored, strict=True))

    def append_all(
        self,
        streams: Mapping[StreamId, Sequence[Event | WrappedEvent[Any]]],
        *,
        expected: Mapping[StreamId, int | Versioning] = NO_VERSIONS,
        unchanged: Mapping[StreamId, int | ExplicitVersioning] = NO_VERSIONS,
        transact_with: Sequence[EnlistedWrite] = (),
    ) -> dict[StreamId, StoredVersion]:
        """Append to several streams in one write: to all or to none.

        ``append_all({ann: [Sent(5)], bob: [Got(5)]}, expected={ann: 7, bob: 3}, unchanged={rules:
        2})``. A decision that you based on several streams is stored only if none of them has
        changed since you read it.

        Args:
            streams: the events of each stream, in order; one event or more.
            expected: version that each stream must have, as in `append`; a stream without an entry
                must not exist. `ANY_VERSION` is refused: you could not repeat the call safely.
            unchanged: version that each of these other streams must have when the call writes; 0:
                the stream must not exist. The call does not write to them.
            transact_with: writes to your own tables, as in `append`. Streams, checks and writes are
                at most 100 together.

        Returns:
            The new version of each stream in ``streams``.

        Raises:
            AppendAllConflictError: one or more streams have changed. Its ``conflicts`` has the
                error of at least one of them, with the events of the faster writer. Nothing was
                written. A call with one stream and nothing in ``unchanged`` raises
                `ConcurrentStreamWriteError` instead, as `append` does.
            InputError: an argument is wrong, such as a stream in both mappings, or ``unchanged``
                without ``streams``.
            AppendOutcomeUnknownError: the answer was lost. Append the same wrapped events again.

        Other errors, and the cost: see `StorageStrategy.insert_all`.
        """
        check_kind("unchanged", unchanged, Mapping)
        check_kind("expected", expected, Mapping)
        appends = self._appends(streams, "expected", expected)
        checks = [
            StreamCheck(stream_id, versioning_of(version))  # type: ignore[arg-type]  # checked there
            for stream_id, version in unchanged.items()
        ]
        stored = self._storage.insert_all(appends, unchanged=checks, transact_with=transact_with)
        return dict(zip(streams, stored, strict=True))

    def _appends(
        self,
        streams: Mapping[StreamId, Sequence[Event | WrappedEvent[Any]]],
        name: str,
        expected: int | Versioning | Mapping[StreamId, int | Versioning],
    ) -> list[StreamAppend]:
        """Return the append for each stream; ``name`` is the parameter with the versions."""
        check_kind("streams", streams, Mapping)
        versions = _versions(streams, name, expected)
        appends = []
        for stream_id, events in streams.items():
            check_kind(f"The events of stream {describe_stream(stream_id)}", events, (list, tuple))
            raws = self._serde.serialize_all(wrap_all(events), stream_id)
            appends.append(StreamAppend(stream_id, versions[stream_id], raws))
        return appends


def _check_grouped(
    group: object, versioning: Versioning, transact_with: Sequence[EnlistedWrite]
) -> None:
    """Raise `InputError` unless an append may join a group."""
    check_kind("group", group, bool)
    if versioning is not ANY_VERSION:
        raise InputError(
            f"group=True needs expected_version=ANY_VERSION, not {versioning!r}: the appends of a "
            "group do not know each other's versions. For decisions on a state, use "
            "Repository(store, …, group=True) or a boundary."
        )
    if transact_with:
        raise InputError(
            "group=True cannot have transact_with: a refused write would fail the whole group. "
            "Leave out one of the two."
        )


def _versions(
    streams: Mapping[StreamId, object],
    name: str,
    expected: int | Versioning | Mapping[StreamId, int | Versioning],
) -> dict[StreamId, Versioning]:
    """Return the version that each stream must have."""
    for stream_id in streams:
        check_stream(stream_id)
    if not isinstance(expected, Mapping):
        return dict.fromkeys(streams, versioning_of(expected))
    for stream_id in expected:
        if stream_id not in streams:
            check_stream(stream_id)
            raise InputError(
                f"{name} has the stream {describe_stream(stream_id)}, but streams has "
                "no events for it: add them, or leave the stream out."
            )
    return {stream_id: versioning_of(expected.get(stream_id, 0)) for stream_id in streams}
