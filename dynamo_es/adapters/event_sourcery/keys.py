"""Their key storage, in our keys table, for keys that encrypt personal data in events."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Final, Self

from event_sourcery import DEFAULT_TENANT, TenantId
from event_sourcery.interfaces import EncryptionKeyStorageStrategy

from dynamo_es.contracts.checks.arguments import check_subject
from dynamo_es.contracts.checks.functions import check_injected
from dynamo_es.contracts.stream_keys import subjects_key
from dynamo_es.dynamodb.subject_keys.requests import (
    StoredKey,
    get_key,
    key_item,
    replace_key,
)
from dynamo_es.dynamodb.subject_keys.storage import drop_key, find_key
from dynamo_es.dynamodb.subject_keys.wrapping import KmsKeyWrapping
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.exceptions import ContentionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from dynamo_es.adapters.event_sourcery.config import DynamoDBConfig
    from dynamo_es.dynamodb.wire.steps import Item, Steps

_ROUNDS: Final = 5


class DynamoDBKeyStorage(EncryptionKeyStorageStrategy):
    """Keys of one tenant's subjects, of any length. Reads are consistent.

    The item of a deleted key stays with its number, so that no late request restores the key. A
    subject that is not text, such as a UUID, has the same key as its text. A deleted key stays in
    the table's point-in-time recovery for the days that ``infra/event-store.yaml`` sets.

    Args:
        client: a boto3 client for DynamoDB.
        config: has the name of the table, and ``kms_key_id`` if keys are wrapped.
        tenant_id: tenant of the subjects.
        wrapping: wraps and unwraps keys; None: AWS KMS, if it is configured.
        clock: returns seconds since the epoch.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        config: DynamoDBConfig,
        tenant_id: TenantId = DEFAULT_TENANT,
        *,
        wrapping: KmsKeyWrapping | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        check_injected(clock=clock)
        self._client = client
        self._config = config
        self._tenant_id = tenant_id
        self._tenant = subjects_key(tenant_id)
        self._wrapping = wrapping or KmsKeyWrapping(config.kms_key_id or "", config.of_core())
        self._clock = clock
        self._gateway = Gateway(lambda: client, config.of_core())

    def get(self, subject_id: str) -> bytes | None:
        """Return a subject's key; None if it has none. Cost: 1 request, 1 read unit."""
        subject = str(subject_id)
        if not subject:  # their library passes this for a field whose subject is unknown
            return None
        check_subject(subject)
        steps = find_key(self._config.keys_table, self._tenant, subject)
        stored = self._gateway.run("get_key", self._tenant_id, None, steps)
        if stored is None or stored.wrapped_by is None:
            return None if stored is None else bytes(stored.key_bytes)
        return self._wrapping.unwrap(
            stored.key_bytes, stored.wrapped_by, tenant=self._tenant, subject=subject
        )

    def store(self, subject_id: str, key: bytes) -> None:
        """Store a subject's key, and replace an existing one. Cost: 2 requests.

        Raises:
            InvalidSubjectError: the subject is not text of 1 to 1,024 bytes.
        """
        subject = str(subject_id)
        check_subject(subject)
        wrapped_by = self._wrapping.key_id or None
        if wrapped_by is not None:
            key = self._wrapping.wrap(key, tenant=self._tenant, subject=subject)
        item = key_item(
            self._tenant,
            subject,
            StoredKey(secrets.token_hex(8), bytes(key), wrapped_by),
            created_at=int(self._clock()),
        )
        steps = _replace(self._config.keys_table, self._tenant, subject, item)
        self._gateway.run("store_key", self._tenant_id, None, steps)

    def delete(self, subject_id: str) -> None:
        """Delete a subject's key; do nothing if it has none. Cost: 2 requests."""
        subject = str(subject_id)
        check_subject(subject)
        steps = drop_key(self._config.keys_table, self._tenant, subject)
        self._gateway.run("delete_key", self._tenant_id, None, steps)

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return a storage for the keys of that tenant."""
        return type(self)(
            self._client, self._config, tenant_id, wrapping=self._wrapping, clock=self._clock
        )


def _replace(table: str, tenant: str, subject: str, item: Item) -> Steps[None]:
    """Replace the present item, but not one that another writer stores in the meantime."""
    for _ in range(_ROUNDS):
        response = yield get_key(table, tenant, subject)
        try:
            yield replace_key(table, item, response.get("Item"))
        except ConditionRefused as refused:
            if refused.maybe_landed:
                # An attempt whose reply was lost stored the key, and it was deleted or replaced
                # since.
                return
        else:
            return
    raise ContentionError("PutItem", "LostRaces", "other writers store keys of the subject.", table)
