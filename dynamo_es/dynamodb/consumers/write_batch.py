"""`DynamoWriteBatch`: the writes of several events to a read model, for one transaction."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from dynamo_es.contracts.consumers.writes import WriteBatch
from dynamo_es.dynamodb.consumers.folding import EXACT, Folded
from dynamo_es.dynamodb.consumers.writes import Writes
from dynamo_es.dynamodb.streams.appending.enlisted_writes import MOST_WRITES, check_enlisted
from dynamo_es.dynamodb.wire.sizes import MAX_TRANSACTION_BYTES, item_size
from dynamo_es.exceptions import InvalidEnlistedWriteError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.dynamodb.wire.steps import Item
    from dynamo_es.values import Position

MOST_BYTES: Final = MAX_TRANSACTION_BYTES - 64 * 1024
"""The most bytes of the writes of a transaction, with a margin for the checkpoint."""

Place: TypeAlias = tuple[str, str]
"""Table and key of an item, as text. An empty key is unknown."""


class DynamoWriteBatch(WriteBatch):
    """Writes of consecutive events. One transaction takes 99 of them and the checkpoint.

    The changes that `Writes` make to one item are merged into one write. Writes in boto3's
    ``TransactItems`` form stay unchanged, so a second one to the same item needs a new transaction.
    The key of a ``Put`` in that form is unknown, so a second one to the same table needs a new
    transaction too.

    Args:
        own_tables: names of the store's tables, which the writes may not change.
        place: the word for the place of an event in an error: "position" or "version".
    """

    def __init__(self, own_tables: Collection[str], place: str = "position") -> None:
        self._own_tables = own_tables
        self._place = place
        self._events: list[tuple[Position, object]] = []
        self._folded: dict[Place, Folded] = {}
        self._written: dict[Place, EnlistedWrite] = {}
        self._several: list[EnlistedWrite] = []
        self._sizes: dict[Place, int] = {}
        self._more_bytes = 0

    @property
    def events(self) -> int:
        """Number of events; see `WriteBatch.events`."""
        return len(self._events)

    @property
    def empty(self) -> bool:
        """Whether there is no write; see `WriteBatch.empty`."""
        return not self.writes

    @property
    def writes(self) -> list[EnlistedWrite]:
        """The writes, as entries of ``TransactItems``."""
        folded = [one.request() for one in self._folded.values()]
        return [*folded, *self._written.values(), *self._several]

    def add(self, position: Position, writes: object) -> bool:
        """Add the writes of one event; see `WriteBatch.add`."""
        if isinstance(writes, Writes):
            fits = self._fold(writes)
        else:
            fits = self._append([] if writes is None else writes)
        if fits:
            self._events.append((position, writes))
        elif not self._events:
            raise InvalidEnlistedWriteError(
                f"The writes of the event at {self._place} {position} take more than "
                f"{MOST_BYTES:,} bytes, which one DynamoDB transaction cannot hold: let the event "
                "write less, or keep the read model without writes=True."
            )
        return fits

    def one_by_one(self) -> Iterator[tuple[Position, Self]]:
        """Yield a batch for each event; see `WriteBatch.one_by_one`."""
        for position, writes in self._events:
            alone = type(self)(self._own_tables, self._place)
            alone.add(position, writes)
            yield position, alone

    def _fold(self, writes: Writes) -> bool:
        changed: dict[Place, Folded] = {}
        for change in writes.changes:
            if change.table.rpartition("/")[2] in self._own_tables:
                raise InvalidEnlistedWriteError(
                    f"A write goes to {change.table}, which is a table of the store: write only to "
                    "your own tables."
                )
            place = change.table, _key_text(change.key)
            before = changed.get(place) or self._folded.get(place)
            if before is None:
                before = Folded(change.table, change.key)
            changed[place] = before.then(change)
        _check_number(len(changed))
        if any(place in self._written or (place[0], "") in self._written for place in changed):
            return False
        sizes = {place: one.size for place, one in changed.items()}
        if not self._has_space(sizes, 0):
            return False
        self._folded |= changed
        self._sizes |= sizes
        return True

    def _append(self, writes: Any) -> bool:
        if isinstance(writes, list | tuple):
            _check_number(len(writes))
        check_enlisted(writes, self._own_tables)
        placed: dict[Place, EnlistedWrite] = {}
        several: list[EnlistedWrite] = []
        for write in writes:
            place = _place_of(write)
            if place in placed and place[1]:
                raise InvalidEnlistedWriteError(
                    f"Two writes of one event go to the same item of {place[0]}, but a DynamoDB "
                    "transaction takes one. Use Writes, which merges them."
                )
            if place in placed:
                several.append(write)  # the item is unknown; DynamoDB refuses two to one item
            else:
                placed[place] = write
        if any(self._clashes(place) for place in placed):
            return False
        sizes = {place: _size_of(write) for place, write in placed.items()}
        more = sum(map(_size_of, several))
        if not self._has_space(sizes, len(several), more):
            return False
        self._written |= placed
        self._several += several
        self._sizes |= sizes
        self._more_bytes += more
        return True

    def _clashes(self, place: Place) -> bool:
        """Return whether a write may go to the same item as an earlier one."""
        table, key = place
        if key:
            return place in self._sizes or (table, "") in self._sizes
        return any(other[0] == table for other in self._sizes)

    def _has_space(self, sizes: Mapping[Place, int], more: int, more_bytes: int = 0) -> bool:
        both = {**self._sizes, **sizes}
        number = len(both) + len(self._several) + more
        return (
            number <= MOST_WRITES
            and sum(both.values()) + self._more_bytes + more_bytes <= MOST_BYTES
        )


def _check_number(number: int) -> None:
    if number > MOST_WRITES:
        raise InvalidEnlistedWriteError(
            f"One event makes {number} writes, but a DynamoDB transaction takes {MOST_WRITES} and "
            "the checkpoint or cursor: let the event make fewer, or keep the read model without "
            "writes=True."
        )


def _place_of(write: EnlistedWrite) -> Place:
    ((_, params),) = write.items()
    return params["TableName"], _key_text(params["Key"]) if "Key" in params else ""


def _size_of(write: EnlistedWrite) -> int:
    ((_, params),) = write.items()
    values = params.get("ExpressionAttributeValues", {})
    return item_size(params.get("Item") or {**params["Key"], **values})


def _key_text(key: Item) -> str:
    """Return a key as text. Keys that are equal in DynamoDB give equal texts."""
    return repr(sorted((name, *_value(value)) for name, value in key.items()))


def _value(value: Any) -> tuple[str, str]:
    ((kind, content),) = value.items()
    if kind == "N":
        return kind, f"{Decimal(content).normalize(EXACT):f}"
    return kind, repr(bytes(content)) if kind == "B" else str(content)
