"""`KeyStorageStrategy`: the contract of storages for the keys of data subjects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from dynamo_es.values import SubjectKey, TenantId


class KeyStorageStrategy(ABC):
    """Keeps one encryption key for each data subject of a tenant.

    A subject is the id of a person, or of other data that is erased together: text of 1 to 1,024
    bytes in UTF-8. After the key of a subject is deleted, its encrypted fields can never be read
    again.
    """

    @abstractmethod
    def get(self, subject: str) -> SubjectKey | None:
        """Return the current key of a subject; None if it has none.

        Raises:
            InvalidSubjectError: the subject is not text of 1 to 1,024 bytes.
            StoredItemError: the stored key cannot be read.
            ServiceError: AWS refused or did not answer.

        Cost on DynamoDB: 1 request, 1 read unit; 1 request to KMS if the key is wrapped.
        """

    @abstractmethod
    def get_or_create(self, subject: str, new: SubjectKey) -> SubjectKey:
        """Return the key of a subject; if it has none, store and return ``new``.

        If several callers do this at once, one key is stored and all callers get that key. You can
        safely repeat the call.

        Args:
            subject: the subject.
            new: the key to store if the subject has none.

        Raises:
            InvalidSubjectError: the subject is not text of 1 to 1,024 bytes.
            StoredItemError: the stored key cannot be read.
            ServiceError: AWS refused or did not answer.

        Cost on DynamoDB: 1 request and 1 write unit, whether the subject has a key or not; 1 more
        of each if its last key was deleted. With KMS, 1 request to KMS, and 1 more if the subject
        has a key.
        """

    @abstractmethod
    def delete(self, subject: str) -> bool:
        """Delete the current key of a subject, if it has one.

        You can safely repeat the call: a request that arrives late never deletes a newer key.

        Returns:
            Whether the subject has ever had a key.

        Raises:
            InvalidSubjectError: the subject is not text of 1 to 1,024 bytes.
            ServiceError: AWS refused or did not answer; call again to be sure.

        Cost on DynamoDB: 2 requests, 1 read unit and 1 write unit; 1 read unit without a key.
        """

    @abstractmethod
    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return a storage for the keys of one tenant; this one does not change.

        Args:
            tenant_id: any text.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
