"""`Page`: a part of a long list, and where the next part begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list.

    A template shows its links with ``{% include "_pager.html" %}``, which reads ``page`` and puts
    ``next`` into the query as ``after``.

    Attributes:
        items: the items.
        next: where the next part begins, as text for the query; None: this is the last part.
        looked_at: a sentence that says what was searched; empty if every item read is shown.
    """

    items: list[T]
    next: str | None = None
    looked_at: str = ""
