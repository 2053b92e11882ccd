"""Reading the next page while the caller works on the current one."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from itertools import islice

import pytest

from dynamo_es.dynamodb.wire.parallel import ahead
from dynamo_es.dynamodb.wire.parallel.ahead import reading_ahead

WAIT_S = 5


class Book:
    """Pages of numbers: three parts a page."""

    def __init__(self, pages=3, fails_at=None):
        self.read = 0
        self.pages = pages
        self.fails_at = fails_at
        self.threads = []
        self.turned = threading.Semaphore(0)

    def next_page(self):
        self.threads.append(threading.current_thread())
        if self.read == self.fails_at:
            self.turned.release()
            raise OSError(self.read)
        page = [3 * self.read + number for number in range(3)]
        self.read += 1
        self.turned.release()
        return page

    def parts(self):
        return reading_ahead(self.next_page, lambda: self.read == self.pages)

    def wait_until_turned(self, times):
        for _ in range(times):
            assert self.turned.acquire(timeout=WAIT_S)


def test_all_parts_come_in_order():
    assert list(Book().parts()) == [*range(9)]


def test_nothing_is_read_before_the_first_part_is_asked_for():
    book = Book()
    book.parts()
    assert book.read == 0


def test_a_caller_that_takes_one_part_reads_one_page():
    book = Book()
    assert next(book.parts()) == 0
    assert book.threads == [threading.current_thread()]


def test_the_next_page_is_read_while_the_caller_works_on_this_one():
    book = Book()
    parts = book.parts()
    assert [*islice(parts, 2)] == [0, 1]
    book.wait_until_turned(2)  # while the caller still holds the second part
    assert book.read == 2
    assert book.threads[1] is not threading.current_thread()
    assert book.threads[1].daemon


def test_no_more_than_one_page_is_read_ahead():
    book = Book(pages=9)
    parts = book.parts()
    list(islice(parts, 3))
    book.wait_until_turned(2)
    assert book.read == 2


def test_after_the_last_page_nothing_is_read():
    book = Book(pages=1)
    assert list(book.parts()) == [0, 1, 2]
    assert len(book.threads) == 1


def test_an_error_is_raised_after_the_parts_before_it():
    parts = Book(fails_at=1).parts()
    assert [*islice(parts, 3)] == [0, 1, 2]
    with pytest.raises(OSError, match="1"):
        next(parts)
    assert list(parts) == []


def test_an_error_of_the_first_page_is_raised_at_the_first_part():
    with pytest.raises(OSError, match="0"):
        next(Book(fails_at=0).parts())


def test_a_closed_iterator_leaves_no_thread():
    book = Book()
    parts = book.parts()
    list(islice(parts, 2))
    parts.close()
    book.wait_until_turned(2)
    book.threads[1].join(WAIT_S)
    assert not book.threads[1].is_alive()
    assert list(parts) == []


def test_a_page_is_read_in_the_callers_context():
    trace = ContextVar("trace", default="none")
    seen = []

    def read():
        seen.append(trace.get())
        return [1, 2]

    trace.set("mine")
    list(islice(reading_ahead(read, lambda: len(seen) == 2), 4))
    assert seen == ["mine", "mine"]


def test_a_page_is_read_again_if_its_thread_is_gone_as_in_a_forked_child(monkeypatch):
    class Gone(threading.Thread):
        def run(self):
            """End without a result."""

    monkeypatch.setattr(ahead, "Thread", Gone)
    book = Book()
    assert list(book.parts()) == [*range(9)]
    assert set(book.threads) == {threading.current_thread()}
