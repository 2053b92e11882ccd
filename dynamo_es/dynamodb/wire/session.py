"""The boto3 session of a client, and default settings for a local engine."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from dynamo_es.dynamodb.config import aws_region

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.session import Session as CoreSession

    from dynamo_es.dynamodb.config import DynamoConfig

LOCAL_REGION: Final = "us-east-1"
"""Region for a local engine if none is configured."""

_LOCAL_KEY: Final = "local"
_METADATA_SERVICE: Final = "iam-role"


@dataclass(frozen=True, slots=True)
class StandIns:
    """The missing settings that a local engine needs. Any value will do.

    Attributes:
        region: whether to use `LOCAL_REGION` as the region.
        credentials: whether to use dummy credentials.
    """

    region: bool = False
    credentials: bool = False


def is_local(config: DynamoConfig) -> bool:
    """Return whether the endpoint is on this machine: a loopback address or ``localhost``."""
    if config.endpoint_url is None:
        return False
    try:
        host = urlsplit(config.endpoint_url).hostname or ""
        return host == "localhost" or host.endswith(".localhost") or ip_address(host).is_loopback
    except ValueError:
        return False


def stand_ins(config: DynamoConfig) -> StandIns:
    """Return which settings need a stand-in, if the endpoint is an engine on this machine.

    Configured settings are kept, because an engine may separate the tables of each region and
    access key.

    Raises:
        botocore.exceptions.ProfileNotFound: the AWS profile does not exist.
    """
    return _missing(config, _core_session(config)) if is_local(config) else StandIns()


def make_session(config: DynamoConfig) -> Session:
    """Return a new session; for a local engine it always has a region and credentials."""
    from boto3.session import Session

    if not is_local(config):
        return Session(profile_name=config.profile)
    core = _core_session(config)
    missing = _missing(config, core)
    if missing.region:
        core.set_config_variable("region", LOCAL_REGION)
    if missing.credentials:
        core.set_credentials(_LOCAL_KEY, _LOCAL_KEY)
    return Session(botocore_session=core)


def _core_session(config: DynamoConfig) -> CoreSession:
    from botocore.session import Session

    core = Session(profile=config.profile)
    # A local engine needs no credentials of EC2's metadata service, and outside of EC2 a request to
    # it takes seconds to fail.
    core.get_component("credential_provider").remove(_METADATA_SERVICE)
    return core


def _missing(config: DynamoConfig, core: CoreSession) -> StandIns:
    region = config.region or core.get_config_variable("region") or aws_region()
    return StandIns(region=not region, credentials=core.get_credentials() is None)
