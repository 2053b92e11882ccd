"""Writers, sequencers and subscribers work on one log at once, over a bad network."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final

from dynamo_es import ANY_VERSION, NO_VERSIONING, DynamoBackend, ExplicitVersioning, StreamId
from dynamo_es.dynamodb.maintenance.repair import repair
from dynamo_es.dynamodb.table_stream.poller import StreamPoller
from dynamo_es.dynamodb.wire.client import make_client, make_streams_client
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    ConcurrentStreamWriteError,
    ServiceError,
    StreamGapError,
)
from dynamo_es.testing.conformance.language import an_event
from dynamo_es.testing.faults import Fault, RandomNetwork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from dynamo_es import DynamoConfig, RecordedRaw
    from dynamo_es.contracts.log import Start

TENANTS: Final = ("acme", "umbrella")
CATEGORIES: Final = ("order", "parcel")
FAULT_RATE: Final = 0.01
"""Of each kind of fault, for each HTTP request: there are eight kinds."""
_PATIENCE: Final = 300.0
_CALLS_OF_A_CLIENT: Final = 20
"""The SDK's quota of retries would be used up soon: a client is replaced by a fresh one."""


class Died(BaseException):
    """What a process that is killed would show, if it could."""


class Mortal(RandomNetwork):
    """A bad network, below a process that dies at one of its requests."""

    def __init__(self, client: Any, random: Random, rate: float, lifetime: int | None) -> None:
        super().__init__(client, random, dict.fromkeys(Fault, rate))
        self._left = lifetime

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                # Before its request, or after it: no process gets the reply.
                if self._left == -1 and self._random.random() < 0.5:
                    self._session.send(request)
                raise Died
        return super().send(request)


@dataclass(frozen=True, slots=True)
class Place:
    """A stream of a tenant."""

    tenant_id: str
    stream_id: StreamId
    versioned: bool = True
    deleted: bool = False
    """Whether it is deleted now and then."""


def places() -> list[Place]:
    """Streams for one run: of each tenant and category one of each kind."""
    return [
        Place(tenant, StreamId(name=f"{tenant} {category} {kind}", category=category), **traits)
        for tenant in TENANTS
        for category in CATEGORIES
        for kind, traits in {
            "kept": {},
            "deleted": {"deleted": True},
            "versionless": {"versioned": False},
        }.items()
    ]


@dataclass
class Seen:
    """What the members of the crowd know, each in his own list."""

    stored: list[tuple[Place, tuple[UUID, ...], int | None]] = field(default_factory=list)
    """Appends that were reported as done, with the version that they led to."""
    refused: list[UUID] = field(default_factory=list)
    told: dict[str, list[RecordedRaw]] = field(default_factory=dict)
    """What the subscribers were told, in that order."""
    deaths: Counter[str] = field(default_factory=Counter)
    failures: list[BaseException] = field(default_factory=list)


class Crowd:
    """All of them, for one run.

    Args:
        config: where the tables are.
        seed: of all decisions and faults; threads race all the same.
        appends: of each writer.
    """

    def __init__(self, config: DynamoConfig, seed: int, appends: int) -> None:
        self._config = config
        self._seed = seed
        self._appends = appends
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.places = places()
        self.seen = Seen()

    def work(self, inline: int = 2, others: int = 4) -> Seen:
        """Let them work until the writers are done and the subscribers know all of it."""
        writers = [
            threading.Thread(target=self._guarded, args=(self._write, number, number < inline))
            for number in range(inline + others)
        ]
        sequencers = [
            threading.Thread(target=self._guarded, args=(self._again_and_again, name, once))
            for name, once in (("poller", self._poll), ("scan", self._scan))
        ]
        at_end = threading.Event()
        subscribers = [
            threading.Thread(target=self._guarded, args=(self._listen, name, category, at_end))
            for name, category in (("all", None), ("orders", CATEGORIES[0]))
        ]
        for thread in writers + sequencers + subscribers:
            thread.start()
        self._join(writers)
        self._stop.set()
        self._join(sequencers)
        # The commits that have no position yet, now that no process dies or loses a reply.
        if not repair(self._config, lambda: make_client(self._config)).complete:
            raise AssertionError("the scan did not come to its end")
        at_end.set()
        self._join(subscribers)
        if self.seen.failures:
            raise self.seen.failures[0]
        return self.seen

    def _join(self, threads: list[threading.Thread]) -> None:
        end = time.monotonic() + _PATIENCE
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
            if thread.is_alive():
                self._stop.set()
                raise AssertionError(f"{thread.name} hangs")

    def _guarded(self, work: Callable[..., None], *arguments: Any) -> None:
        try:
            work(*arguments)
        except BaseException as error:  # noqa: BLE001 - raised in the thread of the test
            self.seen.failures.append(error)

    # Writers

    def _write(self, number: int, inline: bool) -> None:
        random = Random(f"{self._seed} writer {number}")
        config = replace(self._config, sequencing="inline" if inline else "stream")
        backend = DynamoBackend(config, client=self._client(random))
        for call in range(1, self._appends + 1):
            if call % _CALLS_OF_A_CLIENT == 0:
                backend = DynamoBackend(config, client=self._client(random))
            place = random.choice(self.places)
            storage = backend.storage.scoped_for_tenant(place.tenant_id)
            if place.deleted and random.random() < 0.1:
                with suppress(ServiceError):
                    storage.delete_stream(place.stream_id)
                continue
            self._append(storage, place, random)

    def _append(self, storage: Any, place: Place, random: Random) -> None:
        events = [an_event(place.stream_id) for _ in range(random.randint(1, 4))]
        uuids = tuple(event.uuid for event in events)
        versioning = NO_VERSIONING if not place.versioned else ANY_VERSION
        try:
            if place.versioned and random.random() < 0.5:
                known = storage.fetch_events(place.stream_id)
                versioning = ExplicitVersioning(known[-1].version if known else 0)
            version = storage.insert_events(place.stream_id, versioning, events)
        except ConcurrentStreamWriteError:
            self.seen.refused.extend(uuids)
        except (AppendOutcomeUnknownError, ServiceError):
            pass  # perhaps stored, perhaps not
        except StreamGapError:
            if not place.deleted:  # of a stream that is being deleted, a load may say so
                raise
        else:
            self.seen.stored.append((place, uuids, version))

    # Sequencers

    def _again_and_again(self, name: str, once: Callable[[Random], None]) -> None:
        random = Random(f"{self._seed} {name}")
        while not self._stop.is_set():
            try:
                once(random)
            except Died:
                self.seen.deaths[name] += 1
            except ServiceError:
                continue

    def _poll(self, random: Random) -> None:
        lifetime = random.randint(20, 200)
        client = self._client(random, lifetime)
        streams = make_streams_client(self._config)
        Mortal(streams, random, FAULT_RATE, lifetime)
        StreamPoller(self._config, lambda: client, lambda: streams).run_forever(self._stop)

    def _scan(self, random: Random) -> None:
        client = self._client(random, random.randint(20, 200))
        while not self._stop.wait(0.05):
            repair(self._config, lambda: client, stopped=self._stop.is_set)

    # Subscribers

    def _listen(self, name: str, category: str | None, at_end: threading.Event) -> None:
        random = Random(f"{self._seed} {name}")
        told = self.seen.told.setdefault(name, [])
        while True:
            last = at_end.is_set()
            try:
                for batch in self._subscribe(random, self._after(told), category):
                    told += batch
                    if not batch and last:
                        return
                    last = at_end.is_set()
            except ServiceError:
                continue

    def _after(self, told: list[RecordedRaw]) -> Start:
        """Return where a subscriber goes on: after a position, or after one in each log."""
        if self._config.log_scope == "tenant":
            return {recorded.tenant_id: recorded.position for recorded in told}
        return told[-1].position if told else 0

    def _subscribe(
        self, random: Random, position: Start, category: str | None
    ) -> Iterator[list[RecordedRaw]]:
        backend = DynamoBackend(self._config, client=self._client(random))
        subscriptions, limit = backend.subscriptions, timedelta(seconds=0.2)
        if category is None:
            return subscriptions.subscribe_to_all(position, 25, limit)
        return subscriptions.subscribe_to_category(position, 25, limit, category)

    def _client(self, random: Random, lifetime: int | None = None) -> Any:
        with self._lock:  # of botocore's loader: clients are made one at a time
            client = make_client(self._config)
        Mortal(client, random, FAULT_RATE, lifetime)
        return client
