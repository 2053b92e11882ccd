"""Translates this library's errors into those that applications of ``eventsourcing`` handle."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from eventsourcing.persistence import DatabaseError, IntegrityError

from dynamo_es.adapters.eventsourcing.versions import (
    DataError,
    InterfaceError,
    OperationalError,
    PersistenceError,
    ProgrammingError,
)
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    BoundaryConflictError,
    ConcurrentStreamWriteError,
    ConfigurationError,
    CredentialsError,
    EnlistedWriteRefusedError,
    EventStoreError,
    InputError,
    ServiceError,
    TableNotFoundError,
    VersioningMismatch,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

# The first match counts: narrow classes come before their bases.
_AS: tuple[tuple[type[EventStoreError], type[PersistenceError]], ...] = (
    (ConcurrentStreamWriteError, IntegrityError),
    (BoundaryConflictError, IntegrityError),
    (EnlistedWriteRefusedError, IntegrityError),
    (VersioningMismatch, IntegrityError),
    (InputError, DataError),
    (TableNotFoundError, ProgrammingError),
    (ConfigurationError, InterfaceError),
    (CredentialsError, InterfaceError),
    (AppendOutcomeUnknownError, OperationalError),
    (ServiceError, OperationalError),
    (EventStoreError, DatabaseError),
)


@contextmanager
def translated() -> Iterator[None]:
    """Raise the library's error for ours, which stays attached as its cause."""
    try:
        yield
    except EventStoreError as error:
        for ours, theirs in _AS:
            if isinstance(error, ours):
                raise theirs(str(error)) from error
        raise
