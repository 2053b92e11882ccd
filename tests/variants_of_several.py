"""Stores whose appends to several streams are broken on purpose.

`tests/linearizability/test_several_streams.py` must find each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from dynamo_es.dynamodb.streams import requests
from dynamo_es.dynamodb.streams.appending import append_all, append_part
from dynamo_es.dynamodb.streams.items import Head

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest

    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.dynamodb.streams.appending.commits import Plan
    from dynamo_es.dynamodb.wire.steps import Request, Steps


def checks_left_out(patch: pytest.MonkeyPatch) -> None:
    """The transaction only has the commits: streams that moved between read and write pass."""
    request = append_all._AppendAll._request

    def without(call: Any, plans: Sequence[Plan], heads: dict[str, Head]) -> Request:
        checks, call.checks = call.checks, ()
        sent = request(call, plans, heads)
        call.checks = checks
        return sent

    patch.setattr(append_all._AppendAll, "_request", without)


def checks_of_known_streams_left_out(patch: pytest.MonkeyPatch) -> None:
    """A stream whose head the process remembers is taken for unchanged, without a check."""
    request = append_all._AppendAll._request

    def unknown_only(call: Any, plans: Sequence[Plan], heads: dict[str, Head]) -> Request:
        checks = call.checks
        call.checks = [c for c in checks if c.stream.heads.get(c.key) is None]
        sent = request(call, plans, heads)
        call.checks = checks
        return sent

    patch.setattr(append_all._AppendAll, "_request", unknown_only)


def check_one_version_too_high(patch: pytest.MonkeyPatch) -> None:
    """The check looks at the version after the next one: an append of one event goes unseen."""
    right = requests.check_unchanged

    def too_high(table: str, key: str, head: Head) -> EnlistedWrite:
        return right(table, key, head._replace(version=head.version + 1))

    patch.setattr(append_all, "check_unchanged", too_high)


def remembered_head_taken_for_the_expected_one(patch: pytest.MonkeyPatch) -> None:
    """What the process remembers of an unchanged stream is checked, whatever the caller expects."""
    right = append_part.Check.head

    def unverified(check: append_part.Check, closed: int) -> Steps[Head | None]:
        seen = check.stream.heads.recall(check.key)
        return seen.head if seen is not None else (yield from right(check, closed))

    patch.setattr(append_part.Check, "head", unverified)


def expected_version_taken_at_its_word(patch: pytest.MonkeyPatch) -> None:
    """A version inside a commit has nothing at its next version, so its check passes."""

    def unread(check: append_part.Check, closed: int) -> Steps[Head | None]:
        generation = max(closed, check.stream.now_in_microseconds())
        return Head(generation, cast("int", check.expected), versionless=False)
        yield

    patch.setattr(append_part.Check, "head", unread)


def any_commit_taken_for_what_a_deletion_left(patch: pytest.MonkeyPatch) -> None:
    """A check that there is no stream passes where one is."""
    everything = (
        "attribute_not_exists(version) OR attribute_exists(closed) OR generation >= :generation"
    )
    patch.setattr(requests, "_NO_STREAM", everything)


def refused_transaction_taken_for_done(patch: pytest.MonkeyPatch) -> None:
    """After a refusal, the events are taken for stored by an earlier attempt."""

    def stored(call: Any, *_: object) -> Steps[bool]:
        return True
        yield

    patch.setattr(append_all._AppendAll, "_outcome", stored)


def events_of_one_stream_vouch_for_all(patch: pytest.MonkeyPatch) -> None:
    """After a refusal or without an answer, the first stream that is read decides for all."""
    outcome = append_all._AppendAll._outcome

    def of_the_first(call: Any, *arguments: Any) -> Steps[bool]:
        found = yield from call.parts[0].look()
        return found.stored or (yield from outcome(call, *arguments))

    patch.setattr(append_all._AppendAll, "_outcome", of_the_first)


def moved_check_no_conflict(patch: pytest.MonkeyPatch) -> None:
    """A call is refused for a check, though an earlier one stored its events."""

    def refuse(call: Any, conflicts: dict[Any, Any]) -> Steps[bool]:
        raise call.refusal(conflicts)
        yield

    patch.setattr(append_all._AppendAll, "_refuse_unless_stored", refuse)


OF_SEVERAL: Final[list[Callable[[pytest.MonkeyPatch], None]]] = [
    checks_left_out,
    checks_of_known_streams_left_out,
    check_one_version_too_high,
    remembered_head_taken_for_the_expected_one,
    expected_version_taken_at_its_word,
    any_commit_taken_for_what_a_deletion_left,
    refused_transaction_taken_for_done,
    events_of_one_stream_vouch_for_all,
    moved_check_no_conflict,
]
"""All of them."""
