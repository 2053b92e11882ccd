"""Books that readers borrow and return: events and their aggregate."""

from __future__ import annotations

from typing import Annotated

from event_sourcery.encryption import DataSubject, Encrypted
from event_sourcery.event import Event
from event_sourcery.event_sourcing import Aggregate


class BookBought(Event):
    __event_name__ = "library.BookBought"

    title: str


class BookLent(Event):
    __event_name__ = "library.BookLent"

    card: Annotated[str, DataSubject]
    reader: Annotated[str, Encrypted(mask_value="(a former reader)")]


class BookReturned(Event):
    __event_name__ = "library.BookReturned"


class NotInTheHouseError(Exception):
    """The book is not here to be lent."""


class Book(Aggregate):
    category = "books"

    def __init__(self) -> None:
        self.title = ""
        self.reader: str | None = None

    def buy(self, title: str) -> None:
        self._emit(BookBought(title=title))

    def lend(self, card: str, reader: str) -> None:
        if not self.title or self.reader is not None:
            raise NotInTheHouseError
        self._emit(BookLent(card=card, reader=reader))

    def take_back(self) -> None:
        if self.reader is not None:
            self._emit(BookReturned())

    def __apply__(self, event: Event) -> None:
        match event:
            case BookBought():
                self.title = event.title
            case BookLent():
                self.reader = event.reader
            case BookReturned():
                self.reader = None
