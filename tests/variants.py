"""Stores that are broken on purpose: a suite that passes one of them proves nothing.

``pytest tests/conformance --variant NAME`` runs the conformance suite on one of `VARIANTS`. The
suite must fail, and `tests/test_variants.py` checks that it does. `LOG_VARIANTS` are sequencers;
`tests/log/test_sequencer_interleavings.py` and `tests/log/test_races.py` catch them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts.consumers.leases import LeaseWatch
from dynamo_es.dynamodb import storage
from dynamo_es.dynamodb.consumers import leases
from dynamo_es.dynamodb.log import end_of_log, marking
from dynamo_es.dynamodb.log import requests as log_requests
from dynamo_es.dynamodb.log import sequencer as sequencing
from dynamo_es.dynamodb.log.end_of_log import EndOfLog, look_at_end
from dynamo_es.dynamodb.streams import delete as deletion
from dynamo_es.dynamodb.streams import requests
from dynamo_es.dynamodb.streams.appending import append as appending
from dynamo_es.dynamodb.streams.appending import append_many as many
from dynamo_es.dynamodb.streams.loading import walk as walking
from dynamo_es.dynamodb.wire import steps
from dynamo_es.dynamodb.wire.batches import execute_all
from dynamo_es.dynamodb.wire.partiql.statements import update
from dynamo_es.exceptions import ConcurrentStreamWriteError
from tests.variants_of_several import checks_left_out, expected_version_taken_at_its_word

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pytest

    from dynamo_es.dynamodb.log.keys import LogKeys
    from dynamo_es.dynamodb.log.markers import Marker
    from dynamo_es.dynamodb.log.marking import Stored
    from dynamo_es.dynamodb.log.pages import Page
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
    from dynamo_es.dynamodb.streams.items import Commit
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Item, Request, Steps


def no_fence(patch: pytest.MonkeyPatch) -> None:
    """A deletion does not close the generation: nothing stands one version beyond its last."""

    def read_instead(table: str, fence: Item) -> Request:
        return requests.get_item(table, fence["stream_key"]["S"], 1)

    patch.setattr(requests, "put_closing_fence", read_instead)


def plain_deletes(patch: pytest.MonkeyPatch) -> None:
    """A deletion removes the commits instead of fencing their versions."""

    def delete(table: str, commit: Commit, fence: Item) -> Request:
        put = requests_put_fence_over(table, commit, fence)
        params = {name: value for name, value in put.params.items() if name != "Item"}
        params["Key"] = {name: fence[name] for name in ("stream_key", "version")}
        return steps.Request("delete_item", params)

    def one_by_one(stream: Stream, commits: Sequence[Commit], expires_at: int) -> Steps[None]:
        for commit in commits:
            yield from deletion._fence(stream, commit, expires_at)

    requests_put_fence_over = requests.put_fence_over
    patch.setattr(requests, "put_fence_over", delete)
    patch.setattr(deletion, "_fence_all", one_by_one)


def sweep_from_the_bottom_up(patch: pytest.MonkeyPatch) -> None:
    """A deletion fences version 1 first, and the newest commit last."""
    rounds = deletion._Survey.rounds
    patch.setattr(deletion._Survey, "rounds", lambda survey: list(reversed(rounds(survey))))


def version_1_among_the_others(patch: pytest.MonkeyPatch) -> None:
    """A deletion fences version 1 with the other commits, in any order."""
    rounds = deletion._Survey.rounds
    patch.setattr(
        deletion._Survey, "rounds", lambda survey: [[c for each in rounds(survey) for c in each]]
    )


def insert_refused_for_others(patch: pytest.MonkeyPatch) -> None:
    """What is in the way of an append among many is taken for another's, unseen."""

    def at_face_value(reply: Any, maybe_landed: bool) -> Any:
        return reply

    patch.setattr(many, "_after_insert", at_face_value)


def unconditional_sweep(patch: pytest.MonkeyPatch) -> None:
    """A deletion overwrites any item at a version of the generation it ends."""
    conditional = requests.put_fence_over

    def overwrite(table: str, commit: Commit, fence: Item) -> Request:
        params = conditional(table, commit, fence).params
        return steps.Request("put_item", {"TableName": table, "Item": params["Item"]})

    def turn(table: str, key: str, commit: Commit, expires_at: int) -> dict[str, Any]:
        statement = turned(table, key, commit, expires_at)
        text = statement["Statement"].removesuffix(' AND "generation" = ?')
        assert text != statement["Statement"]
        return {"Statement": text, "Parameters": statement["Parameters"][:-1]}

    turned = requests.turn_into_fence
    patch.setattr(requests, "put_fence_over", overwrite)
    patch.setattr(requests, "turn_into_fence", turn)


def leftovers_refuse_a_creation(patch: pytest.MonkeyPatch) -> None:
    """A creation takes what a crashed deletion left for a living stream."""

    def refuse(stream: Stream) -> Steps[None]:
        raise ConcurrentStreamWriteError(stream.id, 0, 1)
        yield

    patch.setattr(deletion, "finish_deletion", refuse)


def expected_zero_unchecked(patch: pytest.MonkeyPatch) -> None:
    """Version 0 is tested by truthiness: it stands for any version."""
    run = appending.Append.run

    def unchecked(append: appending.Append) -> Steps[Any]:
        if not append.expected:
            return append._at_head()
        return run(append)

    patch.setattr(appending.Append, "run", unchecked)


def one_page_only(patch: pytest.MonkeyPatch) -> None:
    """A query's first page is taken for all there is."""
    next_page = walking.Walk._next_page

    def only_page(walk: walking.Walk) -> Any:
        yield from next_page(walk)
        walk._more = False

    patch.setattr(walking.Walk, "_next_page", only_page)


def lower_bound_taken_for_the_end(patch: pytest.MonkeyPatch) -> None:
    """Where the lower bound of a query ends, the stream is taken to end."""
    next_page = walking.Walk._next_page

    def last_page(walk: walking.Walk) -> Any:
        bounded = walk._next.lowest > 1
        yield from next_page(walk)
        walk._more = walk._more and not bounded

    patch.setattr(walking.Walk, "_next_page", last_page)


def tenant_forgotten_in_delete(patch: pytest.MonkeyPatch) -> None:
    """A deletion looks for the stream in the default tenant."""
    delete = storage.DynamoStorage.delete_stream

    def forgetful(scoped: storage.DynamoStorage, stream_id: Any) -> None:
        delete(scoped.scoped_for_tenant(""), stream_id)

    patch.setattr(storage.DynamoStorage, "delete_stream", forgetful)


def conflict_at_face_value(patch: pytest.MonkeyPatch) -> None:
    """An append's own write, met again, is taken for another's."""

    def never(append: appending.Append, *_: object) -> bool:
        return False

    def never_stored(append: appending.Append, *_: object) -> Steps[bool]:
        return False
        yield

    patch.setattr(appending.Append, "_agrees", never)
    patch.setattr(appending.Append, "_is_stored_after", never_stored)


def unconditional_put(patch: pytest.MonkeyPatch) -> None:
    """An append overwrites whatever stands at its version."""
    conditional = requests._commit_put

    def unconditional(table: str, item: Item) -> dict[str, Any]:
        params = conditional(table, item)
        return {"TableName": params["TableName"], "Item": params["Item"]}

    patch.setattr(requests, "_commit_put", unconditional)


def generation_forgotten(patch: pytest.MonkeyPatch) -> None:
    """An append looks at the version that its caller hands back, not at the generation."""
    checked = appending.Append.run

    def forgetful(append: appending.Append) -> Steps[Any]:
        append.generation = None
        return checked(append)

    patch.setattr(appending.Append, "run", forgetful)


def no_token_in_the_checkpoint(patch: pytest.MonkeyPatch) -> None:
    """A worker may write while another one has the lease: nobody looks at its fencing token."""
    patch.setattr(leases, "MINE", "(fencing_token = :token OR attribute_exists(leased_by))")


def lease_judged_by_compared_clocks(patch: pytest.MonkeyPatch) -> None:
    """A lease is over when its end has passed, whichever clock that end was set by."""

    def is_over(_watch: Any, _key: Any, held: Any, now_ms: int, **_: Any) -> bool:
        return now_ms >= held.until

    patch.setattr(LeaseWatch, "is_over", is_over)


def previous_position_unchecked(patch: pytest.MonkeyPatch) -> None:
    """A read model's writes are made whatever the saved position is."""
    checked = leases.apply

    def unchecked(*arguments: Any) -> Steps[Any]:
        steps = checked(*arguments)
        request = next(steps)
        checkpoint = request.params["TransactItems"][0]["Update"]  # type: ignore[union-attr]
        checkpoint["ConditionExpression"] = leases.MINE
        checkpoint["ExpressionAttributeValues"].pop(":previous", None)
        try:
            reply = yield request
        except Exception as error:  # noqa: BLE001 - the algorithm decides
            request = steps.throw(error)
        else:
            try:
                request = steps.send(reply)
            except StopIteration as end:
                return end.value
        raise AssertionError(request)

    patch.setattr(leases, "apply", unchecked)


def writes_apart_from_the_checkpoint(patch: pytest.MonkeyPatch) -> None:
    """A read model's writes go out first, and the checkpoint after them."""
    together: Any = leases.apply

    def apart(*arguments: Any) -> Steps[Any]:
        *others, writes = arguments
        yield steps.Request("transact_write_items", {"TransactItems": writes})
        return (yield from together(*others, []))

    patch.setattr(leases, "apply", apart)


# Sequencers


def markers_of_a_dead_sequencer_missing(patch: pytest.MonkeyPatch) -> None:
    """The markers of the newest page are not applied again."""

    def nothing(table: str, page: Page, stored: Stored | None = None) -> Steps[None]:
        yield from ()

    patch.setattr(end_of_log, "finish_page", nothing)


def page_over_another(patch: pytest.MonkeyPatch) -> None:
    """A page is put over the page that is there."""

    def put(log: LogKeys, item: Item) -> Request:
        return steps.Request("put_item", {"TableName": log.table, "Item": item})

    patch.setattr(log_requests, "put_page", put)


def marker_batch_without_its_condition(patch: pytest.MonkeyPatch) -> None:
    """A statement sets a marker to a version, even to a lower one."""

    def raise_marker(table: str, marker: Marker, version: int) -> dict[str, Any]:
        return update(table, marker.key, {"last_version": steps.number(version)}, [])

    patch.setattr(log_requests, "raise_marker", raise_marker)


def refused_marker_taken_for_done(patch: pytest.MonkeyPatch) -> None:
    """A statement for a marker that does not exist is refused, and that is taken for done."""

    def apply(table: str, versions: Mapping[Marker, int], stored: Stored) -> Steps[None]:
        raising = [log_requests.raise_marker(table, *each) for each in versions.items()]
        yield from execute_all(raising, table)

    patch.setattr(sequencing, "apply_markers", apply)


def log_not_looked_up(patch: pytest.MonkeyPatch) -> None:
    """What is in the log already is not looked up; nor is what is missing before it."""

    def look(
        log: LogKeys, hints: Sequence[Pointer], memory: SequencerMemory, last: EndOfLog | None
    ) -> Steps[EndOfLog]:
        end = yield from look_at_end(log, hints, memory, last)
        stored = {hint.marker: hint.first_version - 1 for hint in reversed(hints)}
        return EndOfLog(end.position, {**stored}, {})

    patch.setattr(sequencing, "look_at_end", look)


def gaps_left_open(patch: pytest.MonkeyPatch) -> None:
    """What comes before a hint is left out."""

    def nothing(table: str, known: int, hint: Pointer) -> Steps[list[Pointer]]:
        yield from ()
        return []

    patch.setattr(sequencing, "_between", nothing)


def pages_of_others_forgotten(patch: pytest.MonkeyPatch) -> None:
    """After a lost race, what the pages of others changed is not taken over."""

    def nothing(page: Page) -> dict[Marker, int]:
        return {}

    patch.setattr(end_of_log, "versions_of", nothing)


def loser_marks_without_a_look(patch: pytest.MonkeyPatch) -> None:
    """A loser of a page raises the winner's markers at once; right, but each is billed twice."""

    def mark(table: str, page: Page, stored: Stored | None = None) -> Steps[None]:
        return marking.apply_markers(table, marking.versions_of(page), {})

    patch.setattr(end_of_log, "finish_page", mark)


LOG_VARIANTS: Final[dict[str, Callable[[pytest.MonkeyPatch], None]]] = {
    variant.__name__: variant
    for variant in (
        markers_of_a_dead_sequencer_missing,
        page_over_another,
        marker_batch_without_its_condition,
        refused_marker_taken_for_done,
        log_not_looked_up,
        gaps_left_open,
        pages_of_others_forgotten,
    )
}
"""Sequencers that write a wrong log, by name."""

VARIANTS: Final[dict[str, Callable[[pytest.MonkeyPatch], None]]] = {
    variant.__name__: variant
    for variant in (
        no_fence,
        plain_deletes,
        sweep_from_the_bottom_up,
        unconditional_sweep,
        leftovers_refuse_a_creation,
        expected_zero_unchecked,
        one_page_only,
        lower_bound_taken_for_the_end,
        tenant_forgotten_in_delete,
        conflict_at_face_value,
        unconditional_put,
        generation_forgotten,
        checks_left_out,
        expected_version_taken_at_its_word,
        no_token_in_the_checkpoint,
        lease_judged_by_compared_clocks,
        previous_position_unchecked,
        writes_apart_from_the_checkpoint,
    )
}
"""All of them, by name."""
