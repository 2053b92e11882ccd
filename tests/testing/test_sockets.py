"""A network of faults stands below the default transport, between connections and sockets."""

from __future__ import annotations

import pytest

from dynamo_es import DynamoBackend
from dynamo_es.testing.faults import Fault, Network
from dynamo_es.testing.unreliable import faulty
from tests.dynamodb.wire.scripted import serving
from tests.dynamodb.wire.senders import client_at, config_at, nothing_hooked_in, sent_by_botocore

# The fixture, by its name.
__all__ = ["nothing_hooked_in"]

pytestmark = pytest.mark.usefixtures("nothing_hooked_in")

ARRIVED = {
    Fault.LOST_REQUEST: 1,
    Fault.LOST_REPLY: 2,
    Fault.ERROR_AFTER_WRITE: 2,
    Fault.THROTTLED: 1,
    Fault.DELIVERED_TWICE: 2,
    Fault.LATE: 1,
    Fault.CUT_WHILE_READING: 2,
    Fault.PAST_THE_DEADLINE: 1,
    Fault.PARTLY_THROTTLED: 1,
}
"""How many requests reach the server, that of the retry included."""

SEEN = {Fault.DELIVERED_TWICE, Fault.PAST_THE_DEADLINE, Fault.PARTLY_THROTTLED}
"""Faults after which the client has a good reply at once."""

REPLIED = {*SEEN, Fault.ERROR_AFTER_WRITE, Fault.THROTTLED}
"""Faults after which the connection is whole."""


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_befalls_the_bytes_of_a_request_or_its_reply(fault: Fault) -> None:
    with serving() as server:
        client = client_at(server.port, read_timeout=5)
        network = Network(client)
        network.plan(lambda request: fault if request == 0 else None)
        with network.between():
            names = client.list_tables()["TableNames"]

        assert names == ["events", "log"]
        assert network.injected == {fault: 1}
        assert network.directly == network.sent == (1 if fault in SEEN else 2)
        assert len(server.requests) == ARRIVED[fault]
        assert server.connections == (1 if fault in REPLIED else 2)
        assert not sent_by_botocore(client)
        network.deliver_late()
        assert len(server.requests) == ARRIVED[fault] + (fault is Fault.LATE)


def test_a_client_has_its_own_connections_again_when_the_network_is_gone() -> None:
    with serving() as server:
        client = client_at(server.port)
        network = Network(client)
        network.plan(lambda _: Fault.LOST_REQUEST)
        with network.between():
            pass

        client.list_tables()
        client.list_tables()

        assert (network.sent, server.connections) == (0, 1)
        assert not sent_by_botocore(client)


def test_an_unreliable_backend_sends_by_the_transport_of_the_backend() -> None:
    with serving() as server:
        for transport, direct in (("default", 1), ("botocore", 0)):
            config = config_at(f"http://127.0.0.1:{server.port}", transport)  # type: ignore[arg-type]
            context = faulty(DynamoBackend(config), throttled=1e-9)
            with context as unreliable:
                unreliable.client.list_tables()

            network = context._network
            assert network is not None
            assert (network.sent, network.directly) == (1, direct)
