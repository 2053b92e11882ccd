"""Commands and queries over HTTP: what is replied, and what is stored."""

from __future__ import annotations

import threading

import pytest

from tests.fastapi.bank import Deposited, Opened


def etag(bank, name: str) -> str:
    return bank.show(name).headers["etag"]


def test_a_command_is_stored_and_its_reply_carries_the_version(bank):
    opened = bank.open("ann")
    deposited = bank.deposit("ann", 5)

    assert opened.status_code == 201
    assert opened.json() == {
        "words": "Welcome, Ann.",
        "version": 1,
        "etag": opened.headers["etag"],
    }
    assert deposited.json() == {"cents": 5, "version": 2}
    assert bank.stored("ann") == [Opened(owner="Ann"), Deposited(cents=5)]


def test_a_query_replies_with_the_etag_of_the_last_command(bank):
    bank.open("ann")
    deposited = bank.deposit("ann", 5)

    found = bank.show("ann")

    assert found.json() == {"cents": 5, "version": 2}
    assert found.headers["etag"] == deposited.headers["etag"]


def test_an_account_that_does_not_exist_is_not_found(bank):
    assert bank.show("ann").status_code == 404
    refused = bank.deposit("ann", 5)
    assert refused.status_code == 404
    assert refused.headers["content-type"] == "application/problem+json"
    assert "etag" not in refused.headers
    assert bank.stored("ann") == []


def test_tenants_do_not_see_each_other(bank):
    bank.open("ann")

    assert bank.send("GET", "/accounts/ann", x_tenant="another").status_code == 404


def test_a_request_without_a_tenant_is_refused(bank):
    assert bank.send("GET", "/accounts/ann", x_tenant="").status_code == 400
    assert bank.client.get("/accounts/ann").status_code == 422


def test_a_command_that_stores_nothing_keeps_the_version(bank):
    bank.open("ann")

    assert bank.deposit("ann", 0).headers["etag"] == etag(bank, "ann")
    assert bank.stored("ann") == [Opened(owner="Ann")]


# If-Match


def test_a_command_on_the_version_that_it_names_is_stored(bank):
    bank.open("ann")
    for cents in (1, 2):
        assert bank.deposit("ann", cents, if_match=etag(bank, "ann")).status_code == 200

    assert bank.stored("ann")[1:] == [Deposited(cents=1), Deposited(cents=2)]


def test_a_command_on_an_earlier_version_is_refused_with_the_present_one(bank):
    bank.open("ann")
    old = etag(bank, "ann")
    bank.deposit("ann", 1)

    refused = bank.deposit("ann", 2, if_match=old)

    assert refused.status_code == 412
    assert refused.json()["actual"] == 2
    assert refused.headers["etag"] == etag(bank, "ann")
    assert bank.stored("ann")[1:] == [Deposited(cents=1)]


def test_the_etag_of_a_deleted_stream_does_not_match_the_one_created_again(bank):
    bank.open("ann")
    old = etag(bank, "ann")
    bank.store.delete_stream(bank.stream("ann"))
    bank.open("ann")

    assert old.endswith('-1"')
    assert etag(bank, "ann").endswith('-1"')
    assert bank.deposit("ann", 1, if_match=old).status_code == 412
    assert bank.stored("ann") == [Opened(owner="Ann")]


def test_any_version_matches_if_there_is_one(bank):
    assert bank.deposit("ann", 1, if_match="*").status_code == 404  # must_exist
    assert bank.open("ann", if_match="*").status_code == 412
    bank.open("ann")
    assert bank.deposit("ann", 1, if_match="*").status_code == 200


def test_one_of_several_tags_is_enough(bank):
    bank.open("ann")

    assert bank.deposit("ann", 1, if_match=f'"x", {etag(bank, "ann")} ,').status_code == 200
    assert bank.deposit("ann", 1, if_match='"x", "y"').status_code == 412


def test_tags_in_several_lines_are_one_list(bank):
    bank.open("ann")
    lines = [("x-tenant", bank.tenant), ("if-match", '"x"'), ("if-match", etag(bank, "ann"))]

    reply = bank.client.post("/accounts/ann/deposits", json={"cents": 1}, headers=lines)

    assert reply.status_code == 200


def test_a_weak_tag_never_matches(bank):
    bank.open("ann")

    refused = bank.deposit("ann", 1, if_match=f"W/{etag(bank, 'ann')}")

    assert refused.status_code == 412
    assert "weak" in refused.json()["detail"]
    assert bank.stored("ann") == [Opened(owner="Ann")]


@pytest.mark.parametrize("header", ["1", "", '"1', "W/1", 'w/"1"', '"a" "b"', ",", '*, "a"', "**"])
def test_a_malformed_condition_is_refused(bank, header):
    bank.open("ann")

    assert bank.deposit("ann", 1, if_match=header).status_code == 400
    assert bank.deposit("ann", 1, if_none_match=header).status_code == 400
    assert bank.show("ann", if_match=header).status_code == 400
    assert bank.stored("ann") == [Opened(owner="Ann")]


def test_of_commands_on_one_version_one_is_stored(bank):
    bank.open("ann")
    tag = etag(bank, "ann")
    statuses = []
    threads = [
        threading.Thread(
            target=lambda: statuses.append(bank.deposit("ann", 1, if_match=tag).status_code)
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200, 412, 412, 412]
    assert bank.stored("ann")[1:] == [Deposited(cents=1)]


def test_commands_without_a_condition_are_all_stored(bank):
    bank.open("ann")
    threads = [threading.Thread(target=bank.deposit, args=("ann", 1)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert bank.stored("ann")[1:] == [Deposited(cents=1)] * 4


# If-None-Match


def test_a_query_of_a_version_that_the_caller_has_is_not_modified(bank):
    bank.open("ann")
    tag = etag(bank, "ann")

    for header in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        reply = bank.show("ann", if_none_match=header)
        assert (reply.status_code, reply.content) == (304, b"")
        assert reply.headers["etag"] == tag
    bank.deposit("ann", 1)
    assert bank.show("ann", if_none_match=tag).status_code == 200


def test_a_command_for_a_new_account_is_refused_if_there_is_one(bank):
    first = bank.send("POST", "/raw/ann", {"cents": 1}, if_none_match="*")
    second = bank.send("POST", "/raw/ann", {"cents": 1}, if_none_match="*")

    assert (first.status_code, second.status_code) == (200, 412)
    assert bank.stored("ann") == [Deposited(cents=1)]


# Idempotency-Key


def test_the_same_request_with_the_same_key_is_stored_once_and_gets_the_same_reply(bank):
    replies = [bank.open("ann", idempotency_key="k1")]
    bank.deposit("ann", 7)
    replies.append(bank.open("ann", idempotency_key="k1"))

    first, second = replies
    assert second.status_code == first.status_code == 201
    assert second.json() == first.json()
    assert second.headers["etag"] == first.headers["etag"]
    assert bank.stored("ann") == [Opened(owner="Ann"), Deposited(cents=7)]


def test_a_key_in_quotes_is_the_same_key(bank):
    bank.open("ann")
    first = bank.deposit("ann", 1, idempotency_key="k1")
    second = bank.deposit("ann", 1, idempotency_key='"k1"')

    assert second.headers["etag"] == first.headers["etag"]
    assert second.json() == first.json() == {"cents": 1, "version": 2}


def test_a_key_that_was_used_with_another_body_is_refused(bank):
    bank.open("ann")
    bank.deposit("ann", 1, idempotency_key="k1")

    refused = bank.deposit("ann", 2, idempotency_key="k1")

    assert refused.status_code == 422
    assert "Idempotency-Key" in refused.json()["detail"]
    assert bank.stored("ann")[1:] == [Deposited(cents=1)]


def test_a_key_counts_for_one_account_and_one_tenant(bank):
    for name in ("ann", "bob"):
        assert bank.open(name, idempotency_key="k1").status_code == 201
    other = bank.send(
        "POST", "/accounts/ann", {"owner": "X"}, x_tenant=f"{bank.tenant}'", idempotency_key="k1"
    )

    assert other.status_code == 201


def test_a_repeated_command_is_not_refused_because_of_its_own_event(bank):
    bank.open("ann")
    tag = etag(bank, "ann")
    first = bank.deposit("ann", 1, if_match=tag, idempotency_key="k1")
    second = bank.deposit("ann", 1, if_match=tag, idempotency_key="k1")

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.headers["etag"] == second.headers["etag"]
    assert bank.stored("ann")[1:] == [Deposited(cents=1)]


@pytest.mark.parametrize(
    "key", ["", " ", '"', '""', '" "', "ä", "k\u00a0k", "k" * 256, "a\tb", "a,b"]
)
def test_a_malformed_key_is_refused(bank, key):
    bank.open("ann")
    lines = [("x-tenant", bank.tenant), ("idempotency-key", key.encode("latin-1"))]

    reply = bank.client.post("/accounts/ann/deposits", json={"cents": 1}, headers=lines)

    assert reply.status_code == 400
    assert bank.stored("ann") == [Opened(owner="Ann")]


def test_two_keys_are_refused(bank):
    lines = [("x-tenant", bank.tenant), ("idempotency-key", "a"), ("idempotency-key", "b")]

    reply = bank.client.post("/accounts/ann", json={"owner": "Ann"}, headers=lines)

    assert reply.status_code == 400
    assert bank.stored("ann") == []


def test_the_longest_key_is_taken(bank):
    assert bank.open("ann", idempotency_key="k" * 255).status_code == 201
    assert bank.open("ann", idempotency_key="k" * 255).status_code == 201
    assert bank.stored("ann") == [Opened(owner="Ann")]
