"""A library that lends books, keeps a shelf list, sends letters, counts and forgets."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from event_sourcery import StreamUUID
from event_sourcery.encryption import Encryption
from event_sourcery.event_sourcing import Repository
from event_sourcery.interfaces import EncryptionKeyStorageStrategy, EncryptionStrategy
from event_sourcery.read_model import CursorsDao, Projector

from tests.adapters.event_sourcery.library.books import Book, BookBought, BookLent, BookReturned

if TYPE_CHECKING:
    from event_sourcery import StreamId, TransactionalBackend
    from event_sourcery.event import RawEvent, Recorded, WrappedEvent


class Caesar(EncryptionStrategy):
    """Stands for a cipher: this is about where the keys are."""

    def encrypt(self, data: Any, key: bytes) -> str:
        return "".join(chr(ord(letter) + key[0]) for letter in data)

    def decrypt(self, data: str, key: bytes) -> str:
        return "".join(chr(ord(letter) - key[0]) for letter in data)


class Library:
    """A library on any backend of python-event-sourcery.

    Args:
        backend: keeps what has happened.
        cursors: where the shelf list is in each book's stream.
        keys: of the readers.
    """

    def __init__(
        self,
        backend: TransactionalBackend,
        cursors: CursorsDao,
        keys: EncryptionKeyStorageStrategy,
    ) -> None:
        self.shelf: dict[str, str] = {}
        self.letters: list[str] = []
        self.loans: Counter[str] = Counter()
        self._counted = 0
        self._keys = keys
        self._backend = backend.with_outbox(_is_worth_a_letter).with_encryption(Caesar(), keys)
        self._books = Repository[Book](self._backend.event_store)
        shelf_list = Projector(self._backend.event_store, "shelf", cursors, self._note)
        self._backend.in_transaction.register(
            lambda wrapped_event, stream_id, tenant_id, position: shelf_list.project(
                wrapped_event, stream_id
            ),
            to="books",
        )

    def buy(self, isbn: str, title: str) -> None:
        with self._books.aggregate(StreamUUID(name=isbn), Book()) as book:
            book.aggregate.buy(title)

    def register(self, card: str) -> None:
        self._keys.store(card, bytes([len(card)]))

    def lend(self, isbn: str, card: str, reader: str) -> None:
        with self._books.aggregate(StreamUUID(name=isbn), Book()) as book:
            book.aggregate.lend(card, reader)

    def take_back(self, isbn: str) -> None:
        with self._books.aggregate(StreamUUID(name=isbn), Book()) as book:
            book.aggregate.take_back()

    def reader_of(self, isbn: str) -> str | None:
        with self._books.aggregate(StreamUUID(name=isbn), Book()) as book:
            return book.aggregate.reader

    def send_letters(self) -> None:
        """To be called by a timer."""
        self._backend.outbox.run(self._write)

    def count_loans(self) -> None:
        """To be called by another; goes on where it was."""
        lent = self._backend.subscriber.start_from(self._counted).to_events([BookLent])
        for record in next(lent.build_batch(100, timelimit=0.1)):
            self.loans[str(record.stream_id.name)] += 1
            self._counted = record.position

    def forget(self, card: str) -> None:
        self._backend[Encryption].shred(card)

    def _note(self, wrapped_event: WrappedEvent[Any], stream_id: StreamId) -> None:
        isbn = str(stream_id.name)
        match wrapped_event.event:
            case BookBought() | BookReturned():
                self.shelf[isbn] = "in the house"
            case BookLent() as lent:
                self.shelf[isbn] = f"lent to {lent.reader}"

    def _write(self, record: Recorded) -> None:
        event = record.wrapped_event.event
        assert isinstance(event, BookLent)
        self.letters.append(f"Dear {event.reader}, enjoy {record.stream_id.name}!")


def _is_worth_a_letter(entry: RawEvent) -> bool:
    return entry.name == BookLent.__event_name__
