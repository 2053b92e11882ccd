"""Mending the end of the log, where a page keeps every sequencer from going on.

A page that points to what no stream can have (figures of 38 digits, say) can never have all its
markers, and no page comes after one whose markers are missing. It is always the newest one.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dynamo_es.dynamodb.log import requests
from dynamo_es.dynamodb.log.items import Page, page_item, read_any_page
from dynamo_es.dynamodb.wire.errors import ConditionRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.dynamodb.wire.steps import Steps

_log = logging.getLogger("dynamo_es")


def mend_newest_page(log_table: str, new_id: Callable[[], str]) -> Steps[int]:
    """Take out of the newest page what no stream can have; return how many commits that is.

    The commits that stay are put again from the page's first position on. Without any, the page
    is deleted. A sound page stays as it is.

    Args:
        log_table: the log's.
        new_id: makes up the id of a page.

    Raises:
        StoredItemError: it is not a page: restore it.
        ServiceError: AWS refused or did not answer.

    Cost: 1 request, and 1 for a page that is mended.
    """
    response = yield requests.newest_page(log_table)
    for item in response["Items"]:
        page = read_any_page(item)
        kept = tuple(pointer for pointer in page.pointers if pointer.can_have_marker)
        if page.pointers and len(kept) == len(page.pointers):
            return 0
        request = requests.delete_page(log_table, page.first, page.writer)
        if kept:
            mended = page_item(Page(page.first, kept, new_id()))
            request = requests.replace_page(log_table, mended, page.writer)
        try:
            yield request
        except ConditionRefused:  # another repair was faster
            return 0
        taken = len(page.pointers) - len(kept)
        _log.warning("The page at position %d is mended: %d commits less.", page.first, taken)
        return taken
    return 0
