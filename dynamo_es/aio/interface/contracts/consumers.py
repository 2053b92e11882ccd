"""`AsyncConsumers`: scripts/async-interface writes it, from `ConsumerFinder`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.aio.base import Over

if TYPE_CHECKING:
    from typing import Self

    from dynamo_es.contracts.consumers.finder import ConsumerFinder, FoundConsumers
    from dynamo_es.values import TenantId


class AsyncConsumers(Over):
    """Finds the cursors and outboxes that are in use; see `ConsumerFinder`."""

    _sync: ConsumerFinder

    async def find(
        self,
        after: str | None = None,
    ) -> FoundConsumers:
        """Return one part of the cursors and outboxes. A part may be empty and yet not be the last.

        Args:
            after: `FoundConsumers.after` of the previous part; None: begin with the first part.

        Raises:
            InputError: ``after`` does not come from a previous part.
            ServiceError: AWS refused or did not answer.

        Cost on DynamoDB: 1 request, a scan of 1 MB of the log's table.
        """
        return await self._bridge.run(self._sync.find, after)

    def scoped_for_tenant(
        self,
        tenant_id: TenantId,
    ) -> Self:
        """Return a finder of one tenant's cursors and outboxes; this object does not change.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
        return self._like(self._sync.scoped_for_tenant(tenant_id))
