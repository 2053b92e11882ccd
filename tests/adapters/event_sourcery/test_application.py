"""An application of python-event-sourcery runs with no change but its settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from event_sourcery import StreamUUID
from event_sourcery.exceptions import ConcurrentStreamWriteError

from tests.adapters.event_sourcery.library import settings
from tests.adapters.event_sourcery.library.application import Library
from tests.adapters.event_sourcery.library.books import Book, NotInTheHouseError
from tests.engine import Capability, DynamoEngine, needs


@pytest.fixture
def parts(engine, config, request):
    if not isinstance(engine, DynamoEngine):
        return settings.in_memory()
    return settings.on_dynamodb(request.getfixturevalue("client"), config)


@pytest.fixture
def library(parts):
    library = Library(*parts)
    library.buy("isbn-1", "Middlemarch")
    library.buy("isbn-2", "Emma")
    library.register("card-1")
    library.register("card-23")
    return library


def test_a_day_at_the_library(library):
    library.lend("isbn-1", "card-1", "Anna")
    library.lend("isbn-2", "card-23", "Bert")
    with pytest.raises(NotInTheHouseError):
        library.lend("isbn-1", "card-23", "Bert")
    library.take_back("isbn-1")
    library.send_letters()
    library.count_loans()
    assert library.shelf == {"isbn-1": "in the house", "isbn-2": "lent to Bert"}
    assert library.letters == ["Dear Anna, enjoy isbn-1!", "Dear Bert, enjoy isbn-2!"]

    library.lend("isbn-1", "card-23", "Bert")
    library.forget("card-1")
    library.send_letters()
    library.count_loans()

    assert library.shelf["isbn-1"] == "lent to Bert"
    assert library.letters[2:] == ["Dear Bert, enjoy isbn-1!"]
    assert library.loans == {"isbn-1": 2, "isbn-2": 1}
    assert library.reader_of("isbn-2") == "Bert"


@needs(Capability.REQUESTS)
def test_a_former_reader_is_forgotten(library):
    library.lend("isbn-1", "card-1", "Anna")

    library.forget("card-1")
    library.send_letters()

    assert library.reader_of("isbn-1") == "(a former reader)"
    assert library.letters == ["Dear (a former reader), enjoy isbn-1!"]


@needs(Capability.REQUESTS)
def test_two_desks_lend_a_book_once(library, config, client):
    other = Library(*settings.on_dynamodb(client, config))
    with (
        pytest.raises(ConcurrentStreamWriteError),
        other._books.aggregate(StreamUUID(name="isbn-1"), Book()) as book,
    ):
        book.aggregate.lend("card-23", "Bert")
        library.lend("isbn-1", "card-1", "Anna")

    assert library.reader_of("isbn-1") == "Anna"


def test_the_application_knows_nothing_of_where_it_runs():
    folder = Path(__file__).parent / "library"
    texts = {path.name: path.read_text() for path in folder.glob("*.py")}

    assert {name for name, text in texts.items() if re.search("dynamo|boto", text)} == {
        "settings.py"
    }
