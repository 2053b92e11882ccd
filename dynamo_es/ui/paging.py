"""`Page`: a piece of a long list, and where the next piece begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A piece of a list.

    A template shows its links with ``{% include "_pager.html" %}``, which reads ``page`` and puts
    ``next`` into the query as ``after``.

    Attributes:
        items: the items.
        next: where the next piece begins, as text for the query; None: this is the last piece.
        looked_at: what was read to find the items, in words; empty if every item read is shown.
    """

    items: list[T]
    next: str | None = None
    looked_at: str = ""
