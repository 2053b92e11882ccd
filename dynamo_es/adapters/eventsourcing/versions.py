"""Hides the differences between ``eventsourcing`` 9.5 and 10 from the other modules.

Types and names are those of 9.5. Release 10 is an alpha: its errors are in their own module, ids of
originators are text, and a stored event has a uuid and metadata.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from eventsourcing.persistence import Notification, StoredEvent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eventsourcing.persistence import Tracking

IS_10: Final = find_spec("eventsourcing.errors") is not None
"""Whether the installed release is 10 and not 9.5."""

ALL_IDS_ARE_TEXT: Final = IS_10
"""Whether the ids of all originators are text. In 9.5, an id is a UUID or text."""

if TYPE_CHECKING or not IS_10:
    from eventsourcing.dcb.api import (
        DCBAppendCondition,
        DCBEvent,
        DCBQuery,
        DCBQueryItem,
        DCBReadResponse,
        DCBRecorder,
        DCBSequencedEvent,
    )
    from eventsourcing.dcb.persistence import (
        DCBInfrastructureFactory,
        DCBListenNotifySubscription,
    )
    from eventsourcing.persistence import (
        DataError,
        InterfaceError,
        OperationalError,
        PersistenceError,
        ProgrammingError,
    )
else:
    from eventsourcing.dcb import api as _api
    from eventsourcing.dcb import persistence as _persistence
    from eventsourcing.errors import (
        DataError,
        InterfaceError,
        OperationalError,
        PersistenceError,
        ProgrammingError,
    )

    DCBAppendCondition = _api.DcbAppendCondition
    DCBEvent = _api.DcbEvent
    DCBQuery = _api.DcbQuery
    DCBQueryItem = _api.DcbQueryItem
    DCBReadResponse = _api.DcbReadResponse
    DCBRecorder = _api.DcbRecorder
    DCBSequencedEvent = _api.DcbSequencedEvent
    DCBInfrastructureFactory = _persistence.DcbInfrastructureFactory
    DCBListenNotifySubscription = _persistence.DcbListenNotifySubscription

__all__ = [
    "ALL_IDS_ARE_TEXT",
    "IS_10",
    "DCBAppendCondition",
    "DCBEvent",
    "DCBInfrastructureFactory",
    "DCBListenNotifySubscription",
    "DCBQuery",
    "DCBQueryItem",
    "DCBReadResponse",
    "DCBRecorder",
    "DCBSequencedEvent",
    "DataError",
    "InterfaceError",
    "OperationalError",
    "PersistenceError",
    "ProgrammingError",
    "make_dcb_event",
    "make_notification",
    "make_stored_event",
    "metadata_of",
    "upstream_of",
    "uuid_of",
]

_NO_UUID: Final = UUID(int=0)


def make_stored_event(
    originator_id: UUID | str,
    version: int,
    topic: str,
    state: bytes,
    uuid: UUID | None,
    metadata: Mapping[str, Any],
) -> StoredEvent:
    """Return a stored event of the library.

    Args:
        originator_id: originator of the event.
        version: version of the originator.
        topic: topic of the event's class.
        state: the encoded event.
        uuid: id of the event, used by release 10; None: it has none.
        metadata: metadata of the event, used by release 10.
    """
    fields: dict[str, Any] = {
        "originator_id": originator_id,
        "originator_version": version,
        "topic": topic,
        "state": state,
    }
    if IS_10:
        fields |= {
            "originator_id": str(originator_id),
            "uuid": _NO_UUID if uuid is None else uuid,
            "metadata": dict(metadata),
        }
    return StoredEvent(**fields)


def make_notification(position: int, event: StoredEvent) -> Notification:
    """Return a stored event as a notification of the library."""
    return Notification(**vars(event), id=position)


def make_dcb_event(
    topic: str, data: bytes, tags: Sequence[str], uuid: UUID, metadata: Mapping[str, Any]
) -> DCBEvent:
    """Return a tagged event of the library; ``uuid`` and ``metadata`` are used by release 10."""
    fields: dict[str, Any] = {"type": topic, "data": data, "tags": list(tags)}
    if IS_10:
        fields |= {"uuid": uuid, "metadata": dict(metadata)}
    return DCBEvent(**fields)


def uuid_of(event: StoredEvent | DCBEvent) -> UUID | None:
    """Return the id that an event has before it is stored; None if it has none, as in 9.5."""
    uuid: UUID = getattr(event, "uuid", _NO_UUID)
    return None if uuid == _NO_UUID else uuid


def metadata_of(event: StoredEvent | DCBEvent) -> dict[str, Any]:
    """Return the metadata of an event; events of 9.5 have none."""
    return dict(getattr(event, "metadata", {}))


def upstream_of(tracking: Tracking) -> str:
    """Return the name of the application (a context in 10) that the notification came from."""
    name: str = getattr(tracking, "context_name" if IS_10 else "application_name")
    return name
