"""Backends for tests: on one emulator for all tests, or on a local engine."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit
from uuid import uuid4

from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.dynamodb.config import DynamoConfig
from dynamo_es.dynamodb.emulator.emulator import isolated_session
from dynamo_es.dynamodb.wire.client import client_config
from dynamo_es.exceptions import ConfigurationError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynamo_es.contracts import Observer
    from dynamo_es.dynamodb.config import Sequencing

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Emulation:
    """One emulator for many tests. Each test gets its own backend, with empty tables."""

    def __init__(self) -> None:
        self._first = DynamoBackend.local()

    @contextmanager
    def new_backend(
        self, clock: Callable[[], float] | None = None, sequencing: Sequencing = "inline"
    ) -> Iterator[DynamoBackend]:
        """Return a backend with empty tables. Do not use earlier backends after that.

        Args:
            clock: returns seconds since the epoch; None: the wall clock.
            sequencing: as for `DynamoBackend.local`.
        """
        config = replace(self._first.config, sequencing=sequencing)
        first = self._first
        backend = DynamoBackend(
            config, first.client, clock=clock or time.time, streams_client=first.streams_client
        )
        backend._empty = first._empty  # noqa: SLF001 - a class of this library
        backend.clear()
        with backend:
            yield backend

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._first.close()


@contextmanager
def backend_at(
    endpoint_url: str,
    clock: Callable[[], float] | None = None,
    *,
    prefix: str = "test",
    observer: Observer | None = None,
    **settings: Any,
) -> Iterator[DynamoBackend]:
    """Return a backend with new tables at an endpoint; they are deleted at the end.

    Args:
        endpoint_url: URL of an endpoint with DynamoDB's API. An endpoint on this machine needs no
            credentials.
        clock: returns seconds since the epoch; None: the wall clock.
        prefix: prefix of the names of the tables.
        observer: observer of the backend; None: no reports.
        settings: settings of its `DynamoConfig` that differ from the defaults for tests.

    Raises:
        ConfigurationError: the endpoint is not a URL.
        ServiceError: the endpoint does not answer.
    """
    from dynamo_es.dynamodb.tables.create import delete_tables

    if urlsplit(endpoint_url).hostname is None:
        raise ConfigurationError(
            "The endpoint must be a URL such as http://127.0.0.1:8000, "
            f"not {shown(endpoint_url, str)}."
        )
    name = f"{prefix}-{uuid4().hex}"
    config = DynamoConfig(
        events_table=f"{name}-events",
        log_table=f"{name}-log",
        keys_table=f"{name}-keys",
        endpoint_url=endpoint_url,
        **{"region": "us-east-1", "read_timeout": 30.0, "sequencing": "inline", **settings},
    )
    with DynamoBackend(
        config,
        _client("dynamodb", config),
        observer,
        clock=clock or time.time,
        streams_client=_client("dynamodbstreams", config),
    ) as backend:
        backend.create_tables()
        try:
            yield backend
        finally:
            delete_tables(backend.client, config)


def _client(service: str, config: DynamoConfig) -> Any:
    """Return a client: with dummy credentials for this machine, otherwise with the user's."""
    if urlsplit(str(config.endpoint_url)).hostname not in _LOOPBACK:
        return None
    session = isolated_session("local", "local", "us-east-1")
    return session.client(
        service,  # type: ignore[call-overload]
        endpoint_url=config.endpoint_url,
        config=client_config(config),
    )
