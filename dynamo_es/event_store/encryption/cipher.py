"""Encrypts one value with AES-256-GCM, bound to its place: tenant, stream, event and field."""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json, to_json

from dynamo_es.exceptions import MissingExtraError

if TYPE_CHECKING:
    from uuid import UUID

    from dynamo_es.values import StreamId, SubjectKey, TenantId

NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16


class UnsealError(ValueError):
    """The text was not encrypted with this key for this place."""


class Cipher:
    """Encrypts ("seals") values with one subject's key. Safe to share between threads.

    Nonces are random, so seal at most 2**32 values with a key (NIST SP 800-38D, 8.3).

    Args:
        key: the subject's key.

    Attributes:
        key_id: the key's id.

    Raises:
        MissingExtraError: cryptography is not installed.
    """

    __slots__ = ("_aead", "_invalid", "key_id")

    def __init__(self, key: SubjectKey) -> None:
        try:
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as error:
            raise MissingExtraError("encryption", "Encrypting fields of events") from error
        self.key_id = key.id
        self._aead = AESGCM(key.secret)
        self._invalid = InvalidTag

    def seal(self, value: Any, place: bytes) -> str:
        """Encrypt a JSON value; return base64 of nonce (12 bytes), ciphertext and tag (16 bytes).

        Args:
            value: the JSON value.
            place: place of the value, from `place_of`.
        """
        nonce = os.urandom(NONCE_BYTES)
        return b64encode(nonce + self._aead.encrypt(nonce, to_json(value), place)).decode()

    def unseal(self, text: Any, place: bytes) -> Any:
        """Return the JSON value of a sealed text.

        Raises:
            UnsealError: the text was altered, or sealed with another key or for another place.
        """
        try:
            sealed = b64decode(text, validate=True)
        except (ValueError, TypeError) as error:
            raise UnsealError("not base64") from error
        if len(sealed) < NONCE_BYTES + _TAG_BYTES:
            raise UnsealError("too short")
        try:
            plain = self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
        except self._invalid as error:
            raise UnsealError("not sealed with this key for this place") from error
        return from_json(plain)


def place_of(tenant_id: TenantId, stream_id: StreamId, event_uuid: UUID, pointer: str) -> bytes:
    """Return the place that the ciphertext of a value is bound to.

    It is JSON, so that two places never look the same. It is ASCII, so that any text is valid.

    Args:
        tenant_id: the tenant.
        stream_id: the stream; its name is not part of the place.
        event_uuid: the event.
        pointer: JSON pointer of the field in the event's data.
    """
    place = [tenant_id, stream_id.category, str(stream_id), str(event_uuid), pointer]
    return json.dumps(place, separators=(",", ":")).encode("ascii")
