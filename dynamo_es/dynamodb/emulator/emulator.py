"""`Emulator`: DynamoDB in this process, on moto. It needs only Python, and no server.

An emulator answers only the requests of its own clients. Other clients of the process, and clients
under ``mock_aws``, do not see its tables, and it does not see theirs.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Self

from dynamo_es.dynamodb.wire.boto.parsing import parse_own_replies
from dynamo_es.dynamodb.wire.client import checking_parameters, client_config
from dynamo_es.exceptions import MissingExtraError
from dynamo_es.forking import new_lock

if TYPE_CHECKING:
    from collections.abc import Callable

    from boto3.session import Session
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse
    from botocore.loaders import Loader
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

    from dynamo_es.dynamodb.config import DynamoConfig

# `.invalid` never exists (RFC 2606), so no request can leave this process. And it is not an address
# of AWS, so `mock_aws` does not answer instead of the emulator.
_ENDPOINT: Final = "http://dynamodb.emulator.invalid"

_created: Final[dict[tuple[str, str, str], Any]] = {}
"""A store's empty tables, by their names. They are cached, as creating them takes 18 requests."""

_making: Final = new_lock()
"""Held while a client is made, because a boto3 session is not thread-safe."""


class Emulator:
    """A DynamoDB in the region us-east-1. Its tables are in memory until you close or drop it.

    Safe to share between threads. It serves one request at a time, in about 1 ms. It imitates
    neither the speed nor the throttling of DynamoDB.

    Raises:
        MissingExtraError: moto is not installed.
    """

    def __init__(self) -> None:
        try:
            from dynamo_es.dynamodb.emulator.moto_engine import MotoEngine
        except ImportError as error:
            raise MissingExtraError("local", "DynamoBackend.local()") from error
        self._engine = MotoEngine()

    def client(self, config: DynamoConfig) -> DynamoDBClient:
        """Return a boto3 client of this emulator. All its clients see the same tables.

        Args:
            config: time-outs and attempts; endpoint and region are the emulator's own.
        """
        client: DynamoDBClient = _make_client("dynamodb", config, self._engine.answer_tables)
        parse_own_replies(client)
        return client

    def streams_client(self, config: DynamoConfig) -> DynamoDBStreamsClient:
        """Return a boto3 client for ``dynamodbstreams``, for the streams of the same tables.

        Args:
            config: time-outs and attempts; endpoint and region are the emulator's own.
        """
        client: DynamoDBStreamsClient = _make_client(
            "dynamodbstreams", config, self._engine.answer_streams
        )
        return client

    def put_tables(self, config: DynamoConfig, create: Callable[[], None]) -> None:
        """Create the tables of a store, or copy the ones that this process created before.

        Args:
            config: the names of the tables.
            create: creates the tables; called if this process has not yet created tables with these
                names.
        """
        names = (config.events_table, config.log_table, config.keys_table)
        if names in _created:
            self._engine.put_tables(_created[names])
            return
        create()
        _created[names] = self._engine.copy_of_tables()

    def empty(self) -> None:
        """Delete all items and stream records, but keep the tables."""
        self._engine.empty()

    def close(self) -> None:
        """Drop all tables. The clients still work, but find no tables."""
        self._engine.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def emulated_client(config: DynamoConfig) -> DynamoDBClient:
    """Return a client of a new emulator, which exists as long as the client does.

    Args:
        config: time-outs and attempts; endpoint and region are the emulator's own.

    Raises:
        MissingExtraError: moto is not installed.
    """
    return Emulator().client(config)


def _make_client(
    service: str, config: DynamoConfig, answer: Callable[[AWSPreparedRequest], AWSResponse]
) -> Any:
    from botocore import UNSIGNED

    with _making:
        client: Any = _session().client(
            service,  # type: ignore[call-overload]
            endpoint_url=_ENDPOINT,
            config=client_config(config),
        )
    # Do not sign requests: it takes a tenth of a request's time, and the signature is not checked.
    client.meta.events.register("choose-signer", lambda **_: UNSIGNED)
    # Otherwise botocore would resolve the endpoint for each request, in a twentieth of its time.
    client._ruleset_resolver = None  # noqa: SLF001
    # Replace the connections instead of handling `before-send`: botocore calls every handler even
    # if one has replied. So if a test replied with an error, the request would still be carried
    # out.
    client._endpoint.http_session = _Wire(answer)  # noqa: SLF001
    return checking_parameters(client)


def isolated_session(
    access_key: str, secret_key: str, region: str, token: str | None = None
) -> Session:
    """Return a session that ignores the environment and the files of the user.

    Otherwise a missing profile, or an endpoint configured for AWS, could make a client of an
    emulator fail before the first request.
    """
    # Imported here, so that a process that works on AWS starts faster.
    import boto3
    from botocore.session import Session as CoreSession

    unset = (None, None, None, None)
    nowhere = (None, None, os.devnull, None)
    core = CoreSession(
        session_vars={"profile": unset, "config_file": nowhere, "credentials_file": nowhere}
    )
    core.register_component("data_loader", _service_descriptions())
    return boto3.Session(
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        aws_session_token=token,
        region_name=region,
        botocore_session=core,
    )


@cache
def _session() -> Session:
    """Return the session of all emulators. It is cached, because making it is slow."""
    return isolated_session("emulator", "emulator", "us-east-1")


@cache
def _service_descriptions() -> Loader:
    """Return botocore's service descriptions, which all clients of this process share.

    With them, making a client takes 10 ms. A client that reads them itself takes 0.1 s or more.
    """
    from botocore.loaders import create_loader

    return create_loader()


class _Wire:
    """Replaces a client's connections: passes each request to the engine."""

    def __init__(self, answer: Callable[[AWSPreparedRequest], AWSResponse]) -> None:
        self.send = answer

    def close(self) -> None:
        """Do nothing, because no connection is open."""
