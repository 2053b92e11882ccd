"""Decides whether the lean transport can serve a configuration, and with which endpoint and keys.

It can if the environment has everything that botocore would find: static credentials, a region of
the standard partition, no configuration files and no switches. botocore handles all other settings,
so a variable that this module does not know rules the lean transport out.
"""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from dynamo_es.dynamodb.wire.lean.header_values import has_blanks
from dynamo_es.dynamodb.wire.session import LOCAL_REGION, is_local
from dynamo_es.environment import variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamo_es.dynamodb.config import DynamoConfig

_log = logging.getLogger("dynamo_es")

# The regions of the partition `aws`, as in botocore's `partitions.json`.
_STANDARD_REGION: Final = re.compile(r"(us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-[0-9]+")
_SEPARATE_SUFFIX: Final = ".api.aws"
"""Addresses with both IPv4 and IPv6, which botocore refuses as a configured endpoint."""

_ACCESS_KEY: Final = "AWS_ACCESS_KEY_ID"
_SECRET_KEY: Final = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - the name of a variable
_TOKEN: Final = "AWS_SESSION_TOKEN"  # noqa: S105 - the name of a variable
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL")
_REGIONS: Final = ("AWS_DEFAULT_REGION", "AWS_REGION")
_CA_BUNDLES: Final = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
_FILES: Final[Mapping[str, str]] = {
    "AWS_CONFIG_FILE": "~/.aws/config",
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
}

_UNDERSTOOD: Final = frozenset(
    {_ACCESS_KEY, _SECRET_KEY, _TOKEN, *_ENDPOINTS, *_REGIONS, *_CA_BUNDLES, *_FILES}
)
_WITHOUT_EFFECT: Final = frozenset(
    {
        # `DynamoConfig` states these for every client.
        *("AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"),
        # Other sources of credentials, which do not matter because the environment has some.
        *("AWS_EC2_METADATA_DISABLED", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"),
        *("AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        # Variables of the runtime and of other tools and services.
        *("AWS_EXECUTION_ENV", "AWS_PAGER", "AWS_STS_REGIONAL_ENDPOINTS"),
    }
)
_PREFIXES_WITHOUT_EFFECT: Final = ("AWS_LAMBDA_", "AWS_XRAY_", "AWS_ENDPOINT_URL_")
_OF_PROXY: Final = re.compile(r".*_proxy", re.IGNORECASE | re.DOTALL).fullmatch
_OF_BOTOCORE: Final = ("AWS_", "BOTO", "REQUESTS_CA_BUNDLE")


class Credentials(NamedTuple):
    """Static credentials, under the names that botocore's signer reads.

    Attributes:
        access_key: id of the access key.
        secret_key: the secret.
        token: the session token; None: the credentials are those of a user.
    """

    access_key: str
    secret_key: str
    token: str | None

    def __repr__(self) -> str:
        return "Credentials(…)"


class Terms(NamedTuple):
    """The endpoint of the lean transport, and the facts that its signature needs.

    Attributes:
        endpoint: URL without a path.
        region: region of the signature.
        credentials: the credentials in the environment.
        ca_bundle: file of the certificates to trust; None: those that botocore trusts.
    """

    endpoint: str
    region: str
    credentials: Credentials
    ca_bundle: str | None = None


class _Unfit(Exception):  # noqa: N818 - an answer, not an error
    """The lean transport cannot serve this configuration. The text is the reason."""


def terms_of(config: DynamoConfig, environ: Mapping[str, str] | None = None) -> Terms | None:
    """Return what the lean transport needs; None if it cannot serve, with a debug message.

    Args:
        config: configuration of the store.
        environ: the environment variables; None: those of the process.
    """
    try:
        return _terms(config, variables(environ))
    except _Unfit as reason:
        _log.debug("boto3 sends the requests instead of the lean transport: %s.", reason)
        return None


def _terms(config: DynamoConfig, environ: Mapping[str, str]) -> Terms:
    _check_variables(environ)
    _check_files(environ)
    _check_process()
    if config.profile is not None:
        raise _Unfit("a profile is configured")
    region = config.region or _first(environ, _REGIONS)
    if region is None and is_local(config):
        region = LOCAL_REGION
    if region is None or not _STANDARD_REGION.fullmatch(region):
        raise _Unfit(f"the region {region!r:.40} is not one of the standard partition")
    return Terms(
        _endpoint(config, environ, region), region, _credentials(environ), _ca_bundle(environ)
    )


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environ[name] for name in names if environ.get(name)), None)


def _check_variables(environ: Mapping[str, str]) -> None:
    for name in environ:
        if not name.startswith(_OF_BOTOCORE) or name in _UNDERSTOOD or name in _WITHOUT_EFFECT:
            continue
        # Even an empty variable counts: an empty `AWS_PROFILE` is a profile that does not exist.
        if not name.startswith(_PREFIXES_WITHOUT_EFFECT):
            raise _Unfit(f"{name} is set")


def _check_files(environ: Mapping[str, str]) -> None:
    for name, usual in _FILES.items():
        path = Path(environ.get(name) or usual)
        try:
            size = path.expanduser().stat().st_size
        except FileNotFoundError:
            continue
        except (OSError, RuntimeError) as error:
            raise _Unfit(f"{path} cannot be read ({type(error).__name__})") from error
        if size:
            raise _Unfit(f"{path} is not empty")


def _check_process() -> None:
    """Refuse if the lean transport would bypass a proxy, or a tool that hooks into botocore."""
    if _has_proxy():
        raise _Unfit("a proxy is configured")
    client = sys.modules.get("botocore.client")
    if client is not None and is_replaced(client.BaseClient._make_api_call):  # noqa: SLF001
        raise _Unfit("a tool hooks into botocore")
    moto = sys.modules.get("moto.core.models")
    if moto is not None and getattr(moto.botocore_stubber, "enabled", True):
        raise _Unfit("moto answers for AWS")
    urllib3 = sys.modules.get("urllib3")
    if urllib3 is not None and urllib3.__version__.startswith("1."):
        raise _Unfit("urllib3 is older than 2")


def _has_proxy() -> bool:
    if sys.platform == "linux" and not any(map(_OF_PROXY, variables())):
        return False  # there are no other settings there, and the module takes 1% of a first append
    from urllib.request import getproxies

    return bool(set(getproxies()) - {"no"})


def is_replaced(method: Any) -> bool:
    """Return whether a method of botocore is a function of another package, or a proxy of one."""
    # Not `isinstance`: a proxy pretends to be the object that it wraps.
    if type(method) is not FunctionType:
        return True
    return not str(method.__globals__["__name__"]).startswith("botocore.")


def _credentials(environ: Mapping[str, str]) -> Credentials:
    access_key, secret_key = environ.get(_ACCESS_KEY), environ.get(_SECRET_KEY)
    if not access_key or not secret_key:
        raise _Unfit("the environment has no credentials")
    token = environ.get(_TOKEN) or None
    if token is not None and has_blanks(token):
        raise _Unfit("the session token has spaces")
    return Credentials(access_key, secret_key, token)


def _endpoint(config: DynamoConfig, environ: Mapping[str, str], region: str) -> str:
    configured = config.endpoint_url or _first(environ, _ENDPOINTS)
    if configured is None:
        return f"https://dynamodb.{region}.amazonaws.com"
    try:
        parts = urlsplit(configured)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _Unfit("the endpoint is not a URL") from error
    plain = f"{parts.scheme}://{parts.netloc}"
    if (
        not host
        or port == 0
        or parts.scheme not in {"http", "https"}
        or not re.fullmatch(r"[a-z0-9.-]+(:[0-9]+)?", parts.netloc)
        or configured.rstrip("/") != plain
        or host.endswith(_SEPARATE_SUFFIX)
    ):
        raise _Unfit("the endpoint has more than a scheme, a host and a port")
    return plain


def _ca_bundle(environ: Mapping[str, str]) -> str | None:
    bundle = next((environ[name] for name in _CA_BUNDLES if name in environ), None)
    if bundle is not None and not Path(bundle).is_file():
        raise _Unfit("the certificate bundle is not a file")
    return bundle
