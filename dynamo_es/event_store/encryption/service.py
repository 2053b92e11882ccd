"""`Encryption`: encrypts and decrypts marked fields of events, and shreds subjects' keys."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from pydantic import BaseModel

from dynamo_es.contracts.checks.arguments import check_kind, check_subject
from dynamo_es.contracts.checks.functions import check_injected
from dynamo_es.contracts.checks.payload import NotJsonError, check_json
from dynamo_es.event_store.encryption.cipher import Cipher, UnsealError, place_of
from dynamo_es.event_store.encryption.hidden import refuse_marked
from dynamo_es.event_store.encryption.key_cache import KeyCache, ThrowawayKeys, forget_everywhere
from dynamo_es.event_store.encryption.plan import Place
from dynamo_es.event_store.encryption.plan_from_marks import encrypted_fields, has_encrypted_fields
from dynamo_es.exceptions import (
    DecryptionError,
    EncryptedFieldError,
    InvalidEventError,
    NoSubjectIdFound,
    UnknownSubjectError,
)
from dynamo_es.values import DEFAULT_TENANT, SubjectKey

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from dynamo_es.contracts import KeyStorageStrategy
    from dynamo_es.event_store.encryption.plan import Leaf
    from dynamo_es.values import StreamId, TenantId

__all__ = ["Encryption"]

Json: TypeAlias = dict[str, Any]
Keys: TypeAlias = dict[str, Cipher | None]
"""The keys that one load has read, by subject; None if a subject has no key."""


class Encryption:
    """Encrypts and decrypts fields of a tenant's events, and shreds keys. Threads can share it.

    Args:
        key_storage: the storage of the subjects' keys.
        clock: returns seconds since the epoch.
        new_key: returns a new key for a subject.
        tenant_id: the tenant of the events.
        cache: keeps keys of all tenants; None: a new cache, for 300 s and 10,000 keys.
    """

    def __init__(
        self,
        key_storage: KeyStorageStrategy,
        *,
        clock: Callable[[], float] = time.time,
        new_key: Callable[[], SubjectKey] = SubjectKey.random,
        tenant_id: TenantId = DEFAULT_TENANT,
        cache: KeyCache | None = None,
    ) -> None:
        check_injected(clock=clock, new_key=new_key)
        self._key_storage = key_storage.scoped_for_tenant(tenant_id)
        self._clock = clock
        self._new_key = new_key
        self._tenant_id = tenant_id
        self._cache = KeyCache(clock) if cache is None else cache

    def forget_keys(self) -> None:
        """Drop the cached keys of all tenants, so that the next use reads them again."""
        self._cache.clear()

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return the encryption of one tenant; this one does not change.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
        return type(self)(
            self._key_storage,
            clock=self._clock,
            new_key=self._new_key,
            tenant_id=tenant_id,
            cache=self._cache,
        )

    def with_throwaway_keys(self) -> Self:
        """Return an encryption that makes new keys in memory, and neither reads nor stores keys."""
        return type(self)(ThrowawayKeys(), new_key=self._new_key, tenant_id=self._tenant_id)

    def reading(self) -> Keys:
        """Return a dict for the `decrypt` calls of one load, so that they read no key twice."""
        return {}

    def encrypt(
        self, event: BaseModel, data: Json, stream_id: StreamId, event_uuid: UUID
    ) -> tuple[Json, list[Any]]:
        """Return an event's JSON with its marked fields encrypted, and notes for `decrypt`.

        If a subject has no key yet, one is made. The subject of a field is the one that its mark
        names, else the `DataSubject` of its model, else that of the model around it, else the
        stream's name.

        Args:
            event: the event.
            data: JSON of the event, by serialization alias; it does not change.
            stream_id: stream of the event.
            event_uuid: id of the event.

        Returns:
            The JSON, and notes to store with it: a list of
            ``[subject, key id, {JSON pointer: mask, …}]``. Without marked fields, ``data``
            itself and ``[]``.

        Raises:
            NoSubjectIdFound: a value has no subject, or its subject field is empty.
            InvalidSubjectError: a subject is longer than 1,024 bytes.
            EncryptedFieldError: a mark is in a place that cannot be encrypted.
            InvalidEventError: a value is not JSON.
            MissingExtraError: cryptography is not installed.
            ServiceError: the key could not be read or made.

        Cost: 1 request for each subject whose key is not in the cache.
        """
        check_kind("event", event, BaseModel)
        plan = encrypted_fields(type(event))
        if not plan.has_encrypted_fields:
            if plan.may_hide():
                refuse_marked(event, (type(event).__qualname__, "*"), has_encrypted_fields)
            return data, []
        keys: dict[str, Cipher] = {}
        notes: dict[str, dict[str, Any]] = {}

        def seal(leaf: Leaf, pointer: str, subject: str | None, value: Any) -> str:
            if not subject:
                raise NoSubjectIdFound(stream_id, type(event).__qualname__, pointer)
            try:
                check_json(value)
            except NotJsonError as error:
                # The path within the value is left out, because the keys of a secret dict are
                # secret.
                raise InvalidEventError(
                    stream_id, f"a value in the encrypted field {pointer} {error.reason}"
                ) from None
            cipher = keys.get(subject)
            if cipher is None:
                cipher = keys[subject] = self._key_to_write(subject)
            notes.setdefault(subject, {})[pointer] = leaf.mask
            return cipher.seal(value, place_of(self._tenant_id, stream_id, event_uuid, pointer))

        place = Place("", stream_id.name, event, seal, encrypted_fields)
        sealed = plan.seal(event, data, place)
        return sealed, [[subject, keys[subject].key_id, masks] for subject, masks in notes.items()]

    def refuse_marked_context(self, context: BaseModel) -> None:
        """Raise `EncryptedFieldError` if an event's metadata has encrypted fields.

        Metadata is stored in clear.
        """
        check_kind("context", context, BaseModel)
        kind = type(context)
        if has_encrypted_fields(kind):
            raise EncryptedFieldError(
                kind.__qualname__,
                "*",
                "metadata is stored in clear, so it cannot have encrypted fields: "
                "put them into the event.",
            )
        refuse_marked(context, (kind.__qualname__, "*"), has_encrypted_fields)

    def decrypt(
        self,
        data: Json,
        notes: list[Any],
        stream_id: StreamId,
        event_uuid: UUID,
        *,
        event_type: type[BaseModel] | None = None,
        keys: Keys | None = None,
    ) -> Json:
        """Return an event's JSON with its fields decrypted, or masked if their key is deleted.

        The notes say which fields are encrypted, because the class may have changed since.

        Args:
            data: the stored JSON; it does not change.
            notes: the notes from `encrypt`.
            stream_id: the stream.
            event_uuid: the event's id.
            event_type: class of the event; the masks of its fields take precedence over those in
                the notes.
            keys: dict from `reading`, the same one for all events of a load.

        Raises:
            DecryptionError: a value was altered, or moved from another field, event, stream or
                tenant.
            MissingExtraError: cryptography is not installed.
            ServiceError: the key could not be read.

        Cost: 1 request for each subject of a load whose key is not in the cache.
        """
        keys = {} if keys is None else keys
        document = _Document(data)
        for subject, key_id, masks in _groups(notes, stream_id):
            if subject not in keys:
                keys[subject] = self._key_to_read(subject)
            cipher = keys[subject]
            for pointer, noted in masks.items():
                try:
                    sealed = document.get(pointer)
                    if cipher is None or cipher.key_id != key_id:
                        value = _mask(event_type, pointer, noted)
                    else:
                        place = place_of(self._tenant_id, stream_id, event_uuid, pointer)
                        value = cipher.unseal(sealed, place)
                    document.put(pointer, value)
                except (LookupError, UnsealError) as error:
                    raise DecryptionError(stream_id, pointer) from error
        changed: Json = document.root
        return changed

    def shred(self, subject: str) -> None:
        """Delete a subject's key, so that the subject's encrypted fields can never be read again.

        ``backend.encryption.shred("ann")``

        This process forgets the key at once. Other processes may use it for up to 300 seconds;
        fields that they encrypt in that time load as masks later. Backups of the table keep a copy
        of the key until they expire. If the call fails, repeat it: that is safe.

        Raises:
            UnknownSubjectError: the subject never had a key in this tenant, so no field was
                encrypted for it. Check the spelling.
            InvalidSubjectError: the subject is not text of 1 to 1,024 bytes.
            ServiceError: AWS refused or did not answer.

        Cost on DynamoDB: 2 requests, 1 read unit and 1 write unit.
        """
        check_subject(subject)
        try:
            known = self._key_storage.delete(subject)
        finally:
            # Only after the deletion: no later read can put the deleted key into a cache again.
            forget_everywhere(self._tenant_id, subject)
        if known is False:  # a storage of python-event-sourcery's kind returns None
            raise UnknownSubjectError(subject)

    def _key_to_read(self, subject: str) -> Cipher | None:
        def read() -> Cipher | None:
            key = self._key_storage.get(subject)
            return None if key is None else Cipher(key)

        return self._cache.get(self._tenant_id, subject, read)

    def _key_to_write(self, subject: str) -> Cipher:
        made: list[Cipher] = []

        def read() -> Cipher:
            made.append(Cipher(self._key_storage.get_or_create(subject, self._new_key())))
            return made[0]

        return self._cache.get(self._tenant_id, subject, read) or made[0]


class _Document:
    """Changes a copy of JSON. Only the containers on the path to a change are copied."""

    def __init__(self, root: Json) -> None:
        self.root: Any = root
        self._copied: set[int] = set()

    def get(self, pointer: str) -> Any:
        found = self.root
        for step in steps_of(pointer):
            found = found[_index(found, step)]
        return found

    def put(self, pointer: str, value: Any) -> None:
        steps = steps_of(pointer)
        if not steps:
            self.root = value
            return
        self.root = parent = self._own(self.root)
        for step in steps[:-1]:
            index = _index(parent, step)
            parent[index] = parent = self._own(parent[index])
        parent[_index(parent, steps[-1])] = value

    def _own(self, container: Any) -> Any:
        if id(container) in self._copied:
            return container
        copy = container.copy()
        self._copied.add(id(copy))
        return copy


def steps_of(pointer: str) -> list[str]:
    """Return the steps of a JSON pointer (RFC 6901).

    Raises:
        LookupError: the text is not a JSON pointer.
    """
    if not pointer:
        return []
    first, *steps = pointer.split("/")
    if first:
        raise LookupError(pointer)
    return [step.replace("~1", "/").replace("~0", "~") for step in steps]


def _index(container: Any, step: str) -> Any:
    if isinstance(container, dict):
        return step
    if isinstance(container, list) and step.isascii() and step.isdecimal():
        return int(step)
    raise LookupError(step)


def _mask(event_type: type[BaseModel] | None, pointer: str, noted: Any) -> Any:
    leaf = None
    if event_type is not None:
        leaf = encrypted_fields(event_type).leaf_at(steps_of(pointer))
    return _copy(noted if leaf is None else leaf.mask)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(one) for key, one in value.items()}
    return [_copy(one) for one in value] if isinstance(value, list) else value


def _groups(notes: Any, stream_id: StreamId) -> list[tuple[str, str, dict[str, Any]]]:
    if isinstance(notes, list):
        for group in notes:
            match group:
                case [str(), str(), dict()]:
                    continue
            break
        else:
            return notes
    raise DecryptionError(stream_id, "$encrypted")
