"""`DynamoKeyStorage`: the keys of subjects on DynamoDB, one item for each subject."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from dynamo_es.contracts import KeyStorageStrategy
from dynamo_es.contracts.checks.arguments import check_subject, check_tenant
from dynamo_es.contracts.stream_keys import subjects_key
from dynamo_es.dynamodb.subject_keys.requests import (
    StoredKey,
    get_key,
    is_shredded,
    key_item,
    put_new_key,
    read_key,
    shred_key,
)
from dynamo_es.dynamodb.subject_keys.wrapping import KmsKeyWrapping
from dynamo_es.dynamodb.wire.awaiting_arrival import await_arrival
from dynamo_es.dynamodb.wire.errors import ConditionRefused, OutcomeUnknown
from dynamo_es.exceptions import ContentionError, InputError, StoredItemError
from dynamo_es.values import DEFAULT_TENANT, SubjectKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.dynamodb.wire.steps import Item, Steps
    from dynamo_es.values import TenantId

_ROUNDS: Final = 5
"""The most attempts to create a key while other callers keep shredding the subject's keys."""


def find_key(
    table: str, tenant: str, subject: str, *, is_replica: bool = False
) -> Steps[StoredKey | None]:
    """Return a subject's key; None if the subject has none.

    A shredded key leaves an item. So if a replica region has no item, the key has not arrived yet,
    because the event that needs it was written later.

    Raises:
        ReplicaLagError: the key has not arrived in this region by the deadline.
    """
    response = yield get_key(table, tenant, subject)
    item = response.get("Item")
    tries = 1
    while item is None and is_replica:
        yield from await_arrival(tries, "GetItem", "The key of a subject", f"table {table}")
        response = yield get_key(table, tenant, subject)
        item = response.get("Item")
        tries += 1
    return None if item is None or is_shredded(item) else read_key(tenant, subject, item)


def find_or_create_key(table: str, tenant: str, subject: str, item: Item) -> Steps[StoredKey]:
    """Put a key unless the subject has one, and return the key that the subject has now.

    After a lost reply it does not matter which caller's key is stored, because it is the subject's
    key. But a key that may have been stored and then shredded is never put again.
    """
    shredded: Item | None = None
    for _ in range(_ROUNDS):
        lost: Exception | None = None
        there: Item | None = None
        try:
            yield put_new_key(table, item, shredded)
        except ConditionRefused as refused:
            there = next(filter(None, refused.items), None)
            if refused.maybe_landed:
                lost = _contention(table)
        except OutcomeUnknown as unknown:
            # The put may still arrive. No event is encrypted with the key before it is read.
            lost = unknown
        else:
            return read_key(tenant, subject, item)
        if there is None:
            response = yield get_key(table, tenant, subject)
            there = response.get("Item")
        if there is not None and not is_shredded(there):
            return read_key(tenant, subject, there)
        if lost is not None:
            raise lost
        shredded = there
    raise _contention(table)


def drop_key(table: str, tenant: str, subject: str) -> Steps[bool]:
    """Shred the key that a subject has; return whether it ever had one."""
    response = yield get_key(table, tenant, subject)
    there = response.get("Item")
    if there is None or is_shredded(there):
        return there is not None
    key = read_key(tenant, subject, there)
    # DynamoDB refuses it if another caller has shredded this key. A new key of the subject stays.
    with suppress(ConditionRefused):
        yield shred_key(table, tenant, subject, key.id)
    return True


def _contention(table: str) -> ContentionError:
    return ContentionError(
        "PutItem", "LostRaces", "the subject's key was shredded at the same time.", table
    )


class DynamoKeyStorage(KeyStorageStrategy):
    """Keys of one tenant's subjects on DynamoDB. Safe to share between threads.

    A deletion leaves an item with the number of deleted keys, so that no late request can bring a
    key back or delete the next one. A deleted key stays in the table's point-in-time recovery for
    the number of days in ``infra/event-store.yaml``.

    Args:
        config: name of the keys table; ``kms_key_id`` to wrap new keys.
        gateway: sends the requests.
        clock: returns seconds since the epoch.
        tenant_id: tenant of the subjects.
        wrapping: wraps and unwraps keys; None: AWS KMS, with a client for ``config``.
    """

    def __init__(
        self,
        config: DynamoConfig,
        gateway: Gateway,
        clock: Callable[[], float],
        tenant_id: TenantId = DEFAULT_TENANT,
        wrapping: KmsKeyWrapping | None = None,
    ) -> None:
        check_tenant(tenant_id)
        self._config = config
        self._gateway = gateway
        self._clock = clock
        self._tenant_id = tenant_id
        self._wrapping = wrapping or KmsKeyWrapping(config.kms_key_id or "", config)

    def get(self, subject: str) -> SubjectKey | None:
        """Return a subject's key; see `KeyStorageStrategy.get`."""
        tenant = self._check(subject)
        is_replica = self._config.replication == "replica"
        steps = find_key(self._config.keys_table, tenant, subject, is_replica=is_replica)
        stored = self._gateway.run("get_key", self._tenant_id, None, steps)
        return None if stored is None else self._open(tenant, subject, stored)

    def get_or_create(self, subject: str, new: SubjectKey) -> SubjectKey:
        """Return a subject's key, created if missing; see `KeyStorageStrategy.get_or_create`."""
        tenant = self._check(subject)
        self._config.refuse_in_replica("create_key")
        key_bytes, wrapped_by = new.secret, self._wrapping.key_id or None
        if wrapped_by is not None:
            key_bytes = self._wrapping.wrap(new.secret, tenant=tenant, subject=subject)
        item = key_item(
            tenant,
            subject,
            StoredKey(new.id, key_bytes, wrapped_by),
            created_at=int(self._clock()),
        )
        steps = find_or_create_key(self._config.keys_table, tenant, subject, item)
        stored = self._gateway.run("create_key", self._tenant_id, None, steps)
        return new if stored.id == new.id else self._open(tenant, subject, stored)

    def delete(self, subject: str) -> bool:
        """Delete a subject's key; see `KeyStorageStrategy.delete`."""
        tenant = self._check(subject)
        self._config.refuse_in_replica("delete_key")
        steps = drop_key(self._config.keys_table, tenant, subject)
        return self._gateway.run("delete_key", self._tenant_id, None, steps)

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return the key storage of a tenant; see `KeyStorageStrategy.scoped_for_tenant`."""
        return type(self)(self._config, self._gateway, self._clock, tenant_id, self._wrapping)

    def _check(self, subject: str) -> str:
        check_subject(subject)
        return subjects_key(self._tenant_id)

    def _open(self, tenant: str, subject: str, stored: StoredKey) -> SubjectKey:
        secret = stored.key_bytes
        if stored.wrapped_by is not None:
            secret = self._wrapping.unwrap(
                secret, stored.wrapped_by, tenant=tenant, subject=subject
            )
        try:
            return SubjectKey(stored.id, secret)
        except InputError as error:
            raise StoredItemError(tenant, subject, f"it is not a key: {error}") from error
