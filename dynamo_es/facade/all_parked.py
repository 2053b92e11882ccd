"""The parked streams of all tenants, if each tenant has its own log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.contracts.consumers.parked import ParkedStrategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.contracts.consumers.parked import (
        ParkedFailure,
        ParkedKey,
        ParkedStream,
        Place,
        SkippedEvent,
    )
    from dynamo_es.values import TenantId


class AllParked(ParkedStrategy):
    """The streams that consumers of all logs have parked. Each entry is kept with its tenant.

    Args:
        one: parked streams that can be scoped for any tenant.
        tenants: returns the tenants that have a log.
    """

    per_tenant = True

    def __init__(self, one: ParkedStrategy, tenants: Callable[[], list[TenantId]]) -> None:
        self._any = one
        self._tenants = tenants

    def park(self, key: ParkedKey, failure: ParkedFailure) -> None:
        """Set a stream aside; see `ParkedStrategy.park`."""
        self._of(key).park(key, failure)

    def pass_over(self, key: ParkedKey, first: Place, last: Place) -> bool:
        """Record that a consumer passes over events; see `ParkedStrategy.pass_over`."""
        return self._of(key).pass_over(key, first, last)

    def streams(self, name: str) -> list[ParkedStream]:
        """Return a consumer's parked streams in all logs; see `ParkedStrategy.streams`.

        Cost: 1 request for the registry, and 1 for each tenant.
        """
        return [
            stream for tenant_id in self._tenants() for stream in self._at(tenant_id).streams(name)
        ]

    def all(self) -> list[ParkedStream]:
        """Return the parked streams of all consumers in all logs; see `ParkedStrategy.all`."""
        found = [stream for tenant_id in self._tenants() for stream in self._at(tenant_id).all()]
        return sorted(found, key=lambda one: one.key.name)

    def take(self, key: ParkedKey, worker: str, now_ms: int, until_ms: int) -> ParkedStream | None:
        """Take the lease of an entry; see `ParkedStrategy.take`."""
        return self._of(key).take(key, worker, now_ms, until_ms)

    def advance(self, key: ParkedKey, worker: str, first: Place, until_ms: int) -> bool:
        """Move an entry's first event; see `ParkedStrategy.advance`."""
        return self._of(key).advance(key, worker, first, until_ms)

    def fail(self, key: ParkedKey, worker: str, failure: ParkedFailure) -> bool:
        """Store that an event failed again; see `ParkedStrategy.fail`."""
        return self._of(key).fail(key, worker, failure)

    def release(self, key: ParkedKey, worker: str, first: Place) -> bool:
        """Give the lease back; see `ParkedStrategy.release`."""
        return self._of(key).release(key, worker, first)

    def unpark(self, key: ParkedKey, worker: str, seen: Place) -> bool:
        """Take a stream off the list; see `ParkedStrategy.unpark`."""
        return self._of(key).unpark(key, worker, seen)

    def drop(self, key: ParkedKey) -> bool:
        """Drop an entry; see `ParkedStrategy.drop`."""
        return self._of(key).drop(key)

    def skip(self, key: ParkedKey, failure: ParkedFailure) -> None:
        """List an event that is left out; see `ParkedStrategy.skip`."""
        self._of(key).skip(key, failure)

    def skipped(self, name: str | None = None) -> list[SkippedEvent]:
        """Return the events that were left out in all logs; see `ParkedStrategy.skipped`."""
        found = [
            event for tenant_id in self._tenants() for event in self._at(tenant_id).skipped(name)
        ]
        return sorted(found, key=lambda one: one.key.name)

    def forget_skipped(self, key: ParkedKey, place: Place) -> bool:
        """Take an event off the list; see `ParkedStrategy.forget_skipped`."""
        return self._of(key).forget_skipped(key, place)

    def scoped_for_tenant(self, tenant_id: TenantId) -> ParkedStrategy:  # type: ignore[override]
        """Return the parked streams of one tenant."""
        return self._at(tenant_id)

    def _of(self, key: ParkedKey) -> ParkedStrategy:
        return self._at(key.tenant_id)

    def _at(self, tenant_id: TenantId) -> ParkedStrategy:
        return self._any.scoped_for_tenant(tenant_id)
