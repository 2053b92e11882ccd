"""Read models of single streams, from the events table's stream."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import update_wrapper
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.aws_lambda.batch import Deadline, margin_of, reply
from dynamo_es.aws_lambda.failures import failed_batches, handle_again
from dynamo_es.aws_lambda.records import decode, records_in
from dynamo_es.aws_lambda.starting import prepare_in_function
from dynamo_es.contracts import Followed
from dynamo_es.contracts.error_texts import trace_error
from dynamo_es.contracts.functions import refuse_asynchronous, refuse_unfinished
from dynamo_es.contracts.writes import refuse_writes
from dynamo_es.dynamodb.log.choosing import chooser, stream_chooser
from dynamo_es.dynamodb.log.reader import records_of
from dynamo_es.dynamodb.streams.keys import describe_key
from dynamo_es.event_store.wrapped import Recorded
from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.projections.projector import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import timedelta

    from dynamo_es.aws_lambda.batch import BatchEvent, LambdaContext
    from dynamo_es.aws_lambda.records import CommitRecord, NewerRecord
    from dynamo_es.contracts import Selection
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.wrapped import WrappedEvent
    from dynamo_es.facade.backend import Backend
    from dynamo_es.values import RecordedRaw

_log = logging.getLogger("dynamo_es")

_ROLE: Final = "A read model"


def project_streams(  # noqa: PLR0913 - options, each by its name
    backend: Backend,
    name: str,
    *,
    category: str | None = None,
    events: Iterable[type[Event]] | None = None,
    keep_unknown: bool = False,
    lease: timedelta | float = 60.0,
    margin: timedelta | float | None = None,
) -> Callable[[Callable[[Recorded], object]], StreamsHandler]:
    """Turn a function into a Lambda handler that applies the events of each stream, in order.

    Put the handler on the events table's stream::

        @project_streams(backend, "balances", category="account")
        def handler(recorded: Recorded) -> None: ...

    It calls your function with a `Recorded` for each event, once, and in the order of versions
    within a stream, even if Lambda delivers records late, twice or in parts. The log table keeps a
    cursor for each stream. The event's position is 0, because the events table does not have it. If
    your function raises, the rest of that stream waits for the next call, and other streams go on.
    A commit that a newer release wrote waits until that release runs here. If the process dies, a
    later call applies some events of that stream again, once the lease has ended. Your function
    must tolerate that: compare the event's version or uuid.

    Args:
        backend: a `DynamoBackend`; from `Backend.in_tenant`, only that tenant's events are applied.
        name: name of the read model, which its cursors are stored under: text of at most 255 bytes
            without ``#``.
        category: apply only events of streams in this category.
        events: apply only events of these classes and their subclasses, under their names and
            aliases. Other events are passed over and need no class.
        keep_unknown: pass an event whose name no class has as an `UnknownEvent`.
        lease: how long this call has a stream to itself, a timedelta or seconds; longer than your
            function takes for one event.
        margin: how long before the function's end to stop, a timedelta or seconds; None: a fifth
            of its time, at most 5 s.

    Raises:
        InvalidSubscriptionError: a wrong filter, lease or function, such as an asynchronous one.
        EventDefinitionError: a class that is not an event class that can be stored.
        InvalidConsumerError: a name that cannot be part of a key.

    Cost: 2 requests for each stream in a batch, and 1 more if events before its first are missing.
    """
    selection = backend.chooser(category, events)

    def decorate(function: Callable[[Recorded], object]) -> StreamsHandler:
        if not callable(function):
            raise InvalidSubscriptionError(
                f"A read model must be callable, not {type(function).__name__}."
            )
        refuse_asynchronous(function, _ROLE)
        projector = backend.projector(name, _never, lease=lease, keep_unknown=keep_unknown)
        projector = projector.choosing(lambda: selection().event_names)
        prepare_in_function(backend)
        return StreamsHandler(function, backend, projector, selection, keep_unknown, margin)

    return decorate


@dataclass(slots=True)
class Totals:
    """Counts what a handler did since its process began.

    Attributes:
        records: records of all batches.
        skipped: records of snapshots, fences and removals, and commits not selected.
        foreign: records of items that this library did not write.
        damaged: records of items that are this library's, but that no release can read.
        applied: events that the function applied.
        failed: calls of the function that raised, streams that could not be leased or read, and
            records that wait for a newer release.
    """

    records: int = 0
    skipped: int = 0
    foreign: int = 0
    damaged: int = 0
    applied: int = 0
    failed: int = 0


class StreamsHandler:
    """The handler that `project_streams` makes.

    Attributes:
        totals: counts since the process began.
    """

    def __init__(
        self,
        function: Callable[[Recorded], object],
        backend: Backend,
        projector: Any,
        selection: Callable[[], Selection],
        keep_unknown: bool,  # noqa: FBT001
        margin: timedelta | float | None,
    ) -> None:
        update_wrapper(self, function)
        self._function = function
        self._backend = backend
        self._projector = projector
        self._selection = selection
        self._keep_unknown = keep_unknown
        self._margin_s = margin_of(margin)
        self.totals = Totals()

    def __call__(self, event: BatchEvent, context: LambdaContext | None = None) -> dict[str, Any]:
        """Apply a batch.

        Args:
            event: with ``Records`` of the events table's stream, a pipe's list of them, or failure
                records of failed batches.
            context: Lambda's; None: no deadline.

        Returns:
            ``{"batchItemFailures": […]}`` with the first unhandled record of each stream.

        Raises:
            ConfigurationError: records that are not of a table's stream, or without new images.
        """
        if failed := failed_batches(event):
            return handle_again(self._backend, failed, lambda batch: self(batch, context))
        deadline = Deadline(context, self._margin_s)
        records = records_in(event)
        decoded = decode(records)
        selection = self._selection()
        chooses = chooser(selection)
        chosen = [commit for commit in decoded.commits if chooses(commit.hint)]
        self.totals.records += len(records)
        self.totals.skipped += decoded.skipped + len(decoded.commits) - len(chosen)
        self.totals.foreign += decoded.foreign
        self.totals.damaged += len(decoded.damaged)
        left = self._newer(decoded.newer, selection)
        for commits in _by_stream(chosen):
            rest = self._apply(commits, selection, deadline)
            if rest:
                numbers = [one.sequence_number for one in rest]
                key = rest[0].hint.stream_key
                left[key] = min([*numbers, left.get(key, numbers[0])], key=int)
        return reply(event, left.values())

    def _newer(self, records: Sequence[NewerRecord], selection: Selection) -> dict[str, str]:
        """Return the first record of each selected stream that waits for a newer release."""
        chooses = stream_chooser(selection)
        left: dict[str, str] = {}
        for record in records:
            if chooses(record.error.stream_key):
                self.totals.failed += 1
                key, number = record.error.stream_key, record.sequence_number
                left[key] = min(left.get(key, number), number, key=int)
                _log.error(
                    "Read model %r: a record waits until a newer release runs here: %s",
                    self._projector.name,
                    record.error,
                )
            else:
                self.totals.skipped += 1
        return left

    def _apply(
        self, commits: Sequence[CommitRecord], selection: Selection, deadline: Deadline
    ) -> Sequence[CommitRecord]:
        """Apply commits of one stream, in order; return those that are not done."""
        done = 0
        for run in _runs(commits):
            if deadline.is_set():
                break
            finished = self._apply_run(run, selection, deadline)
            done += finished
            if finished < len(run):
                break
        return commits[done:]

    def _apply_run(
        self, run: Sequence[CommitRecord], selection: Selection, deadline: Deadline
    ) -> int:
        """Apply commits that follow each other; return how many are done."""
        stream, steps, unreadable = self._read(run, selection)
        if stream is None:
            self._wait(run[0].hint, run[0].hint.first_version - 1, unreadable)
            return 0
        first = run[0].hint.first_version
        last = first + len(steps) - 1
        reached = 0

        def apply(place: int, wrapped: WrappedEvent[Any] | None) -> None:
            nonlocal reached
            if wrapped is not None:
                recorded = Recorded(
                    wrapped, stream.entry.stream_id, 0, stream.tenant_id, stream.generation
                )
                returned = self._function(recorded)
                refuse_unfinished(returned, self._function, _ROLE)
                refuse_writes(returned, _ROLE)
                self.totals.applied += 1
            reached = place

        try:
            self._projector.follow(
                Followed(
                    self._projector.name,
                    stream.entry.stream_id,
                    stream.tenant_id,
                    stream.generation,
                ),
                first,
                steps,
                apply,
                deadline.is_set,
            )
        except Exception as error:  # noqa: BLE001 - other streams go on
            self._wait(run[0].hint, max(reached, first - 1), error)
            return _done(run, reached)
        if reached:
            # Maybe not all: the deadline came, or another worker took the stream over.
            return _done(run, reached)
        if deadline.is_set():
            return 0
        if unreadable is not None:
            self._wait(run[0].hint, last, unreadable)
        return _done(run, last)

    def _read(
        self, run: Sequence[CommitRecord], selection: Selection
    ) -> tuple[RecordedRaw | None, list[Step], Exception | None]:
        """Return the events of commits, up to the first that cannot be read, and its error.

        Returns:
            A stored event, which names the stream, or None if no event could be read; the events
            to apply; and the error of the first event that could not be read.
        """
        stream: RecordedRaw | None = None
        steps: list[Step] = []
        for record in run:
            try:
                raws = records_of(record.hint, record.item, 0)
                read = [Step(raw.entry.uuid, self._chosen(raw, selection)) for raw in raws]
            except Exception as error:  # noqa: BLE001 - the events before it are applied first
                return stream, steps, error
            stream = stream or raws[0]
            steps += read
        return stream, steps, None

    def _chosen(self, raw: RecordedRaw, selection: Selection) -> WrappedEvent[Any] | None:
        """Return an event as an object of its class; None if it is not selected."""
        names = selection.event_names
        if names is not None and raw.entry.name not in names:
            return None
        return self._backend.deserialize(raw, keep_unknown=self._keep_unknown).wrapped_event

    def _wait(self, hint: Pointer, version: int, error: Exception | None) -> None:
        self.totals.failed += 1
        # Without exc_info: the text of an error may quote an event.
        _log.error(
            "Read model %r: stream %s stopped after version %d, and the next call tries again: %s",
            self._projector.name,
            describe_key(hint.stream_key),
            version,
            "it could not be read" if error is None else trace_error(error),
        )


def _done(run: Sequence[CommitRecord], reached: int) -> int:
    return sum(record.hint.last_version <= reached for record in run)


def _by_stream(commits: Iterable[CommitRecord]) -> Iterator[list[CommitRecord]]:
    """Yield the commits of each stream in the order of generations and versions, each once."""
    streams: dict[str, dict[tuple[int, int], CommitRecord]] = {}
    for commit in commits:
        place = commit.hint.generation, commit.hint.first_version
        streams.setdefault(commit.hint.stream_key, {}).setdefault(place, commit)
    for stream in streams.values():
        yield [commit for _, commit in sorted(stream.items())]


def _runs(commits: Sequence[CommitRecord]) -> Iterator[Sequence[CommitRecord]]:
    """Yield the commits that follow each other without a gap, within one generation."""
    ends = [
        index
        for index, (before, after) in enumerate(pairwise(commits), 1)
        if (after.hint.generation, after.hint.first_version)
        != (before.hint.generation, before.hint.last_version + 1)
    ]
    for start, end in pairwise([0, *ends, len(commits)]):
        yield commits[start:end]


def _never(*_: object) -> None:
    raise AssertionError("the handler passes its own function to follow()")
