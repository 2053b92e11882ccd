"""TransactWriteItems and TransactGetItems."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from tests.engine import MOTO
from tests.engines.lab import item_of, key, number, text, versions
from tests.engines.probe import ACCEPTED, CANCELED, INVALID, Probe, error_of, outcome

if TYPE_CHECKING:
    from tests.engines.lab import Lab

_WRITE = "API reference, TransactWriteItems"
_REASONS = "API reference, TransactionCanceledException"
# Eleven items, each well below what any engine takes.
_FOUR_MB = [381_300] * 10 + [4 * 2**20 - 10 * 381_300]
_OLD: Final[dict[str, Any]] = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
_THREADS = 4
_TRIES = 25


def _reasons(lab: Lab, **params: Any) -> str:
    lab.put({**key(2), "mark": text("two")})
    lab.put({**key(4), "mark": text("four")})
    error = error_of(
        lambda: lab.transact(*(lab.create_action(version, **params) for version in range(1, 6)))
    )
    return ", ".join(
        reason["Code"] + (f" ({reason['Item']['mark']['S']})" if reason.get("Item") else "")
        for reason in error["CancellationReasons"]
    )


def _left_of_a_refused_one(lab: Lab) -> str:
    lab.put_versions(2)
    error_of(lambda: lab.transact(*(lab.create_action(version) for version in (1, 2, 3))))
    return versions(lab.query()["Items"])


def _of_sizes(lab: Lab, *sizes: int) -> None:
    lab.transact(
        *(lab.put_action(item_of(size, version)) for version, size in enumerate(sizes, start=1))
    )


def _adding(lab: Lab, amount: int) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": lab.table,
            "Key": key(),
            "UpdateExpression": "ADD amount :amount",
            "ExpressionAttributeValues": {":amount": number(amount)},
        }
    }


def _twice_by_one_token(lab: Lab, first: int, second: int) -> str:
    token = uuid4().hex
    lab.transact(_adding(lab, first), ClientRequestToken=token)
    again = outcome(lambda: lab.transact(_adding(lab, second), ClientRequestToken=token))
    return f"{again}, stored {lab.get()['Item']['amount']['N']}"


def _check_and_put(lab: Lab) -> None:
    check = {
        "TableName": lab.table,
        "Key": key(),
        "ConditionExpression": "attribute_not_exists(version)",
    }
    lab.transact({"ConditionCheck": check}, lab.put_action(key()))


def _reads(lab: Lab) -> str:
    lab.put_versions(1, 3)
    wanted = [{"Get": {"TableName": lab.table, "Key": key(version)}} for version in (3, 2, 1)]
    replies = lab.client.transact_get_items(TransactItems=wanted)["Responses"]
    return ", ".join(reply["Item"]["version"]["N"] if "Item" in reply else "-" for reply in replies)


def _race(lab: Lab) -> str:
    barrier = Barrier(_THREADS)

    def run(_: int) -> list[int]:
        won = []
        for version in range(_TRIES):
            barrier.wait()
            # Two puts, so that a transaction takes long enough to be met by another.
            actions = [lab.create_action(version), lab.create_action(1000 + version)]
            if outcome(partial(lab.transact, *actions)) == ACCEPTED:
                won.append(version)
        return won

    # Switched as often as possible, so that a missing lock shows.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(_THREADS) as threads:
            won = [version for wins in threads.map(run, range(_THREADS)) for version in wins]
    finally:
        sys.setswitchinterval(interval)
    if not won:
        return "no winner"
    return "never two winners" if len(set(won)) == len(won) else "two winners"


PROBES = [
    Probe(
        name="reasons of a cancelled transaction, asked for ALL_OLD",
        does=lambda lab: _reasons(lab, **_OLD),
        answer="None, ConditionalCheckFailed (two), None, ConditionalCheckFailed (four), None",
        source=_REASONS,
    ),
    Probe(
        name="reasons of a cancelled transaction, not asked for ALL_OLD",
        does=_reasons,
        answer="None, ConditionalCheckFailed, None, ConditionalCheckFailed, None",
        source=_REASONS,
    ),
    Probe(
        name="what a cancelled transaction leaves",
        does=_left_of_a_refused_one,
        answer="2",
        source=_WRITE,
    ),
    Probe(
        name="transaction of 100 items",
        does=lambda lab: lab.transact(*(lab.create_action(v) for v in range(100))),
        source=_WRITE,
    ),
    Probe(
        name="transaction of 101 items",
        does=lambda lab: lab.transact(*(lab.create_action(v) for v in range(101))),
        answer=INVALID,
        source=_WRITE,
    ),
    Probe(
        name="transaction of nothing",
        does=lambda lab: lab.transact(),
        answer=INVALID,
        source=_WRITE,
        instead={MOTO: ACCEPTED},
    ),
    Probe(
        name="transaction of 4 MB, exactly",
        does=lambda lab: _of_sizes(lab, *_FOUR_MB),
        source=_WRITE,
    ),
    Probe(
        name="transaction of 4 MB and a byte",
        does=lambda lab: _of_sizes(lab, *_FOUR_MB[:-1], _FOUR_MB[-1] + 1),
        answer=INVALID,
        source=_WRITE,
        instead={MOTO: ACCEPTED},
    ),
    Probe(
        name="two puts of one item in a transaction",
        does=lambda lab: lab.transact(lab.put_action(key()), lab.put_action(key())),
        answer=INVALID,
        source=_WRITE,
    ),
    Probe(
        name="check and put of one item in a transaction",
        does=_check_and_put,
        answer=INVALID,
        source=_WRITE,
    ),
    Probe(
        name="the same transaction again by the same token",
        does=lambda lab: _twice_by_one_token(lab, 1, 1),
        answer=f"{ACCEPTED}, stored 1",
        source=f"{_WRITE}, ClientRequestToken",
        instead={MOTO: f"{ACCEPTED}, stored 2"},
    ),
    Probe(
        name="another transaction by the same token",
        does=lambda lab: _twice_by_one_token(lab, 1, 10),
        answer="IdempotentParameterMismatchException, stored 1",
        source=f"{_WRITE}, ClientRequestToken",
        instead={MOTO: f"{ACCEPTED}, stored 11"},
    ),
    Probe(
        name="condition of a transaction not met",
        does=lambda lab: [lab.transact(lab.create_action(1)) for _ in range(2)],
        answer=CANCELED,
        source=_WRITE,
    ),
    Probe(
        name="transaction on a table that is not there",
        does=lambda lab: lab.transact(
            {"Put": {"TableName": f"{lab.table}-missing", "Item": key()}}
        ),
        answer="ResourceNotFoundException",
        source=_WRITE,
    ),
    Probe(
        name="transactional read, one of three items missing",
        does=_reads,
        answer="3, -, 1",
        source="API reference, TransactGetItems",
    ),
    Probe(
        name=f"{_THREADS} threads, {_TRIES} times the same condition in a transaction",
        does=_race,
        answer="never two winners",
        source="developer guide, Amazon DynamoDB Transactions: how it works",
    ),
]
