"""Translates this library's errors to those that applications of ``eventsourcing`` handle."""

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

# The first match counts, so classes come before their base classes.
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
    """Raise the error of ``eventsourcing`` in place of ours, which is attached as the cause."""
    try:
        yield
    except EventStoreError as error:
        for ours, theirs in _AS:
            if isinstance(error, ours):
                raise theirs(str(error)) from error
        raise
