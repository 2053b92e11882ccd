"""Reads a query from one line of text, as an address, a command line or a message has it."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from dynamo_es.exceptions import InputError
from dynamo_es.values.queries import Query, QueryItem
from dynamo_es.values.tags import Tag, readable_tag
from dynamo_es.wording import shown

EVERYTHING: Final = "*"
_EXAMPLE: Final = "CourseDefined course:c1 | StudentEnrolled student:s1"


def query_of_text(text: str) -> Query:
    """Return the query that `Query.text` writes as a line; an empty line is every event.

    A word with ``:`` is a tag, another one is the name of a type. An event matches an alternative
    if it is of one of its types and has all of its tags. ``|`` separates alternatives. In a word,
    write a space as ``%20``, ``|`` as ``%7C``, and ``:`` in the name of a type as ``%3A``.

    Raises:
        InputError: not text, an alternative without words, or a tag without a name or a value.
    """
    if not isinstance(text, str):
        raise InputError(f"A query is read from one line of text, not from {shown(text)}.")
    if not text.strip():
        return Query.everything()
    return Query.of_items(_item(alternative.split()) for alternative in text.split("|"))


def tag_of_word(word: str) -> Tag:
    """Return the tag that a word such as ``course:c1`` stands for.

    It may be the tag of a command, because the query of a conflict may have one.

    Raises:
        InputError: the word has no ``:``, no name before it, or another name of the library's.
    """
    name, separator, value = word.partition(":")
    if not separator or not name:
        raise InputError(
            "A tag has a name and a value, such as course:c1. Give both, with a colon between."
        )
    return readable_tag(unquote(name), unquote(value))


def _item(words: list[str]) -> QueryItem:
    if not words:
        raise InputError(
            "The query has nothing before or after a |. Write types and tags there, such as: "
            f"{_EXAMPLE}"
        )
    if words == [EVERYTHING]:
        return QueryItem()
    if EVERYTHING in words:
        raise InputError(
            "The query has * beside other words. * stands alone, for every event: leave it out, or "
            "write %2A for a type with this name."
        )
    types = frozenset(unquote(word) for word in words if ":" not in word)
    return QueryItem(types, frozenset(tag_of_word(word) for word in words if ":" in word))
