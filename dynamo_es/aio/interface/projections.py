"""`AsyncProjections`: scripts/async-interface writes it, from `Projections`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.aio.base import Over

if TYPE_CHECKING:
    from dynamo_es.facade.projections import Projections


class AsyncProjections(Over):
    """The projections of a backend; see `Projections`."""

    _sync: Projections

    async def live(
        self,
        name: str,
    ) -> int | None:
        """Return the live version of a projection; None if no version was promoted.

        Raises:
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.

        Cost: 1 request, 1 read unit. You can cache the result for as long as readers may use the
        previous version.
        """
        return await self._bridge.run(self._sync.live, name)
