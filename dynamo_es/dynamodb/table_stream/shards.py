"""The shards of a stream: which of them may be read, and how far each is read.

The children of a shard hold later records, so they are read after the parent is read to its end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dynamo_es.dynamodb.log.pointers import find_pointers
from dynamo_es.dynamodb.table_stream import requests
from dynamo_es.dynamodb.table_stream.requests import Place
from dynamo_es.exceptions import ConfigurationError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dynamo_es.dynamodb.log.pointers import Found
    from dynamo_es.dynamodb.wire.steps import Item, Response, Steps

_EXPIRED: Final = "ExpiredIteratorException"
_TRIMMED: Final = "TrimmedDataAccessException"
_IMAGES: Final = frozenset({"NEW_IMAGE", "NEW_AND_OLD_IMAGES"})
_MOST_ITERATORS: Final = 3
"""The most iterators for one reading. An iterator lasts 15 minutes, so two should be enough."""


@dataclass(slots=True)
class Shard:
    """A shard, and how far it is read.

    Attributes:
        id: the shard's id.
        parent: id of the shard that it continues; None: it is the first.
        after: sequence number of the last record whose commit is in the log; None: none yet.
        finished: whether the shard is closed and read to its end.
        iterator: where the next reading begins; None: the next reading gets an iterator first.
    """

    id: str
    parent: str | None
    after: str | None = None
    finished: bool = False
    iterator: str | None = None


class Reading(NamedTuple):
    """The records that one request has read from a shard. Call `advance` when the log has them.

    Attributes:
        shard: the shard.
        found: the records' items, sorted into commits, damaged and foreign ones.
        records: number of records.
        newest_at: when the last record was written, in seconds since the epoch; None: unknown.
        after: sequence number of the last record read so far.
        iterator: where the next reading begins; None: the shard is read to its end.
        trimmed: whether records expired before they were read.
    """

    shard: Shard
    found: Found
    records: int
    newest_at: float | None
    after: str | None
    iterator: str | None
    trimmed: bool

    def advance(self) -> None:
        """Move the shard on, past the records of this reading."""
        self.shard.after = self.after
        self.shard.iterator = self.iterator
        self.shard.finished = self.iterator is None


@dataclass(slots=True)
class Lineage:
    """The shards of one stream, with their parents.

    Attributes:
        arn: ARN of the stream.
        places: saved places, by shard id.
        shards: listed shards, by id.
    """

    arn: str
    places: dict[str, Place] = field(default_factory=dict)
    shards: dict[str, Shard] = field(default_factory=dict)

    def update(self, listed: Iterable[Mapping[str, Any]]) -> list[str]:
        """Take a complete list of shards; return those that disappeared before they were read."""
        now: dict[str, Shard] = {}
        for entry in listed:
            shard_id = entry["ShardId"]
            now[shard_id] = self.shards.get(shard_id) or self._resumed(
                shard_id, entry.get("ParentShardId")
            )
        read = {place.shard_id for place in self.places.values() if place.finished}
        read |= {shard.id for shard in self.shards.values() if shard.finished}
        gone = (self.places.keys() | self.shards.keys()) - now.keys() - read
        # Add shards of an earlier stream that has been turned off since.
        gone |= {
            place.shard_id
            for place in self.places.values()
            if place.stream_arn != self.arn and not place.finished
        }
        self.shards = now
        for shard_id in gone & self.places.keys():
            # Report a lost shard only once.
            self.places[shard_id] = self.places[shard_id]._replace(finished=True)
        return sorted(gone)

    def readable(self) -> list[Shard]:
        """Return the shards to read now: those whose parent is read to its end or gone."""
        return [
            shard
            for shard in self.shards.values()
            if not shard.finished and (shard.parent is None or self._is_finished(shard.parent))
        ]

    @property
    def exhausted(self) -> bool:
        """Whether every shard is read to its end."""
        return all(shard.finished for shard in self.shards.values())

    @property
    def incomplete(self) -> bool:
        """Whether the children of a shard that was read to its end are not listed yet."""
        parents = {shard.parent for shard in self.shards.values()}
        return any(shard.finished and shard.id not in parents for shard in self.shards.values())

    def unsaved(self) -> list[Place]:
        """Return the places that differ from the saved ones."""
        places = [
            Place(self.arn, shard.id, shard.after, shard.finished) for shard in self.shards.values()
        ]
        return [
            place
            for place in places
            if place != self.places.get(place.shard_id, Place(self.arn, place.shard_id))
        ]

    def vanished(self) -> list[str]:
        """Return the shards that have a saved place and are no longer listed."""
        return sorted(self.places.keys() - self.shards.keys())

    def _resumed(self, shard_id: str, parent: str | None) -> Shard:
        place = self.places.get(shard_id)
        if place is None or place.stream_arn != self.arn:
            return Shard(shard_id, parent)
        return Shard(shard_id, parent, place.sequence_number, place.finished)

    def _is_finished(self, shard_id: str) -> bool:
        shard = self.shards.get(shard_id)
        return shard is None or shard.finished


def find_stream(table: str) -> Steps[str]:
    """Return the ARN of a table's stream.

    Raises:
        ConfigurationError: the table has no stream, or a stream without new images.
    """
    description = (yield requests.describe_table(table))["Table"]
    stream = description.get("StreamSpecification", {})
    if not stream.get("StreamEnabled") or "LatestStreamArn" not in description:
        raise ConfigurationError(
            f"The table {table} has no stream. Turn one on with NEW_IMAGE, as "
            "infra/event-store.yaml does; then run `dynamo-es log repair` for earlier commits."
        )
    if stream.get("StreamViewType") not in _IMAGES:
        raise ConfigurationError(
            f"The stream of the table {table} has {stream['StreamViewType']} instead of new "
            "images. Turn it off, and on again with NEW_IMAGE."
        )
    return str(description["LatestStreamArn"])


def list_shards(stream_arn: str) -> Steps[list[dict[str, Any]]]:
    """Return all shards of a stream, as AWS describes them."""
    shards: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        response = yield requests.describe_stream(stream_arn, after)
        description = response["StreamDescription"]
        shards += description.get("Shards", ())
        after = description.get("LastEvaluatedShardId")
        if after is None:
            return shards


def read_places(log_table: str) -> Steps[dict[str, Place]]:
    """Return the saved places, by shard id."""
    places: dict[str, Place] = {}
    after: Item | None = None
    while True:
        response = yield requests.saved_places(log_table, after)
        for place in map(Place.read, response["Items"]):
            places[place.shard_id] = place
        after = response.get("LastEvaluatedKey")
        if after is None:
            return places


def save_places(log_table: str, lineage: Lineage) -> Steps[None]:
    """Save the places that have changed, and remove the places of shards that are gone."""
    for place in lineage.unsaved():
        yield requests.save_place(log_table, place)
        lineage.places[place.shard_id] = place
    for shard_id in lineage.vanished():
        yield requests.remove_place(log_table, shard_id)
        del lineage.places[shard_id]


def read_shard(stream_arn: str, shard: Shard) -> Steps[Reading]:
    """Read a shard once, from its place. The shard moves on when you call `Reading.advance`.

    Raises:
        ServiceError: AWS refused or did not answer.
    """
    after, iterator, trimmed = shard.after, shard.iterator, False
    attempt = 0
    while True:
        try:
            if iterator is None:
                attempt += 1
                response = yield requests.shard_iterator(stream_arn, shard.id, after)
                iterator = str(response["ShardIterator"])
            response = yield requests.get_records(iterator)
        except ServiceError as error:
            if error.code not in {_EXPIRED, _TRIMMED} or attempt == _MOST_ITERATORS:
                raise
            iterator = None
            if error.code == _TRIMMED:
                # The remaining records begin at the trim horizon.
                after, trimmed = None, True
        else:
            return _reading(shard, response, after, trimmed=trimmed)


def _reading(shard: Shard, response: Response, after: str | None, *, trimmed: bool) -> Reading:
    records = response["Records"]
    changes = [record["dynamodb"] for record in records]
    # The record of a removal has no new image.
    found = find_pointers(change["NewImage"] for change in changes if "NewImage" in change)
    return Reading(
        shard,
        found,
        len(records),
        _written_at(changes[-1]) if changes else None,
        changes[-1]["SequenceNumber"] if changes else after,
        response.get("NextShardIterator"),
        trimmed,
    )


def _written_at(change: Mapping[str, Any]) -> float | None:
    at = change.get("ApproximateCreationDateTime")
    return at.timestamp() if isinstance(at, datetime) else at
