"""Shares logs among the workers of a projection: each asks the busiest for one log at a time."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamo_es.projections.checkpoint_lease import CheckpointLease
    from dynamo_es.values import TenantId


class Share:
    """Evens out the logs among workers. For one worker, in one thread.

    A worker asks the holder for a log, and the holder gives the lease back after its current batch.
    So two workers never handle the same log, and no event is handled twice.

    Args:
        lease_ms: milliseconds of a lease. A worker does not take back a log for this time after it
            gave the log away.
        now_ms: returns milliseconds since the epoch.
    """

    def __init__(self, lease_ms: int, now_ms: Callable[[], int]) -> None:
        self._lease_ms = lease_ms
        self._now_ms = now_ms
        self._given: dict[TenantId, int] = {}
        self._asked: tuple[TenantId, str] | None = None

    def may_take(self, tenant_id: TenantId) -> bool:
        """Return False for a log that this worker has just given to another worker."""
        since = self._now_ms() - self._given.get(tenant_id, -self._lease_ms)
        if 0 <= since < self._lease_ms:
            return False
        self._given.pop(tenant_id, None)
        return True

    def hand_over(self, tenant_id: TenantId) -> None:
        """Record that this worker gives a log to the worker that asked for it."""
        self._given[tenant_id] = self._now_ms()

    def even_out(self, logs: Mapping[TenantId, CheckpointLease]) -> None:
        """Ask the worker with the most logs for one, if it has at least two more than this worker.

        Args:
            logs: for each log, this worker's lease or the state that it last saw.
        """
        others = {each: one.holder for each, one in logs.items() if not one.held and one.holder}
        if self._asked is not None and others.get(self._asked[0]) == self._asked[1]:
            return  # its holder has not answered yet
        self._asked = None
        fullest = Counter(others.values()).most_common(1)
        mine = sum(one.held for one in logs.values())
        if not fullest or fullest[0][1] < mine + 2:
            return
        tenant_id = next(each for each, holder in others.items() if holder == fullest[0][0])
        if logs[tenant_id].ask():
            self._asked = tenant_id, fullest[0][0]
