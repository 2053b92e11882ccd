"""Records of a table's stream as Lambda delivers them, decoded into commits."""

from __future__ import annotations

import logging
from base64 import b64decode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from dynamo_es.dynamodb.log.pointers import find_pointer, is_foreign, is_newer
from dynamo_es.exceptions import ConfigurationError, StoredItemError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.dynamodb.wire.steps import Item

_log = logging.getLogger("dynamo_es")


class CommitRecord(NamedTuple):
    """A record of the events table's stream whose new image is a commit.

    Attributes:
        sequence_number: sequence number of the record in its shard.
        hint: the pointer to the commit.
        item: the commit as stored, in boto3's wire format.
    """

    sequence_number: str
    hint: Pointer
    item: Item


class NewerRecord(NamedTuple):
    """A record of an item that a newer release wrote, in a format that this one cannot read.

    Attributes:
        sequence_number: sequence number of the record in its shard.
        error: names the item.
    """

    sequence_number: str
    error: StoredItemError


@dataclass(slots=True)
class Decoded:
    """A decoded batch.

    Attributes:
        commits: the records of commits, in the order of the batch.
        newer: the records of items that only a newer release can read.
        skipped: number of records of snapshots, fences and removals.
        foreign: number of records of items that this library did not write.
        damaged: the errors of items of this library that no release can read.
    """

    commits: list[CommitRecord] = field(default_factory=list)
    newer: list[NewerRecord] = field(default_factory=list)
    skipped: int = 0
    foreign: int = 0
    damaged: list[StoredItemError] = field(default_factory=list)


def records_in(event: object) -> Sequence[Mapping[str, Any]]:
    """Return the records of a batch from Lambda (``Records``) or from a pipe (a bare list).

    Raises:
        ConfigurationError: not a batch.
    """
    records = event.get("Records") if isinstance(event, dict) else event
    if not isinstance(records, list | tuple):
        raise ConfigurationError(
            "This handler takes batches of a DynamoDB table's stream: an event with Records, a "
            f"pipe's list of records, or a failure record; not {type(event).__name__} without "
            "records."
        )
    return records


def decode(records: Sequence[Mapping[str, Any]]) -> Decoded:
    """Return the commits in a batch of the events table's stream.

    A commit arrives as an INSERT, or as a MODIFY if it replaced a fence.

    Args:
        records: ``Records`` of the event that Lambda calls a function with.

    Raises:
        ConfigurationError: records without new images, or not of a table's stream.
    """
    found = Decoded()
    for record in records:
        change = change_of(record)
        if record.get("eventName") == "REMOVE":
            found.skipped += 1
            continue
        image = new_image(change)
        if image is None:
            raise ConfigurationError(
                "Records of the table's stream carry no new image (StreamViewType "
                f"{change.get('StreamViewType')}): set it to NEW_IMAGE."
            )
        if not (_has(image, "stream_key", "S") and _has(image, "version", "N")):
            raise ConfigurationError(
                "This handler takes batches of the events table's stream, but a record's image has "
                "no stream_key and version: connect the events table's stream."
            )
        try:
            hint = find_pointer(image)
        except StoredItemError as error:
            if is_newer(image):
                found.newer.append(NewerRecord(change["SequenceNumber"], error))
                continue
            if is_foreign(image):
                found.foreign += 1
            else:
                found.damaged.append(error)
            _log.warning("Skipped the record of an item that cannot be read: %s", error)
            continue
        if hint is None:
            found.skipped += 1
        else:
            found.commits.append(CommitRecord(change["SequenceNumber"], hint, image))
    return found


def change_of(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the change of an item that a record describes.

    Raises:
        ConfigurationError: a record that is not of a table's stream.
    """
    change = record.get("dynamodb") if isinstance(record, dict) else None
    if not isinstance(change, dict) or not _is_number(change.get("SequenceNumber")):
        raise ConfigurationError(
            f"This handler takes batches of a DynamoDB table's stream, not of {source_of(record)}."
        )
    return change


def source_of(record: object) -> str:
    """Return the event source that a record names, for messages."""
    if not isinstance(record, dict):
        return type(record).__name__
    source = record.get("eventSource") or record.get("EventSource")
    return source if isinstance(source, str) else type(source).__name__


def new_image(change: Mapping[str, Any]) -> Item | None:
    """Return the new item in boto3's wire format; None if the record has no new image.

    Raises:
        ConfigurationError: an image that is not an item.
    """
    image = image_in(change, "NewImage")
    if image is None:
        return None
    # Lambda's event is JSON, so its bytes are base64.
    try:
        return {
            name: {"B": b64decode(value["B"])} if isinstance(value.get("B"), str) else value
            for name, value in image.items()
        }
    except ValueError:
        raise ConfigurationError(
            "A record's NewImage has bytes that are not base64: pass the record as Lambda "
            "delivers it."
        ) from None


def image_in(change: Mapping[str, Any], name: str) -> Item | None:
    """Return a record's ``NewImage``, ``OldImage`` or ``Keys`` as delivered; None without one.

    Raises:
        ConfigurationError: an image that is not an item.
    """
    image = change.get(name)
    if image is None:
        return None
    if not isinstance(image, dict) or not all(isinstance(one, dict) for one in image.values()):
        raise ConfigurationError(
            f"A record's {name} must be an item in DynamoDB's wire format: pass the record as "
            "Lambda delivers it."
        )
    return image


def _has(image: Item, name: str, kind: str) -> bool:
    return isinstance(image.get(name, {}).get(kind), str)


def _is_number(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit()
