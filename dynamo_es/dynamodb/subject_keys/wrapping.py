"""Envelope encryption with AWS KMS: a copy of the keys table alone is useless."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from dynamo_es.dynamodb.wire.client import Lazy, client_config, region_of
from dynamo_es.dynamodb.wire.errors import translate
from dynamo_es.exceptions import StoredItemError
from dynamo_es.waiting import elsewhere

if TYPE_CHECKING:
    from dynamo_es.dynamodb.config import DynamoConfig

_ALTERED: Final = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


class KmsClient(Protocol):
    """The operations of a boto3 client for ``kms`` that `KmsKeyWrapping` uses."""

    def encrypt(self, **params: Any) -> Any:
        """Encrypt up to 4 KB: ``KeyId``, ``Plaintext``, ``EncryptionContext``."""

    def decrypt(self, **params: Any) -> Any:
        """Decrypt what `encrypt` returned: ``KeyId``, ``CiphertextBlob``, ``EncryptionContext``."""


class KmsKeyWrapping:
    """Wraps secrets with a KMS key, bound to tenant and subject. Safe to share between threads.

    Tenant and subject are the encryption context. So a wrapped secret that is moved to another
    subject's item cannot be unwrapped. CloudTrail logs the context in clear text, so use an id as
    the subject, not a name or an address.

    Args:
        key_id: a symmetric KMS key: id, ARN, alias name or alias ARN.
        config: region, time-outs and attempts of the client.
        client: a boto3 client for ``kms``; None: one is made when first needed, with the endpoint
            of AWS or of ``AWS_ENDPOINT_URL_KMS``.
    """

    def __init__(self, key_id: str, config: DynamoConfig, client: KmsClient | None = None) -> None:
        self.key_id = key_id
        self._kms = Lazy(lambda: _make_client(config), client)

    def wrap(self, secret: bytes, *, tenant: str, subject: str) -> bytes:
        """Return a secret encrypted with the KMS key. Cost: 1 request.

        Args:
            secret: the secret, up to 4,096 bytes.
            tenant: partition key of the tenant's keys.
            subject: subject of the key.

        Raises:
            CredentialsError: the role may not use the KMS key.
            ServiceError: KMS refused or did not answer.
        """
        try:
            reply = self._call(
                "encrypt",
                KeyId=self.key_id,
                Plaintext=secret,
                EncryptionContext={"tenant": tenant, "subject": subject},
            )
        except Exception as error:
            raise translate(error, "Encrypt", self.key_id) from error
        return bytes(reply["CiphertextBlob"])

    def unwrap(self, wrapped: bytes, wrapped_by: str, *, tenant: str, subject: str) -> bytes:
        """Return the secret that was wrapped. Cost: 1 request.

        Args:
            wrapped: the result of `wrap`.
            wrapped_by: the KMS key that wrapped it, which may differ from the one for new keys.
            tenant: partition key of the tenant's keys.
            subject: subject of the key.

        Raises:
            StoredItemError: the secret was altered, or wrapped for another tenant or subject.
            CredentialsError: the role may not use the KMS key.
            ServiceError: KMS refused or did not answer.
        """
        try:
            reply = self._call(
                "decrypt",
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

    def _call(self, operation: str, **params: Any) -> Any:
        return elsewhere(lambda: getattr(self._kms(), operation)(**params))


def _make_client(config: DynamoConfig) -> KmsClient:
    from boto3.session import Session

    session = Session(profile_name=config.profile)
    client: KmsClient = session.client(
        "kms",
        region_name=region_of(config, session),
        config=client_config(config),
    )
    return client
