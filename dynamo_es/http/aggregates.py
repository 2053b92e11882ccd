"""`Aggregates`: load an aggregate for a request, or decide the command that the request sends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from dynamo_es.aggregates.aggregate import Aggregate
from dynamo_es.contracts.checks.arguments import check_callable
from dynamo_es.contracts.checks.functions import refuse_asynchronous
from dynamo_es.http.preconditions import NO_CONDITIONS, Preconditions, etag_of, lines_of
from dynamo_es.http.problems import ProblemError
from dynamo_es.values import StoredVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dynamo_es.aggregates.repository import Repository
    from dynamo_es.aggregates.saving import TransactWith
    from dynamo_es.aggregates.streams import AggregateId
    from dynamo_es.event_store.wrapped import Context

TAggregate = TypeVar("TAggregate", bound=Aggregate)
R = TypeVar("R")

LONGEST_KEY: Final = 255
# A comma is not allowed, because it joins several lines of a header.
_KEY: Final = re.compile(rf"(?! )[\x20-\x2b\x2d-\x7e]{{1,{LONGEST_KEY}}}(?<! )")


@dataclass(frozen=True, slots=True)
class Saved(Generic[TAggregate, R]):
    """The outcome of a command.

    Attributes:
        result: what the decision returned.
        aggregate: the aggregate after the command.
        version: the stream's version after the command.
    """

    result: R
    aggregate: TAggregate
    version: StoredVersion

    @property
    def etag(self) -> str:
        """The entity tag of the version. Use it if you make the reply yourself."""
        return etag_of(self.version)


class Aggregates(Generic[TAggregate]):
    """Loads and saves aggregates of one class for one HTTP request.

    It applies the request's preconditions and idempotency key, and gives the reply its ``ETag``.

    Args:
        repository: the repository in the request's tenant.
        preconditions: the preconditions of the request.
        idempotency_key: the idempotency key of the request; None: it has none.
        set_header: called with name and value of each header for the reply.

    Attributes:
        headers: the headers for the reply: the ``ETag``, once it is known.
    """

    def __init__(
        self,
        repository: Repository[TAggregate],
        preconditions: Preconditions = NO_CONDITIONS,
        idempotency_key: str | None = None,
        set_header: Callable[[str, str], None] | None = None,
    ) -> None:
        self.repository = repository
        self.preconditions = preconditions
        self.idempotency_key = idempotency_key
        self.headers: dict[str, str] = {}
        self._set_header = set_header

    @classmethod
    def of_request(
        cls, repository: Repository[TAggregate], headers: Mapping[str, str]
    ) -> Aggregates[TAggregate]:
        """Return the aggregates for a request with these headers, such as one of AWS Lambda.

        Args:
            repository: the repository in the request's tenant.
            headers: the headers of the request, with names in upper or lower case; several lines
                of one header are joined by commas.

        Raises:
            ProblemError: 400, a header is malformed.
        """
        key = idempotency_key_of(lines_of("Idempotency-Key", headers))
        return cls(repository, Preconditions.of_request(headers), key)

    def load(self, id: AggregateId) -> TAggregate:  # noqa: A002 - the usual word
        """Return an aggregate, and give the reply its ``ETag``.

        Raises:
            ProblemError: 404, the aggregate does not exist; 304, ``If-None-Match`` names its
                version; 412, ``If-Match`` does not name its version.

        It also raises the errors of `Repository.load`, and costs the same.
        """
        aggregate = self.repository.load(id)
        version = aggregate.stored_version
        if version == 0:
            raise _not_found()
        self._show(self.preconditions.check_query(version))
        return aggregate

    def transact(
        self,
        id: AggregateId,  # noqa: A002
        decide: Callable[[TAggregate], R],
        *,
        must_exist: bool = False,
        context: Context | None = None,
        transact_with: TransactWith[TAggregate] = (),
    ) -> Saved[TAggregate, R]:
        """Decide a command, save its events, and give the reply its ``ETag``.

        With ``If-Match``, the command is decided only on a version that the header names. Without
        it, the command is decided again after a conflict. With ``Idempotency-Key``, a repeated
        request stores nothing and has the same result.

        Args:
            id: the aggregate's id: UUID, `StreamId` or name.
            decide: as for `Repository.transact`.
            must_exist: True: refuse a command to an aggregate that does not exist.
            context: metadata for the saved events.
            transact_with: as for `Repository.transact`.

        Raises:
            ProblemError: 412, a precondition does not hold; 404, ``must_exist`` is True and the
                aggregate does not exist.
            CommandDecidedError: the idempotency key was used with another request.

        It also raises the errors of `Repository.transact`, and costs the same.
        """
        check_callable("decide", decide)
        refuse_asynchronous(decide, "decide")

        def decide_if_allowed(aggregate: TAggregate) -> tuple[TAggregate, R]:
            if must_exist and aggregate.stored_version == 0:
                raise _not_found()
            self.preconditions.check(aggregate.stored_version)
            return aggregate, decide(aggregate)

        aggregate, result = self.repository.transact(
            id,
            decide_if_allowed,
            context=context,
            transact_with=transact_with,
            command_id=self.idempotency_key,
        )
        stored = aggregate.stored_version
        # A repeated command stores nothing: its events are still changes of the aggregate.
        version = StoredVersion(stored + len(aggregate.__changes__), stored.generation)
        if version > 0:
            self._show(version)
        return Saved(result, aggregate, version)

    def _show(self, version: StoredVersion) -> None:
        self.headers["ETag"] = etag_of(version)
        if self._set_header is not None:
            self._set_header("ETag", etag_of(version))


def idempotency_key_of(lines: Sequence[str]) -> str | None:
    """Return the ``Idempotency-Key`` of a request; None if it has none.

    The key may be in quotes, as in a structured field: ``"k1"`` and ``k1`` are the same key.

    Raises:
        ProblemError: 400, the header comes twice, is empty or longer than 255 characters, has a
            comma, begins or ends with a space, or has characters other than visible ASCII and
            spaces.
    """
    if not lines:
        return None
    (key, *more) = lines
    if key.startswith('"') and key.endswith('"'):
        key = key[1:-1]
    if more or not _KEY.fullmatch(key):
        raise ProblemError(
            400,
            f"Idempotency-Key must be one text of 1 to {LONGEST_KEY} visible ASCII characters "
            "without a comma, such as a UUID.",
        )
    return key


def _not_found() -> ProblemError:
    return ProblemError(404, "There is nothing under this id.")
