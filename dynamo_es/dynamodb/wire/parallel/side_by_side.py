"""Runs algorithms side by side, so that their requests can be sent at once."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Generic

from dynamo_es.dynamodb.wire.steps import Pause, Request, T, Together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dynamo_es.dynamodb.wire.steps import Response, Steps


class _Branch(Generic[T]):
    """One of the algorithms.

    Attributes:
        place: its index among all, 0-based.
        asked: the request or pause that it waits for; None: it has ended.
        result: its result, once it has ended.
    """

    __slots__ = ("_steps", "asked", "place", "result")

    def __init__(self, place: int, steps: Steps[T]) -> None:
        self.place = place
        self._steps = steps
        self.asked: Request | Pause | Together | None = None
        self.result: T | None = None
        self.go_on(None)

    def go_on(self, answer: Any) -> None:
        """Continue the algorithm with a reply, a list of replies, or an error."""
        try:
            if isinstance(answer, Exception):
                self.asked = self._steps.throw(answer)
            else:
                self.asked = next(self._steps) if answer is None else self._steps.send(answer)
        except StopIteration as end:
            self.asked, self.result = None, end.value

    def requests(self) -> Sequence[Request]:
        """Return the requests that it waits for; empty while it pauses."""
        if isinstance(self.asked, Together):
            return self.asked.requests
        return (self.asked,) if isinstance(self.asked, Request) else ()


def side_by_side(
    algorithms: Iterable[Steps[T]],
    most: int,
    send: Callable[[Sequence[Request]], Steps[list[Response | Exception]]],
) -> Steps[list[T]]:
    """Run independent algorithms; return their results, in order.

    Args:
        algorithms: the algorithms. They must not raise.
        most: the most algorithms that run at a time. Each one starts when its turn comes.
        send: sends the requests of all running algorithms; returns the reply or error of each.
    """
    results: dict[int, T] = {}
    waiting = enumerate(algorithms)
    running: list[_Branch[T]] = []
    while True:
        running += [_Branch(*each) for each in islice(waiting, most - len(running))]
        going = [branch for branch in running if branch.asked is not None]
        if len(going) < len(running):
            for branch in running:
                if branch.asked is None:
                    results[branch.place] = branch.result  # type: ignore[assignment]
            running = going
        elif running:
            yield from _round(running, send)
        else:
            return [results[place] for place in range(len(results))]


def _round(
    running: Sequence[_Branch[T]],
    send: Callable[[Sequence[Request]], Steps[list[Response | Exception]]],
) -> Steps[None]:
    """Send all requests that the algorithms wait for. Pause only if there are none."""
    asking = [(branch, requests) for branch in running if (requests := branch.requests())]
    if not asking:
        yield from _pause(running)
        return
    replies = yield from send([request for _, requests in asking for request in requests])
    begin = 0
    for branch, requests in asking:
        of_branch = replies[begin : begin + len(requests)]
        begin += len(requests)
        branch.go_on(of_branch if isinstance(branch.asked, Together) else of_branch[0])


def _pause(running: Sequence[_Branch[T]]) -> Steps[None]:
    """Pause once for all algorithms, as long as the longest pause."""
    longest = max(branch.asked.attempt for branch in running if isinstance(branch.asked, Pause))
    answer: Response | Exception
    try:
        answer = yield Pause(longest)
    except Exception as error:  # noqa: BLE001 - each algorithm decides
        answer = error
    for branch in running:
        branch.go_on(answer)
