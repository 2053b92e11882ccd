"""The contract for what keeps the keys of data subjects: `KeyStorageStrategy`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from dynamo_es.values import SubjectKey, TenantId


class KeyStorageStrategy(ABC):
    """One key per data subject, for one tenant.

    A subject is the id of a person (or of other data that is erased together): text of 1 to
    1,024 bytes in UTF-8. Deleting its key makes unreadable what was encrypted with it.
    """

    @abstractmethod
    def get(self, subject: str) -> SubjectKey | None:
        """Return the key of a subject; None when it has none. Never a stale one.

        Raises:
            InvalidSubjectError: not text of 1 to 1,024 bytes.
            StoredItemError: the stored key cannot be read.
            ServiceError: AWS refused or did not answer.

        Cost on DynamoDB: 1 request, 1 read unit; 1 request to KMS if the key is wrapped.
        """

    @abstractmethod
    def get_or_create(self, subject: str, new: SubjectKey) -> SubjectKey:
        """Return the key of a subject; if it has none, that is now ``new``.

        Of all writers at once, one wins, and all of them get its key. Safe to repeat.

        Args:
            subject: whose.
            new: the key to store if there is none; not used otherwise.

        Raises:
            InvalidSubjectError: not text of 1 to 1,024 bytes.
            StoredItemError: the stored key cannot be read.
            ServiceError: AWS refused or did not answer.

        Cost on DynamoDB: 1 request, 1 write unit, whether there is a key or not; 1 more of each
        where one was deleted. With KMS, 1 request to it, and 1 more if there is one.
        """

    @abstractmethod
    def delete(self, subject: str) -> bool:
        """Delete the key that a subject has now. Idempotent: one that has no key is no error.

        A repetition that arrives late deletes no key that was made since.

        Returns:
            Whether the subject has, or ever had, a key.

        Raises:
            InvalidSubjectError: not text of 1 to 1,024 bytes.
            ServiceError: AWS refused or did not answer; call again to be sure.

        Cost on DynamoDB: 2 requests, 1 read unit and 1 write unit; 1 read unit without a key.
        """

    @abstractmethod
    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return a storage of that tenant's keys; this one stays as it is.

        Args:
            tenant_id: any text.

        Raises:
            InvalidStreamIdError: not text.
        """
