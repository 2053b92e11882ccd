"""The live version of a projection: the one whose read model readers use."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dynamo_es.exceptions import InvalidConsumerError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from datetime import datetime


class LiveVersion(NamedTuple):
    """The pointer to a projection's live version.

    Attributes:
        version: the live version.
        before: the version that was live before; None: none, or the projection had no versions.
        promoted_at: time of the promotion, aware UTC.
    """

    version: int
    before: int | None
    promoted_at: datetime


def check_version(version: object) -> None:
    """Raise `InvalidConsumerError` unless a projection's version is an integer of 1 or more."""
    if type(version) is not int or not 1 <= version < 10**9:
        raise InvalidConsumerError(
            "version must be an integer from 1 to 999,999,999, or None for a projection without "
            f"versions, not {shown(version)}."
        )
