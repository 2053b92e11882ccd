"""Wrapping of keys by AWS KMS: who copies the table of keys has no keys yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from dynamo_es.dynamodb.wire.client import Lazy, client_config, region_of
from dynamo_es.dynamodb.wire.errors import translate
from dynamo_es.exceptions import StoredItemError

if TYPE_CHECKING:
    from dynamo_es.dynamodb.config import DynamoConfig

_ALTERED: Final = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


class KmsClient(Protocol):
    """What is used of a boto3 client for ``kms``."""

    def encrypt(self, **params: Any) -> Any:
        """Encrypt up to 4 KB: ``KeyId``, ``Plaintext``, ``EncryptionContext``."""

    def decrypt(self, **params: Any) -> Any:
        """Decrypt it: ``KeyId``, ``CiphertextBlob``, ``EncryptionContext``."""


class KmsKeyWrapping:
    """Wraps secrets by a KMS key, bound to tenant and subject. Safe to share between threads.

    Tenant and subject are the encryption context: a wrapped secret that is moved to another
    subject's item cannot be unwrapped. CloudTrail logs that context in clear, so a subject
    should be an id, not a name or an address.

    Args:
        key_id: the KMS key: its id, ARN, alias name or alias ARN; symmetric.
        config: region, time-outs and attempts of the client.
        client: a boto3 client for ``kms``; None: one is made when it is first needed. Its
            endpoint is AWS's or that of ``AWS_ENDPOINT_URL_KMS``.
    """

    def __init__(self, key_id: str, config: DynamoConfig, client: KmsClient | None = None) -> None:
        self.key_id = key_id
        self._kms = Lazy(lambda: _make_client(config), client)

    def wrap(self, secret: bytes, *, tenant: str, subject: str) -> bytes:
        """Return a secret encrypted by the KMS key: 1 request.

        Args:
            secret: up to 4,096 bytes.
            tenant: partition key of the tenant's keys.
            subject: whose key it is.

        Raises:
            CredentialsError: the role may not use the KMS key.
            ServiceError: KMS refused or did not answer.
        """
        kms = self._kms()
        try:
            reply = kms.encrypt(
                KeyId=self.key_id,
                Plaintext=secret,
                EncryptionContext={"tenant": tenant, "subject": subject},
            )
        except Exception as error:
            raise translate(error, "Encrypt", self.key_id) from error
        return bytes(reply["CiphertextBlob"])

    def unwrap(self, wrapped: bytes, wrapped_by: str, *, tenant: str, subject: str) -> bytes:
        """Return the secret that was wrapped: 1 request.

        Args:
            wrapped: from `wrap`.
            wrapped_by: the KMS key that wrapped it; need not be the one that wraps new keys.
            tenant: partition key of the tenant's keys.
            subject: whose key it is.

        Raises:
            StoredItemError: it was altered, or wrapped for another tenant or subject.
            CredentialsError: the role may not use the KMS key.
            ServiceError: KMS refused or did not answer.
        """
        kms = self._kms()
        try:
            reply = kms.decrypt(
                KeyId=wrapped_by,
                CiphertextBlob=wrapped,
                EncryptionContext={"tenant": tenant, "subject": subject},
            )
        except Exception as error:
            failure = translate(error, "Decrypt", wrapped_by)
            if getattr(failure, "code", None) in _ALTERED:
                raise StoredItemError(
                    tenant, subject, f"{wrapped_by} did not wrap this key for this subject."
                ) from error
            raise failure from error
        return bytes(reply["Plaintext"])


def _make_client(config: DynamoConfig) -> KmsClient:
    from boto3.session import Session

    session = Session()
    client: KmsClient = session.client(
        "kms",
        region_name=region_of(config, session),
        config=client_config(config),
    )
    return client
