"""A process that runs the projection of `balances` over a bad network, until it is killed."""

from __future__ import annotations

import sys
from random import Random

from dynamo_es import DynamoBackend, DynamoConfig
from dynamo_es.testing.faults import Fault, RandomNetwork
from tests.projections.balances import add_to_balance

LEASE = 1.0
FAULTS = (Fault.LOST_REPLY, Fault.ERROR_AFTER_WRITE, Fault.DELIVERED_TWICE, Fault.LATE)
RATE = 0.02
"""Of each fault, for each HTTP request."""


def run(endpoint: str, prefix: str, name: str, after: str, seed: str) -> None:
    """Run the projection.

    Args:
        endpoint: URL of the engine.
        prefix: begins the names of the tables.
        name: name of the projection.
        after: position to begin after.
        seed: of the faults.
    """
    config = DynamoConfig(
        events_table=f"{prefix}-events",
        log_table=f"{prefix}-log",
        keys_table=f"{prefix}-keys",
        endpoint_url=endpoint,
        region="us-east-1",
        read_timeout=10.0,
    )
    backend = DynamoBackend(config)
    network = RandomNetwork(backend.client, Random(seed), dict.fromkeys(FAULTS, RATE))
    assert network.sent == 0
    projection = backend.projection(
        name, add_to_balance, after=int(after), batch_size=3, lease=LEASE, writes=True
    )
    print("started", flush=True)  # noqa: T201 - the parent waits for it
    projection.run_forever()


if __name__ == "__main__":
    run(*sys.argv[1:])
