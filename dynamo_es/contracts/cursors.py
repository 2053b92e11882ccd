"""The contract of cursors: how far a read model is in each stream, and who moves it now."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from dynamo_es.values import StreamId, TenantId


class Followed(NamedTuple):
    """A stream, as a read model follows it.

    Attributes:
        consumer: the read model.
        stream_id: the stream.
        tenant_id: whose it is.
        generation: number of the stream's life; 0: it is not known.
    """

    consumer: str
    stream_id: StreamId
    tenant_id: TenantId = DEFAULT_TENANT
    generation: int = 0


class CursorStrategy(ABC):
    """Where read models keep how far they are in each stream. Safe to share between threads.

    Whoever applies events claims the cursor first: nobody else can until he gives it back, or
    until his claim runs out. All times are milliseconds since the epoch, by the caller's clock;
    claims are judged as `LeaseWatch` says, so clocks need not agree. Every write names its
    claimant: one whose claim was taken over changes nothing any more.

    A cursor whose generation is not known (0) counts for the generation that is told first. An
    event whose generation is not known counts as one of the generation that the cursor is in.
    """

    @abstractmethod
    def claim(
        self, followed: Followed, version: int, claimant: str, now: int, until: int
    ) -> int | None:
        """Claim the cursor, to apply what is behind it up to a version.

        Args:
            followed: the stream; a new generation begins at version 0.
            version: where the cursor is to go, 1 or more.
            claimant: unlike every other.
            now: the present time.
            until: when this claim ends, unless it is renewed.

        Returns:
            Where the cursor is, below the version; None: it is there or further, or in a later
            generation: there is nothing to apply, and nothing was claimed.

        Raises:
            CursorBusyError: another has claimed it.
            InvalidConsumerError: a name that cannot make a key.
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def renew(self, followed: Followed, version: int, claimant: str, until: int) -> bool:
        """Move the claimed cursor, and keep the claim; False: it was lost, and nothing changed."""

    @abstractmethod
    def release(self, followed: Followed, version: int, claimant: str) -> bool:
        """Move the claimed cursor, and give the claim back; False: it was lost before."""

    @abstractmethod
    def version(self, followed: Followed) -> int:
        """Return where the cursor is; 0 if it never moved in that generation."""
