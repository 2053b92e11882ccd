"""Signs requests to DynamoDB: AWS's Signature Version 4, for one form of request.

botocore's signer parses every request to sign it, which takes longer than the rest of an append by
the lean transport. All requests here have the same form, and the key that signs them is the same
for a day. The signatures are equal to botocore's; the tests compare them.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.dynamodb.wire.lean.terms import Credentials

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
SERVICE: Final = "dynamodb"
"""The service that signatures are for."""

_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


class _Key(NamedTuple):
    """A key that signs requests for a day.

    Attributes:
        day: the day in UTC, such as ``20300131``.
        secret: the secret access key from which it was derived.
        value: the key.
    """

    day: str
    secret: str
    value: bytes


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Signer:
    """Signs requests to one endpoint.

    Args:
        url: the endpoint, without a path.
        region: region of the signature.
        now: returns the time in UTC.
    """

    def __init__(
        self,
        url: str,
        region: str,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._host = host_of(url)
        self._region = region
        self._now = now
        self._key = _Key("", "", b"")

    def sign(self, headers: dict[str, str], body: bytes, credentials: Credentials) -> None:
        """Add the signature, its time, and the session's token to the headers of a request.

        Args:
            headers: ``Content-Type`` and ``X-Amz-Target``, and nothing else.
            body: the body.
            credentials: the current credentials.
        """
        access_key, secret, token = (
            credentials.access_key,
            credentials.secret_key,
            credentials.token,
        )
        time = self._now().strftime("%Y%m%dT%H%M%SZ")
        scope = f"{time[:8]}/{self._region}/{SERVICE}/aws4_request"
        signed = "content-type;host;x-amz-date"
        canonical = (
            f"content-type:{headers['Content-Type']}\nhost:{self._host}\nx-amz-date:{time}\n"
        )
        headers["X-Amz-Date"] = time
        if token:
            headers["X-Amz-Security-Token"] = token
            signed += ";x-amz-security-token"
            canonical += f"x-amz-security-token:{token}\n"
        signed += ";x-amz-target"
        canonical += f"x-amz-target:{headers['X-Amz-Target']}\n"
        request = f"POST\n/\n\n{canonical}\n{signed}\n{sha256(body).hexdigest()}"
        text = f"{_ALGORITHM}\n{time}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(self._key_of(time[:8], secret), text.encode(), "sha256").hex()
        headers["Authorization"] = (
            f"{_ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={signed}, "
            f"Signature={signature}"
        )

    def _key_of(self, day: str, secret: str) -> bytes:
        key = self._key
        if key.day != day or key.secret != secret:
            value = f"AWS4{secret}".encode()
            for part in (day, self._region, SERVICE, "aws4_request"):
                value = hmac.digest(value, part.encode(), "sha256")
            key = self._key = _Key(day, secret, value)
        return key.value


def host_of(url: str) -> str:
    """Return the header ``Host`` of requests to a URL."""
    scheme, _, host = url.partition("://")
    name, _, port = host.rpartition(":")
    return name if name and port == _DEFAULT_PORTS.get(scheme) else host
