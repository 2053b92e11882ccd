"""The worker of a tag index as a Lambda function on a schedule."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from dynamo_es.aws_lambda.batch import Deadline, margin_of
from dynamo_es.aws_lambda.metrics import FunctionMetrics
from dynamo_es.aws_lambda.starting import prepare_in_function
from dynamo_es.aws_lambda.upkeep import task_of
from dynamo_es.contracts.checks.arguments import check_kind
from dynamo_es.exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from dynamo_es.aws_lambda.batch import LambdaContext
    from dynamo_es.boundaries.indexing import BoundaryIndex
    from dynamo_es.facade.backend import Backend


def index_tags(
    backend: Backend, boundaries: Iterable[str], *, margin: timedelta | float | None = None
) -> TagIndexHandler:
    """Return a Lambda handler that brings the tag indexes of boundaries up to date.

    ``handler = index_tags(backend, ["courses"])``

    Put it on a schedule, such as each minute. The index may lag: reads take the events that it
    lacks from the stream. Several calls at once do no harm.

    Args:
        backend: has the boundaries; from `Backend.in_tenant`, the boundaries of that tenant.
        boundaries: the names of the boundaries.
        margin: how long before the function's end to stop, a timedelta or seconds; None: a fifth
            of its time, at most 5 s.

    Raises:
        InputError: no names, or not a list of names.
        InvalidStreamIdError: a name that is not text, or is empty.
        InvalidSubscriptionError: a margin that is not a duration, or below 0.

    Cost: see `BoundaryIndex.run_once`.
    """
    check_kind("boundaries", boundaries, (list, tuple, set, frozenset))
    indexes = [backend.boundary(name).index for name in boundaries]
    if not indexes:
        raise InputError("boundaries must have at least one name.")
    prepare_in_function(backend)
    return TagIndexHandler(indexes, margin)


class TagIndexHandler:
    """The handler that `index_tags` makes.

    Attributes:
        metrics: writes its metrics, in a Lambda function.
    """

    def __init__(self, indexes: list[BoundaryIndex], margin: timedelta | float | None) -> None:
        self._indexes = deque(indexes)
        self._margin_s = margin_of(margin)
        self.metrics = FunctionMetrics("tag index")

    def __call__(self, event: object, context: LambdaContext | None = None) -> dict[str, Any]:
        """Index the new events of the boundaries.

        Each call begins with the boundary after the one at which the last call ended, so that a
        call that runs out of time does not starve the others.

        Args:
            event: the upkeep event of a schedule, or any other; it only starts the run.
            context: Lambda's; None: no deadline.

        Returns:
            ``{"indexed": …}`` with the number of events that this call indexed.

        Raises:
            EventStoreError: the errors of `BoundaryIndex.run_once`. The next call continues.
            ConfigurationError: the event of a schedule for another task.
        """
        task_of(event, ["upkeep"])
        deadline = Deadline(context, self._margin_s)
        indexed = 0
        try:
            with deadline.limiting():
                for _ in range(len(self._indexes)):
                    self._indexes.rotate(-1)
                    indexed += self._indexes[-1].run_once(stop=deadline)
        except Exception:
            self.metrics.count("Failures", 1)
            raise
        finally:
            self.metrics.count("Indexed", indexed)
            self.metrics.flush(context)
        return {"indexed": indexed}
