"""`AsyncEncryption`: scripts/async-interface writes it, from `Encryption`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.aio.base import Over

if TYPE_CHECKING:
    from typing import Self

    from dynamo_es.event_store.encryption.service import Encryption
    from dynamo_es.values import TenantId


class AsyncEncryption(Over):
    """Encrypts one tenant's fields, and shreds keys; see `Encryption`."""

    _sync: Encryption

    def forget_keys(
        self,
    ) -> None:
        """Drop the cached keys of all tenants, so that the next use reads them again."""
        self._sync.forget_keys()

    def scoped_for_tenant(
        self,
        tenant_id: TenantId,
    ) -> Self:
        """Return the encryption of one tenant; this one does not change.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
        return self._like(self._sync.scoped_for_tenant(tenant_id))

    async def shred(
        self,
        subject: str,
    ) -> None:
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
        await self._bridge.run(self._sync.shred, subject)
