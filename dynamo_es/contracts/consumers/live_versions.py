"""The live version of a projection: the version whose read model is in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dynamo_es.exceptions import InvalidConsumerError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from datetime import datetime


class LiveVersion(NamedTuple):
    """Says which version of a projection is live.

    Attributes:
        version: the live version.
        before: the version that was live before; None if no version was.
        promoted_at: time of the promotion, aware UTC.
    """

    version: int
    before: int | None
    promoted_at: datetime


def check_version(version: object) -> None:
    """Raise `InvalidConsumerError` unless a value is an integer from 1 to 999,999,999, or None."""
    if type(version) is not int or not 1 <= version < 10**9:
        raise InvalidConsumerError(
            "version must be an integer from 1 to 999,999,999, or None for a projection without "
            f"versions, not {shown(version)}."
        )
