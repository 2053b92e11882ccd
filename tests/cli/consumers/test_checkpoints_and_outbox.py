"""``dynamo-es checkpoints`` and ``dynamo-es outbox``."""

import pytest

from tests.cli.stores import lines


def test_checkpoints_show_the_worker_and_its_last_beat(run, stored):
    checkpoints = stored.checkpoints
    checkpoints.move("balances", 3)
    checkpoints.take("balances", "host:7-abcdefgh", checkpoints.look("balances"), 90_000, 60_000)

    assert run("checkpoints").out.split("\t")[-2:] == ["host:7-abcd", "1970-01-01 00:00:30Z\n"]
    (document,) = lines(run("checkpoints", "--json"))
    assert document["worker"] == "host:7-abcdefgh"
    assert document["beat_at"] == "1970-01-01T00:00:30+00:00"


def test_a_checkpoint_is_reset_when_that_is_confirmed(run, stored):
    stored.checkpoints.move("balances", 3)

    ended = run("checkpoints", "reset", "balances", stdin=b"y\n")

    assert ended.status == 0
    assert ended.err.startswith(
        "Set balances from 3 to 0? It will get the events of 3 positions again. Stop it first."
    )
    assert ended.out == "balances is now at 0; 4 positions to go.\n"
    assert stored.checkpoints.position("balances") == 0


@pytest.mark.parametrize(
    ("to", "effect"),
    [
        (2, "will get the events of 1 position again"),
        (4, "will never get the events of 1 position."),
        (3, "It is already there"),
    ],
)
def test_what_a_reset_does_is_said_in_the_question(run, stored, to, effect):
    stored.checkpoints.move("balances", 3)
    ended = run("checkpoints", "reset", "balances", "--to", to, stdin=b"n\n")
    assert (ended.status, ended.out) == (1, "")
    assert effect in ended.err
    assert "Nothing was changed. To skip the question: --yes" in ended.err
    assert stored.checkpoints.position("balances") == 3


def test_a_checkpoint_of_a_tenant_is_reset_alone(run, stored):
    for one in (stored, stored.in_tenant("acme")):
        one.checkpoints.move("balances", 3)

    (document,) = lines(
        run("checkpoints", "reset", "balances", "--to", 1, "--tenant", "acme", "--yes", "--json")
    )

    assert document == {"consumer": "balances", "tenant": "acme", "before": 3, "position": 1}
    assert stored.checkpoints.position("balances") == 3
    assert stored.in_tenant("acme").checkpoints.position("balances") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody"], "'nobody' has no checkpoint. Consumers with one: 'balances'."),
        (["balances", "--to", "5"], "Position 5 does not exist: the log ends at 4."),
        (["balances", "--to", "-1"], "A position must be an integer of 0"),
    ],
)
def test_a_reset_that_cannot_be_meant_is_refused(run, stored, arguments, words):
    stored.checkpoints.move("balances", 3)
    ended = run("checkpoints", "reset", *arguments, "--yes")
    assert (ended.status, ended.out) == (1, "")
    assert words in ended.err
    assert stored.checkpoints.position("balances") == 3


def test_checkpoints_lists_under_its_own_name_too(run, stored):
    stored.checkpoints.move("balances", 3)
    assert run("checkpoints", "--json", "list").status == 2
    assert run("checkpoints", "list", "--json").out == run("checkpoints", "--json").out
    assert run("checkpoints", "list").out == run("checkpoints").out


def test_checkpoints(run, stored):
    stored.checkpoints.move("balances", 3)

    ((found,), shown) = lines(run("checkpoints", "--json")), run("checkpoints").out

    assert (found["consumer"], found["position"], found["lag"]) == ("balances", 3, 1)
    assert shown.split()[-5:][0] == "3"
    assert "balances" in shown


def test_checkpoints_of_tenants(run, stored):
    for tenant in ("acme", ""):
        stored.in_tenant(tenant).checkpoints.move("balances", 3)
    stored.checkpoints.move("balances", 3)

    found, shown = lines(run("checkpoints", "--json")), run("checkpoints").out

    assert [one["tenant"] for one in found] == [None, "", "acme"]
    assert "acme" in shown
    assert "(default)" in shown


def test_the_outbox_of_a_tenant(run, stored):
    def publish(recorded):
        raise ZeroDivisionError

    stored.in_tenant("acme").outbox.run_once(publish, attempts=1)

    assert lines(run("outbox", "list", "--json")) == []
    (entry,) = lines(run("outbox", "list", "--json", "--tenant", "acme"))
    assert entry["tenant"] == "acme"
    assert "1 event will be tried again." in run("outbox", "retry", "--all", "--tenant", "acme").err


def test_outbox_lists_and_puts_back(run, stored):
    def publish(recorded):
        raise ZeroDivisionError(f"at {recorded.position}")

    stored.outbox.run_once(publish, attempts=1)
    listed = lines(run("outbox", "list", "--json"))
    assert [(entry["position"], entry["dead"]) for entry in listed] == [
        (position, True) for position in range(1, 5)
    ]
    assert "NumberDrawn" in run("outbox", "list").out

    assert "1 event will be tried again." in run("outbox", "retry", 2).err
    (document,) = lines(run("outbox", "retry", 2, "--json"))
    assert document == {"outbox": "outbox", "tenant": None, "positions": [2]}
    assert [entry["dead"] for entry in lines(run("outbox", "list", "--json"))].count(True) == 3
    assert "3 events will be tried again." in run("outbox", "retry", "--all").err
    assert "no dead events to retry" in run("outbox", "retry", "--all").err
    assert lines(run("outbox", "list", "--json", "--outbox", "other")) == []


@pytest.mark.parametrize("arguments", [[], ["1", "--all"]])
def test_outbox_retry_needs_positions_or_all(run, stored, arguments):
    assert run("outbox", "retry", *arguments).status == 2


def test_outbox_retry_of_a_position_that_did_not_fail(run, stored):
    ended = run("outbox", "retry", 3)

    assert ended.status == 1
    assert "no failed entry at position 3" in ended.err
    assert ended.err.endswith("To list the failed events: dynamo-es outbox list\n")
