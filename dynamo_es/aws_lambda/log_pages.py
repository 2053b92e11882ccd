"""Finds the new pages of the log in a batch of the log table's stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dynamo_es.aws_lambda.failures import failed_batches
from dynamo_es.aws_lambda.records import change_of, image_in, records_in
from dynamo_es.dynamodb.log.keys import is_pages_key, owner_of_pages
from dynamo_es.dynamodb.log.pages import SCOPE
from dynamo_es.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.aws_lambda.batch import BatchEvent
    from dynamo_es.values import Position, TenantId


class PageRecord(NamedTuple):
    """A record of the log table's stream whose new image is a page.

    Attributes:
        sequence_number: sequence number of the record in its shard.
        last: position of the page's last event.
        tenant_id: tenant whose log has the page; None: the log of all tenants.
    """

    sequence_number: str
    last: Position
    tenant_id: TenantId | None = None


def tenants_in(pages: Iterable[PageRecord] | None) -> list[TenantId] | None:
    """Return the tenants whose logs have new pages; None: unknown, so read all logs."""
    if pages is None:
        return None
    return list(dict.fromkeys(page.tenant_id for page in pages if page.tenant_id is not None))


def pages_of(pages: list[PageRecord] | None, tenant_id: TenantId | None) -> list[PageRecord] | None:
    """Return the pages that can hold events of a tenant; all pages if the tenant is None."""
    if pages is None or tenant_id is None:
        return pages
    return [page for page in pages if page.tenant_id in {None, tenant_id}]


def pages_in(event: BatchEvent) -> list[PageRecord] | None:
    """Return the new pages in a batch of the log table's stream; None: not a batch.

    A failure record is not a batch: like a schedule's event, it only starts the reading.

    Raises:
        ConfigurationError: records that are not of a table's stream.
    """
    if isinstance(event, dict) and ("Records" not in event or failed_batches(event)):
        return None
    pages: list[PageRecord] = []
    for record in records_in(event):
        change = change_of(record)
        image = image_in(change, "NewImage") or image_in(change, "Keys") or {}
        key = image.get("log_key", {}).get("S", "")
        if record.get("eventName") == "REMOVE" or not is_pages_key(key) or SCOPE in image:
            continue
        try:
            first, count = int(image["place"]["S"]), int(image.get("count", {"N": "1"})["N"])
        except (KeyError, TypeError, ValueError):
            raise ConfigurationError(
                "A record's image has the key of a log page, but not its place and count: pass the "
                "record as Lambda delivers it."
            ) from None
        pages.append(PageRecord(change["SequenceNumber"], first + count - 1, owner_of_pages(key)))
    return pages
