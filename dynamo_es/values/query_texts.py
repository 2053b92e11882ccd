"""Reads a query from one line of text, such as a part of a URL or of a command line."""

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
    """Return the query that a line stands for, the reverse of `Query.text`.

    A word with ``:`` is a tag; a word without it is the name of a type. ``|`` separates
    alternatives. An event matches an alternative if it has one of the types and all of the tags. An
    empty line matches every event. Within a word, write a space as ``%20`` and ``|`` as ``%7C``; in
    the name of a type, write ``:`` as ``%3A``.

    Raises:
        InputError: the line is not text, an alternative has no words, or a tag has no name or no
            value.
    """
    if not isinstance(text, str):
        raise InputError(f"A query is read from one line of text, not from {shown(text)}.")
    if not text.strip():
        return Query.everything()
    return Query.of_items(_item(alternative.split()) for alternative in text.split("|"))


def tag_of_word(word: str) -> Tag:
    """Return the tag that a word such as ``course:c1`` stands for.

    The tag of a command is accepted, because the query of a conflict may have one.

    Raises:
        InputError: the word has no ``:`` or no name before it, or the name begins with ``$`` and is
            not that of a command's tag.
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
