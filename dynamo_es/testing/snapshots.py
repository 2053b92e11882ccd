"""Checks that an aggregate's snapshot keeps its whole state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from dynamo_es.aggregates.aggregate import Aggregate
from dynamo_es.aggregates.snapshots import SnapshotPolicy
from dynamo_es.event_store.wrapped import WrappedEvent
from dynamo_es.exceptions import InputError

if TYPE_CHECKING:
    from dynamo_es.aggregates.repository import Repository
    from dynamo_es.event_store.store import EventStore
    from dynamo_es.values import StreamId

TAggregate = TypeVar("TAggregate", bound=Aggregate)

_MISSING = object()


def check_snapshot(store: EventStore, repository: Repository[TAggregate], stream: StreamId) -> None:
    """Assert that an aggregate has the same state from a snapshot as from its events.

    Raises:
        AssertionError: attributes differ.
        AggregateDefinitionError: the class has no ``__snapshot__``.
        InputError: the stream has no events.
    """
    from_events = repository.load(stream)
    SnapshotPolicy[Any](1, None).check(type(from_events))
    version = from_events.stored_version
    if version == 0:
        raise InputError("check_snapshot needs an aggregate with events: pass some to given.")
    snapshot = from_events._take_snapshot()  # noqa: SLF001 - as a repository does
    store.save_snapshot(stream, WrappedEvent(snapshot, version))
    differing = _differences(state_of(from_events), state_of(repository.load(stream)))
    if differing:
        raise AssertionError(
            f"A snapshot of {type(from_events).__qualname__} does not keep the whole state. "
            "Let __snapshot__ return and __restore__ set these attributes:\n\n"
            + "\n".join(
                f"  {name}: {before} from the events, {after} from the snapshot"
                for name, before, after in differing
            )
        )


def state_of(aggregate: Aggregate) -> dict[str, Any]:
    """Return the attributes of an aggregate, without those of the library."""
    own = Aggregate.__annotations__
    found = {name: value for name, value in vars(aggregate).items() if name not in own}
    for kind in type(aggregate).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in own and hasattr(aggregate, name):
                found[name] = getattr(aggregate, name)
    return found


def _differences(one: dict[str, Any], other: dict[str, Any]) -> list[tuple[str, str, str]]:
    names = [*one, *(name for name in other if name not in one)]
    pairs = [(name, one.get(name, _MISSING), other.get(name, _MISSING)) for name in names]
    return [
        (name, _text(before), _text(after))
        for name, before, after in pairs
        if not _is_same(before, after)
    ]


def _is_same(before: Any, after: Any) -> bool:
    # Objects of a class without __eq__ are never equal, so compare their attributes.
    return type(before) is type(after) and bool(before == after or _plain(before) == _plain(after))


def _plain(value: Any) -> Any:
    """Return an object's attributes, if its class compares objects by identity."""
    equality: object = type(value).__eq__
    if equality is object.__eq__ and hasattr(value, "__dict__"):
        return {name: _plain(one) for name, one in vars(value).items()}
    return value


def _text(value: object) -> str:
    return "not set" if value is _MISSING else repr(value)
