"""Takes the endpoint and the credentials from boto3, for requests that aiohttp sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from dynamo_es.dynamodb.wire.lean.terms import Credentials, Terms
from dynamo_es.waiting import Turn, elsewhere, how_to_wait

if TYPE_CHECKING:
    from botocore.credentials import Credentials as BotocoreCredentials

_AHEAD: Final = 15 * 60
"""Seconds before credentials end at which they are renewed, while requests use the old ones."""

_AT_ONCE: Final = 60
"""Seconds before credentials end at which requests wait for new ones."""


class RenewedCredentials:
    """Credentials that botocore renews in a thread before they end.

    Args:
        source: the credentials object of botocore.
    """

    def __init__(self, source: BotocoreCredentials) -> None:
        self._source: Any = source
        self._turn = Turn()
        self._is_renewing = False
        self._now = self._frozen()

    @property
    def access_key(self) -> str:
        """Id of the access key."""
        return self._now.access_key

    @property
    def secret_key(self) -> str:
        """The secret that belongs to `access_key`."""
        return self._now.secret_key

    @property
    def token(self) -> str | None:
        """The session's token that belongs to `access_key`."""
        return self._now.token

    def renew(self) -> None:
        """Make sure that the credentials are valid. Call it before each signature."""
        needed = getattr(self._source, "refresh_needed", None)
        if needed is None or not (self._turn.taken or needed(_AHEAD)):
            return
        waits = how_to_wait()
        # After a renewal, the source has the new ones before this object has them.
        if waits is None or self._turn.taken or needed(_AT_ONCE):
            with self._turn:
                if waits is None or needed(_AT_ONCE):
                    self._now = elsewhere(self._frozen)
        elif not self._is_renewing:
            self._is_renewing = True
            waits.begin(self._renew_ahead)

    def _renew_ahead(self) -> None:
        try:
            self._now = elsewhere(self._frozen)
        except Exception:  # noqa: BLE001, S110 - the old ones are still valid; a waiting request raises it
            pass
        finally:
            self._is_renewing = False

    def _frozen(self) -> Credentials:
        frozen = self._source.get_frozen_credentials()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)


def terms_from(client: Any) -> Terms | None:
    """Return endpoint, region and credentials of a client; None if only boto3 can send.

    That is so with a proxy, an endpoint of an unusual form, or another kind of signature.
    """
    from botocore.utils import get_environ_proxies

    endpoint = client.meta.endpoint_url
    parts = urlsplit(endpoint)
    signer = client._request_signer  # noqa: SLF001 - there is no public way
    source = signer._credentials  # noqa: SLF001
    if (
        client.meta.config.proxies
        or get_environ_proxies(endpoint)
        or parts.path.strip("/")
        or parts.query
        or source is None
        or signer.signature_version != "v4"
    ):
        return None
    session = client._endpoint.http_session  # noqa: SLF001
    verify = getattr(session, "_verify", True)
    if verify is False:
        return None
    bundle = verify if isinstance(verify, str) else None
    plain = f"{parts.scheme}://{parts.netloc}"
    credentials: Any = RenewedCredentials(source)
    return Terms(plain, signer.region_name, credentials, bundle)
