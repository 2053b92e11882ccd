"""A run for callers that publish themselves."""

from __future__ import annotations

from unittest.mock import ANY

import pytest

from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.outbox import OutboxReport


def drive(tries, errors):
    """Publish all; return the positions, and the report."""
    positions = []
    error = None
    while True:
        try:
            record = tries.send(error)
        except StopIteration as end:
            return positions, end.value
        positions.append(record.position)
        error = errors.get(record.position)


def test_each_event_is_yielded_and_the_report_is_returned(world):
    world.log.add(3)

    done = drive(world.outbox().tries(attempts=1), {2: OSError("no mail")})

    report = OutboxReport(name=ANY, handled=2, failed=1, dead=1, dropped=0, busy=False, position=3)
    assert done == ([1, 2, 3], report)
    [entry] = world.outbox().entries()
    assert (entry.position, entry.last_error) == (2, "OSError")


def test_the_limit_and_the_delay_are_those_of_a_run(world):
    world.log.add(3)
    failing = {1: OSError("no mail")}
    assert drive(world.outbox().tries(limit=2, retry_delay=0), failing)[0] == [1, 2]

    assert drive(world.outbox().tries(), {})[0] == [1, 3]


def test_a_closed_one_leaves_the_rest_to_the_next(world):
    world.log.add(3)
    tries = world.outbox().tries()
    next(tries)
    tries.send(None)
    assert drive(world.outbox().tries(), {})[1].busy

    tries.close()

    assert drive(world.outbox().tries(), {})[0] == [2, 3]


def test_its_terms_are_checked_when_it_is_made(world):
    with pytest.raises(InvalidSubscriptionError):
        world.outbox().tries(limit=0)
