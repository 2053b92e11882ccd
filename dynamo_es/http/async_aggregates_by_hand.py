"""The part of `AsyncAggregates` that is written by hand: how one is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Self

from dynamo_es.aio.base import Over
from dynamo_es.aio.interface.repository import AsyncRepository
from dynamo_es.contracts.checks.arguments import check_kind
from dynamo_es.http.aggregates import Aggregates, TAggregate, idempotency_key_of
from dynamo_es.http.preconditions import NO_CONDITIONS, Preconditions, lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class MakesAggregates(Over, Generic[TAggregate]):
    """Makes the synchronous aggregates of a request.

    Attributes:
        repository: the repository in the request's tenant.
    """

    _sync: Aggregates[TAggregate]

    def __init__(
        self,
        repository: AsyncRepository[TAggregate],
        preconditions: Preconditions = NO_CONDITIONS,
        idempotency_key: str | None = None,
        set_header: Callable[[str, str], None] | None = None,
    ) -> None:
        check_kind("repository", repository, AsyncRepository)
        sync, bridge = repository._sync, repository._bridge  # noqa: SLF001 - a class of this library
        super().__init__(Aggregates(sync, preconditions, idempotency_key, set_header), bridge)
        self.repository = repository

    @classmethod
    def of_request(
        cls, repository: AsyncRepository[TAggregate], headers: Mapping[str, str]
    ) -> Self:
        """Return the aggregates for a request with these headers; see `Aggregates.of_request`.

        Raises:
            ProblemError: 400, a header is malformed.
        """
        key = idempotency_key_of(lines_of("Idempotency-Key", headers))
        return cls(repository, Preconditions.of_request(headers), key)

    @property
    def preconditions(self) -> Preconditions:
        """The preconditions of the request."""
        return self._sync.preconditions

    @property
    def idempotency_key(self) -> str | None:
        """The idempotency key of the request; None: it has none."""
        return self._sync.idempotency_key

    @property
    def headers(self) -> dict[str, str]:
        """The headers for the reply: the ``ETag``, once it is known."""
        return self._sync.headers
