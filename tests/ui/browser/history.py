"""The history that the pages of the tests show: always the same, so that pictures are, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynamo_es import DynamoBackend


def write_history(backend: DynamoBackend) -> None:
    """Write streams of several tenants, a conversation, a deletion and hostile events."""
