"""A backend with credentials for one tenant only, so that a bug cannot reach another tenant.

The assumed role has the policy ``OneTenant`` of ``infra/access.yaml``. With it, DynamoDB refuses
every key that does not begin with the value of the session's tag ``tenant``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts.checks.arguments import seconds_of
from dynamo_es.contracts.stream_keys import tenant_prefix
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.dynamodb.config import DynamoConfig
from dynamo_es.dynamodb.wire.client import client_config, region_of
from dynamo_es.dynamodb.wire.errors import translate
from dynamo_es.exceptions import ConfigurationError, InvalidStreamIdError

if TYPE_CHECKING:
    from datetime import timedelta

    from dynamo_es.contracts import Observer
    from dynamo_es.event_store.registry import EventRegistry
    from dynamo_es.values import TenantId

TAG: Final = "tenant"

_MAX_TAG: Final = 256
_SHORTEST, _LONGEST = 900, 43_200
# STS takes letters, digits and spaces of any alphabet in a tag, and these characters. `*` and `?`,
# which match anything in a policy, are not among them.
_TAKEN: Final = re.compile(r"[\w .:/=+\-@]*")


def tenant_backend(  # noqa: PLR0913 - options, each by its name
    tenant_id: TenantId,
    role_arn: str,
    *,
    config: DynamoConfig | None = None,
    session_name: str = "dynamo_es",
    duration: timedelta | float = 900,
    observer: Observer | None = None,
    registry: EventRegistry | None = None,
    sts: Any = None,
) -> DynamoBackend:
    """Return a backend of one tenant, with credentials that reach that tenant only.

    The first request fetches the credentials, and later requests renew them before they expire.
    Keep the backend for later calls of the same tenant: a session costs a request of about 50 ms.

    The credentials reach the tenant's streams. With ``log_scope="tenant"`` and the policy
    ``OneTenantLog`` they reach its log too, so subscriptions, projections, the outbox and inline
    sequencing work. With ``log_scope="table"`` they do not reach the log, so run a sequencer.

    Args:
        tenant_id: the tenant.
        role_arn: role with the policy ``OneTenant``; its trust policy must let the caller assume it
            and tag the session (``sts:AssumeRole`` and ``sts:TagSession``).
        config: names of the tables; None: from the environment.
        session_name: name of the session, which CloudTrail shows.
        duration: how long a session lasts, a timedelta or seconds: 15 minutes to 12 hours, in whole
            seconds; at most one hour if the caller itself runs under an assumed role, as Lambda
            functions do.
        observer: called with an `OperationReport` after each operation.
        registry: the event classes by name; None: all classes that are defined.
        sts: a boto3 client for ``sts``; None: the backend makes one.

    Raises:
        InvalidStreamIdError: a tenant that cannot be a tag: empty, longer than 256, or with
            characters other than letters, digits, spaces and ``_.:/=+-@``.
        ConfigurationError: a duration out of range, or inline sequencing with one log for all
            tenants.

    Requests raise `CredentialsError` if the caller cannot assume the role.
    """
    tag = tag_of(tenant_id)
    duration_s = seconds_of("duration", duration, _SHORTEST, ConfigurationError)
    if duration_s > _LONGEST:
        raise ConfigurationError(
            f"duration must be at most {_LONGEST:,} seconds (12 hours), not {duration_s}."
        )
    config = config or DynamoConfig.from_env()
    if config.sequencing == "inline" and config.log_scope == "table":
        raise ConfigurationError(
            "Inline sequencing writes to the log of all tenants, which a session of one tenant "
            'cannot: set sequencing="stream", or log_scope="tenant" for one log for each tenant.'
        )
    client = _client(config, _Assumed(config, role_arn, tag, session_name, int(duration_s), sts))
    return DynamoBackend(config, client, observer, registry=registry).in_tenant(tenant_id)


def tag_of(tenant_id: TenantId) -> str:
    """Return the tag of a tenant's session: the part of its keys before the first ``#``.

    Raises:
        InvalidStreamIdError: the tenant cannot be a tag.
    """
    tag = tenant_prefix(tenant_id)[:-1]
    if not tag or len(tag) > _MAX_TAG or not _TAKEN.fullmatch(tag):
        raise InvalidStreamIdError(
            f"The tenant {tenant_id[:40]!r} cannot be the tag of a session: use 1 to {_MAX_TAG} "
            "letters, digits, spaces, and the characters _.:/=+-@"
        )
    return tag


class _Assumed:
    """Credentials of a role, fetched for one tenant."""

    def __init__(
        self,
        config: DynamoConfig,
        role_arn: str,
        tag: str,
        session_name: str,
        duration_s: int,
        sts: Any,
    ) -> None:
        self._config = config
        self._request = {
            "RoleArn": role_arn,
            "RoleSessionName": session_name,
            "DurationSeconds": duration_s,
            "Tags": [{"Key": TAG, "Value": tag}],
        }
        self._sts = sts

    def fetch(self) -> dict[str, str]:
        """Return new credentials in the form that botocore takes."""
        if self._sts is None:
            self._sts = _sts_client(self._config)
        try:
            credentials = self._sts.assume_role(**self._request)["Credentials"]
        except Exception as error:
            raise translate(error, "AssumeRole", str(self._request["RoleArn"])) from error
        return {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "token": credentials["SessionToken"],
            "expiry_time": credentials["Expiration"].isoformat(),
        }


def _sts_client(config: DynamoConfig) -> Any:
    from boto3.session import Session

    session = Session(profile_name=config.profile)
    return session.client(
        "sts", region_name=region_of(config, session), config=client_config(config)
    )


def _client(config: DynamoConfig, assumed: _Assumed) -> Any:
    import boto3
    from botocore.credentials import DeferredRefreshableCredentials
    from botocore.session import get_session

    core = get_session()
    # botocore has no public way to give a session credentials that renew themselves.
    vars(core)["_credentials"] = DeferredRefreshableCredentials(assumed.fetch, "assume-role")
    session = boto3.Session(botocore_session=core)
    return session.client(
        "dynamodb",
        region_name=region_of(config, session),
        endpoint_url=config.endpoint_url,
        config=client_config(config),
    )
