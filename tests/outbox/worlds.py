"""The surroundings of an outbox: a log that tests write, a receiver, a clock, and breakpoints."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from dynamo_es import StreamId
from dynamo_es.contracts import LogReader, LogStrategy, Selection
from dynamo_es.contracts.consumers.leases import LONGEST_SKEW, LeaseWatch
from dynamo_es.contracts.log import one_position
from dynamo_es.event_store.wrapped import Recorded, UnknownEvent, WrappedEvent
from dynamo_es.exceptions import InvalidPositionError
from dynamo_es.outbox import Outbox
from dynamo_es.testing.conformance.language import an_event
from dynamo_es.values import RecordedRaw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynamo_es.contracts import StreamInLog
    from dynamo_es.contracts.consumers.outbox import OutboxStrategy
    from dynamo_es.contracts.log import Start

LEASE = 60.0


class Log(LogStrategy):
    """A log whose entries are put and removed by hand; read in pieces of a few positions.

    Attributes:
        reads: pieces that were read.
        seen: how much of it reads see; a read may lag.
    """

    def __init__(self, piece: int = 3) -> None:
        self.entries: list[RecordedRaw | None] = []
        self.reads = 0
        self.seen: int | None = None
        self._piece = piece

    def add(self, number: int = 1, tenant: str = "", **event: Any) -> list[int]:
        """Add events for the outbox, and return their positions."""
        added = []
        for _ in range(number):
            stream = StreamId(name=f"order {uuid4()}", category="order")
            self.entries.append(
                RecordedRaw(an_event(stream, version=1, **event), self.end + 1, tenant)
            )
            added.append(self.end)
        return added

    def add_others(self, number: int) -> None:
        """Add events that are not for the outbox."""
        self.entries += [None] * number

    def remove(self, position: int) -> None:
        """Delete the stream of an event."""
        self.entries[position - 1] = None

    @property
    def end(self) -> int:
        return len(self.entries) if self.seen is None else self.seen

    @property
    def last_position(self) -> int | None:
        return self.end or None

    def reader(self, after: Start, selection: Selection = Selection()) -> LogReader:  # noqa: B008
        assert selection == Selection(outbox=True)
        after = one_position(after)
        if after > self.end:
            raise InvalidPositionError(after, self.end)
        return _Reader(self, after, self._piece)

    def tenants(self) -> Iterator[str]:
        raise NotImplementedError

    def categories(self, tenant_id: str) -> Iterator[str | None]:
        raise NotImplementedError

    def streams(self, category: str | None, tenant_id: str) -> Iterator[StreamInLog]:
        raise NotImplementedError


class _Reader(LogReader):
    def __init__(self, log: Log, after: int, piece: int) -> None:
        self._log, self._position, self._piece = log, after, piece

    @property
    def position(self) -> int:
        return self._position

    def read(self) -> list[RecordedRaw]:
        self._log.reads += 1
        while self._position < self._log.end:
            last = min(self._position + self._piece, self._log.end)
            found = self._log.entries[self._position : last]
            self._position = last
            if records := [record for record in found if record is not None]:
                return records
        return []


@dataclass(slots=True)
class Receiver:
    """Takes events, or fails.

    Attributes:
        calls: positions, in the order in which they came, failed tries too.
        taken: positions of what it did not fail on.
        fails: raised for a position, each time; a list: one after the other, None for none.
        before: called with each position first.
    """

    calls: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    fails: dict[int, Any] = field(default_factory=dict)
    before: Callable[[int], None] = lambda _: None

    def __call__(self, recorded: Recorded) -> None:
        position = recorded.position
        self.before(position)
        self.calls.append(position)
        error = self.fails.get(position)
        if isinstance(error, list):
            error = error.pop(0) if error else None
        if error is not None:
            raise error
        self.taken.append(position)

    @property
    def repeated(self) -> list[int]:
        """Positions that it took more than once."""
        return [position for position, times in Counter(self.taken).items() if times > 1]


class Clock:
    """Seconds since the epoch, that pass by hand."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def ms(self, later: float = 0) -> int:
        """Return the time, or a later one, in milliseconds."""
        return int((self.now + later) * 1000)


@dataclass(slots=True)
class World:
    """One outbox and what is around it."""

    strategy: OutboxStrategy
    log: Log = field(default_factory=Log)
    receiver: Receiver = field(default_factory=Receiver)
    clock: Clock = field(default_factory=Clock)
    name: str = field(default_factory=lambda: f"mail-{uuid4().hex}")

    def outbox(self, strategy: Any = None, **changes: Any) -> Outbox:
        """Return the outbox as another process has it, perhaps with another way to its state."""
        deserialize = changes.pop("deserialize", deserialized)
        settings: dict[str, Any] = {"name": self.name, "clock": self.clock, **changes}
        return Outbox(strategy or self.strategy, self.log, deserialize, **settings)

    def outbox_that_saw(self, seconds: float) -> Outbox:
        """Return the outbox as a process has it that saw the present lease, so many seconds ago."""
        watch = LeaseWatch()
        lease = self.strategy.look(self.name, self.clock.ms()).lease
        if lease is not None:
            watch.is_over(lease.holder, lease, self.clock.ms())
        self.clock.now += seconds
        return self.outbox(watch=watch)

    def run(self, *args: Any, **terms: Any):
        return self.outbox().run_once(self.receiver, *args, **terms)

    def run_to_the_end(self, **terms: Any) -> None:
        """Run until nothing is left to be done, waiting as long as need be."""
        for _ in range(50):
            self.clock.now += LONGEST_SKEW / 1000 + 10 * LEASE
            if not self.run(**terms).active:
                return
        raise AssertionError("it never ends")


def deserialized(record: RecordedRaw) -> Recorded:
    """Return a record with its event as it is stored."""
    entry = record.entry
    event = WrappedEvent(
        UnknownEvent(entry.name, entry.data), entry.version, entry.uuid, entry.created_at
    )
    return Recorded(event, entry.stream_id, record.position, record.tenant_id)


class Hooked:
    """A strategy, or a function, that steps in at one of its calls.

    Args:
        target: whose calls are counted.
        at: which call, 0-based.
        before: called in front of it.
        after: called after it, with any outcome.
    """

    def __init__(
        self,
        target: Any,
        at: int,
        *,
        before: Callable[[], None] | None = None,
        after: Callable[[], None] | None = None,
    ) -> None:
        self.calls: list[str] = []
        self._target, self._at = target, at
        self._before, self._after = before, after

    def __getattr__(self, name: str) -> Any:
        return partial(self._call, name, getattr(self._target, name))

    def __call__(self, *args: Any) -> Any:
        return self._call("publish", self._target, *args)

    def _call(self, name: str, method: Callable[..., Any], *args: Any) -> Any:
        mine = len(self.calls) == self._at
        self.calls.append(name)
        if mine and self._before:
            self._before()
        try:
            return method(*args)
        finally:
            if mine and self._after:
                self._after()

    @property
    def reached(self) -> bool:
        """Whether there was such a call."""
        return len(self.calls) > self._at
