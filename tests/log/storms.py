"""Sequencers that die, lose replies and meet their own late requests; by a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.wire.errors import OutcomeUnknown
from dynamo_es.dynamodb.wire.partiql.statements import execute
from dynamo_es.dynamodb.wire.steps import Together
from dynamo_es.exceptions import UnavailableError
from tests.log.worlds import TABLES, World, a_sequencer, advance, log_key, send
from tests.parts import parts_of, requests_of

if TYPE_CHECKING:
    from random import Random

    from dynamo_es.dynamodb.wire.steps import Item, Request, Response

_WRITES: Final = {"put_item", "update_item", "batch_execute_statement"}
_LOST: Final = OutcomeUnknown(UnavailableError("PutItem", "timeout", "no reply."))


class Sequencer:
    """A process that sequences batch after batch, one request at a time.

    Args:
        name: unique.
        commits: what it may be given hints of.
        random: decides.
        late: requests that arrive later.
    """

    def __init__(self, name: str, commits: list[Item], random: Random, late: list[Request]) -> None:
        self._random, self._late = random, late
        batches = [random.choices(commits, k=random.randint(1, 6)) for _ in range(3)]
        self._steps = a_sequencer(name, *batches)
        self._answers: dict[int, Any] = {}
        self._sent = advance(self._steps, None)

    @property
    def ended(self) -> bool:
        return self._sent is None

    def die(self) -> None:
        """Leave the requests under way to arrive late, whole or in part, or never."""
        if self._sent is not None:
            for part in parts_of(self._sent):
                if self._random.random() < 0.5:
                    self._late.append(part)

    def go_on(self, world: World) -> World:
        """Carry out one of the requests that are under way, or lose it."""
        assert self._sent is not None
        requests = requests_of(self._sent)
        left = [number for number in range(len(requests)) if number not in self._answers]
        number = self._random.choice(left)
        world, self._answers[number] = self._carry_out(world, requests[number])
        if len(self._answers) == len(requests):
            answers = [self._answers[number] for number in range(len(requests))]
            reply = answers if isinstance(self._sent, Together) else answers[0]
            self._answers = {}
            try:
                self._sent = advance(self._steps, reply)
            except OutcomeUnknown:
                self._sent = None
        return world

    def _carry_out(self, world: World, request: Request) -> tuple[World, Any]:
        chance = self._random.random()
        if request.operation in _WRITES and chance < 0.2:
            for part in parts_of(request):
                if chance < 0.1 and self._random.random() < 0.8:
                    world, _ = send(world, part)
                elif chance < 0.16:
                    self._late.append(part)
            return world, _LOST
        if request.operation == "batch_execute_statement" and chance < 0.4:
            return self._in_part(world, request)
        world, reply = send(world, request)
        if request.operation == "batch_get_item" and self._random.random() < 0.2:
            assert isinstance(reply, dict)
            return world, left_out(request, reply)
        return world, reply

    def _in_part(self, world: World, request: Request) -> tuple[World, Response]:
        """Carry out some statements, and throttle the others."""
        answers: list[Any] = []
        for statement in request.params["Statements"]:
            if self._random.random() < 0.5:
                answers.append({"Error": {"Code": "ThrottlingError"}})
                continue
            world, reply = send(world, execute([statement]))
            assert isinstance(reply, dict)
            answers += reply["Responses"]
        return world, {"Responses": answers}


def left_out(request: Request, reply: Response) -> Response:
    """The reply without its first key."""
    first, *_ = request.params["RequestItems"][TABLES.log]["Keys"]
    items = [item for item in reply["Responses"][TABLES.log] if log_key(item) != log_key(first)]
    left = {TABLES.log: {"Keys": [first], "ConsistentRead": True}}
    return {"Responses": {TABLES.log: items}, "UnprocessedKeys": left}
