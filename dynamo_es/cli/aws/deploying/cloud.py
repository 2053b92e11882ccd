"""Requests to the services that a deployment needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from dynamo_es.dynamodb.wire.client import region_of
from dynamo_es.dynamodb.wire.errors import translate
from dynamo_es.dynamodb.wire.session import LOCAL_REGION, is_local, make_session
from dynamo_es.exceptions import UnavailableError

if TYPE_CHECKING:
    from dynamo_es.dynamodb.config import DynamoConfig

_RETRIES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """The boto3 clients of a deployment, for one account and region.

    Attributes:
        is_emulator: whether their endpoint is not that of AWS.
    """

    is_emulator: bool
    cloudformation: Any
    s3: Any
    sts: Any
    dynamodb: Any
    sqs: Any

    @property
    def region(self) -> str:
        """The region of the stack."""
        name: str = self.cloudformation.meta.region_name
        return name


def connect(config: DynamoConfig) -> Cloud:
    """Return clients for the account, region and endpoint of a configuration.

    Raises:
        CredentialsError: no region is configured, or the profile does not exist.
    """
    try:
        session = make_session(config)
        region = region_of(config, session) or (LOCAL_REGION if is_local(config) else None)
        settings: dict[str, Any] = {
            "region_name": region,
            "endpoint_url": config.endpoint_url,
            "config": Config(
                retries={"mode": "standard", "total_max_attempts": _RETRIES},
                # An emulator has no host names for buckets.
                s3={"addressing_style": "path" if config.endpoint_url else "auto"},
            ),
        }
        return Cloud(
            is_emulator=config.endpoint_url is not None,
            cloudformation=session.client("cloudformation", **settings),
            s3=session.client("s3", **settings),
            sts=session.client("sts", **settings),
            dynamodb=session.client("dynamodb", **settings),
            sqs=session.client("sqs", **settings),
        )
    except BotoCoreError as error:
        raise translate(error, "connect") from error


def ask(client: Any, operation: str, subject: str = "", **arguments: Any) -> dict[str, Any]:
    """Send a request.

    Args:
        client: the client of the service.
        operation: name of the operation, such as ``DescribeStacks``.
        subject: subject of the request, for an error.
        arguments: arguments of the request.

    Raises:
        ServiceError: AWS refused or did not answer.
    """
    try:
        reply: dict[str, Any] = getattr(client, xform_name(operation))(**arguments)
    except (ClientError, BotoCoreError) as error:
        raise translate(error, operation, subject) from error
    except ResponseParserError as error:  # the reply came from a proxy or an emulator
        code = type(error).__name__
        raise UnavailableError(operation, code, "The reply cannot be read.", subject) from error
    return reply


def ask_for_all(client: Any, operation: str, entries: str, **arguments: Any) -> list[Any]:
    """Send requests up to the last page; return the entries of all pages.

    Args:
        client: the client of the service.
        operation: name of the operation, such as ``DescribeStackEvents``.
        entries: name of the list in a reply.
        arguments: arguments of the request.
    """
    found: list[Any] = []
    token: dict[str, Any] = {}
    while True:
        page = ask(client, operation, **arguments, **token)
        found += page.get(entries, ())
        if not page.get("NextToken"):
            return found
        token = {"NextToken": page["NextToken"]}
