"""What is measured over TLS: a server in another process gives recorded replies."""

from __future__ import annotations

import os

import pytest

from benchmarks import tls_cpu
from benchmarks.append_cpu import COMMIT_SIZES
from benchmarks.canned import CA_BUNDLE, canned
from benchmarks.engine import bare_client
from benchmarks.replaying import Reply
from benchmarks.runs import sections
from benchmarks.scale import QUICK

# It tests the benchmarks.
pytestmark = pytest.mark.ci


def test_the_server_gives_its_replies_in_turns_to_clients_that_trust_it(monkeypatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    monkeypatch.delenv(CA_BUNDLE, raising=False)
    tables = [Reply(200, {}, b'{"TableNames": ["%d"]}' % number) for number in range(2)]

    with canned(tables, [Reply(400, {}, b'{"__type": "a#LimitExceededException"}')]) as endpoints:
        client, refused = (bare_client(endpoint_url=endpoint) for endpoint in endpoints)
        names = [client.list_tables()["TableNames"] for _ in range(3)]
        with pytest.raises(refused.exceptions.LimitExceededException):
            refused.list_tables()

    assert names == [["0"], ["1"], ["0"]]
    assert CA_BUNDLE not in os.environ


def test_appends_and_loads_over_tls_have_a_goal_for_each_transport(emulator, tiny) -> None:
    found = tls_cpu.measure(emulator, tiny)

    section = tls_cpu.section(found)
    appends = len(tls_cpu.APPEND_LIMITS) * len(COMMIT_SIZES)
    assert len(section.goals) == appends + 2 * len(tls_cpu.TIMES_FASTER)
    assert all(0.2 < goal.figure < 5 for goal in section.goals[:appends])
    assert all(0.01 < goal.figure < 1 for goal in section.goals[appends:])
    for samples in found.appends.values():
        assert samples.seconds("socket") < samples.seconds("bare") / 3
    assert "floor: the socket" in section.markdown("")


def test_the_figures_over_tls_are_the_first(emulator) -> None:
    assert sections(emulator, QUICK)[0][0] == "appends and loads over TLS, CPU"
