"""Sequencers that race for one log, each with its own shard's commits, by a clock of their own."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.log.pointers import Pointer
from dynamo_es.dynamodb.log.sequencer import sequence
from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.steps import Pause, Request, Together
from tests.log.worlds import TABLES, World, send
from tests.parts import requests_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.dynamodb.wire.steps import Response, Steps

LATENCY: Final = (0.003, 0.005)
"""Seconds that a request takes, at random between these two."""
PAGE: Final = 100
_AT_ONCE: Final = 4


@dataclass
class Race:
    """What a race came to.

    Attributes:
        commits: that got positions.
        requests: of all sequencers.
        refused: writes that were refused.
        world: the tables in the end.
        seconds: on the race's clock.
    """

    commits: int
    requests: int = 0
    refused: int = 0
    world: World = field(default_factory=World.of)
    seconds: float = 0.0


def race(shards: int, pages: int, seed: int) -> Race:
    """Let sequencers race until all have put their pages; up to four requests of each at once."""
    track = _Track(Race(shards * pages * PAGE), Random(seed))
    for shard in range(shards):
        track.after(track.random.uniform(*LATENCY), _Runner(track, _sequencer(shard, pages)).start)
    return track.run()


class _Track:
    """The clock, and what happens when."""

    def __init__(self, race: Race, random: Random) -> None:
        self.race, self.random = race, random
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        heappush(self._agenda, (self.race.seconds + seconds, next(self._numbers), action))

    def on_its_way(self, action: Callable[[], None]) -> None:
        self.after(self.random.uniform(*LATENCY) / 2, action)

    def run(self) -> Race:
        while self._agenda:
            self.race.seconds, _, action = heappop(self._agenda)
            action()
        return self.race


class _Runner:
    """One sequencer, with the requests that it waits for."""

    def __init__(self, track: _Track, steps: Steps[None]) -> None:
        self._track, self._steps = track, steps
        self._sent: Request | Together | None = None
        self._left: list[tuple[int, Request]] = []
        self._replies: dict[int, Response | Exception] = {}

    def start(self) -> None:
        self._go_on(None)

    def _go_on(self, reply: Any) -> None:
        try:
            sent = (
                self._steps.throw(reply)
                if isinstance(reply, Exception)
                else self._steps.send(reply)
            )
        except StopIteration:
            return
        if isinstance(sent, Pause):
            longest = 0.001 if sent.within is None else sent.within
            self._track.after(self._track.random.uniform(0, longest), lambda: self._go_on({}))
            return
        self._sent = sent
        self._replies = {}
        self._left = list(enumerate(requests_of(sent)))[::-1]
        for _ in range(min(_AT_ONCE, len(self._left))):
            self._send_one()

    def _send_one(self) -> None:
        place, request = self._left.pop()
        self._track.race.requests += 1
        self._track.on_its_way(lambda: self._arrive(place, request))

    def _arrive(self, place: int, request: Request) -> None:
        race = self._track.race
        race.world, reply = send(race.world, request)
        race.refused += _refused_in(reply)
        self._track.on_its_way(lambda: self._hear(place, reply))

    def _hear(self, place: int, reply: Response | Exception) -> None:
        assert self._sent is not None
        self._replies[place] = reply
        if self._left:
            self._send_one()
        elif len(self._replies) == len(requests_of(self._sent)):
            replies = [self._replies[number] for number in sorted(self._replies)]
            self._go_on(replies if isinstance(self._sent, Together) else replies[0])


def _sequencer(shard: int, pages: int) -> Steps[None]:
    ids = count()
    memory = SequencerMemory(new_id=lambda: f"{shard}.{next(ids)}", clock=lambda: 0.0)
    versions: Counter[str] = Counter()
    for page in range(pages):
        hints = []
        for place in range(PAGE):
            key = f"#order#{shard:04}{(page * PAGE + place) % (2 * PAGE):04}"
            versions[key] += 1
            traits: dict[str, Any] = {"outbox": False, "versionless": False}
            hints.append(Pointer(key, None, 1, versions[key], 1, ("N",), **traits))
        yield from sequence(TABLES, hints, memory)


def _refused_in(reply: Response | Exception) -> int:
    if isinstance(reply, ConditionRefused):
        return 1
    answers = reply.get("Responses", ()) if isinstance(reply, dict) else ()
    return sum("Error" in answer for answer in answers if isinstance(answer, dict))
