"""Entity tags of streams, and the preconditions of a request: ``If-Match``, ``If-None-Match``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dynamo_es.exceptions import InvalidVersioningError
from dynamo_es.http.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynamo_es.values import StoredVersion

_GAP: Final = re.compile(r"[ \t,]*")
# RFC 9110, 8.8.3: any visible character but the quote. A server decodes other bytes as Latin-1.
_TAG: Final = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?=,|$)')
_ANY: Final = "*"


def etag_of(version: StoredVersion) -> str:
    """Return the entity tag of a stream at a version, such as ``"1767225600000000-3"``.

    The tag includes the generation, so that the tag of a deleted stream never matches a stream
    that was created again.
    """
    return f'"{version.generation}-{int(version)}"'


@dataclass(frozen=True, slots=True)
class EntityTags:
    """The entity tags that a header lists.

    Attributes:
        any: whether the header is ``*``, which matches every stream that exists.
        strong: the strong tags, with their quotes.
        weak: the weak tags (``W/"…"``), without the ``W/``.
    """

    any: bool
    strong: frozenset[str]
    weak: frozenset[str]

    @classmethod
    def parse(cls, name: str, lines: Sequence[str]) -> EntityTags | None:
        """Return the tags in all lines of a header; None if the request does not have it.

        Raises:
            ProblemError: 400, the header is not a list of entity tags.
        """
        if not lines:
            return None
        text = ", ".join(lines).strip(" \t")
        if text == _ANY:
            return cls(any=True, strong=frozenset(), weak=frozenset())
        found: tuple[set[str], set[str]] = (set(), set())
        position = _end(_GAP.match(text))
        while position < len(text):
            tag = _TAG.match(text, position)
            if tag is None:
                raise _malformed(name)
            found[tag[1] is not None].add(tag[2])
            position = _end(_GAP.match(text, tag.end()))
        if not any(found):
            raise _malformed(name)
        return cls(any=False, strong=frozenset(found[0]), weak=frozenset(found[1]))

    def match(self, version: StoredVersion, *, weakly: bool = False) -> bool:
        """Return whether one of the tags names a stream's version; False for a missing stream.

        Args:
            version: the stream's version; 0: the stream does not exist.
            weakly: True: weak tags match too.
        """
        if version == 0:
            return False
        etag = etag_of(version)
        return self.any or etag in self.strong or (weakly and etag in self.weak)


@dataclass(frozen=True, slots=True)
class Preconditions:
    """The preconditions of a request.

    Attributes:
        if_match: the stream must have one of these versions; None: the request has no ``If-Match``.
        if_none_match: the stream must have none of these versions; None: the request has no
            ``If-None-Match``.
    """

    if_match: EntityTags | None = None
    if_none_match: EntityTags | None = None

    @classmethod
    def of_request(cls, headers: Mapping[str, str]) -> Preconditions:
        """Return the preconditions in a request's headers, with names in upper or lower case.

        Raises:
            ProblemError: 400, a header is malformed.
        """
        return cls(
            EntityTags.parse("If-Match", lines_of("If-Match", headers)),
            EntityTags.parse("If-None-Match", lines_of("If-None-Match", headers)),
        )

    def check(self, version: StoredVersion | None) -> StoredVersion:
        """Return a stream's version if it satisfies the preconditions of a command.

        Give the result to an append as its expected version, so that the preconditions still hold
        when the events are stored.

        Args:
            version: the stream's version; None: a versionless stream.

        Raises:
            ProblemError: 412, a precondition does not hold.
            InvalidVersioningError: the stream is versionless.
        """
        if version is None:
            raise InvalidVersioningError(
                "A versionless stream has no version to compare with If-Match: append to it with "
                "NO_VERSIONING and without preconditions."
            )
        self._check_match(version)
        if self.if_none_match is not None and self.if_none_match.match(version, weakly=True):
            raise _failed("If-None-Match", version, "It names the stream's version.")
        return version

    def check_query(self, version: StoredVersion) -> StoredVersion:
        """Return a stream's version if a query must show the aggregate at it.

        Raises:
            ProblemError: 304, the caller already has this version; 412, ``If-Match`` does not hold.
        """
        self._check_match(version)
        if self.if_none_match is not None and self.if_none_match.match(version, weakly=True):
            raise ProblemError(304, "Not modified.", headers={"ETag": etag_of(version)})
        return version

    def _check_match(self, version: StoredVersion) -> None:
        if self.if_match is None or self.if_match.match(version):
            return
        reason = "The stream has none of the versions that it names."
        if self.if_match.match(version, weakly=True) or self.if_match.weak:
            reason = "A weak tag (W/) never matches: send the ETag as you got it, without W/."
        raise _failed("If-Match", version, reason)


NO_CONDITIONS: Final = Preconditions()


def lines_of(name: str, headers: Mapping[str, str]) -> list[str]:
    """Return all values of a header. Its name may be in upper or lower case."""
    return [value for key, value in headers.items() if key.lower() == name.lower()]


def _failed(header: str, version: StoredVersion, reason: str) -> ProblemError:
    at = f"It is at version {int(version)}." if version else "It does not exist."
    return ProblemError(
        412,
        f"{header} does not hold. {reason} {at}",
        headers={"ETag": etag_of(version)} if version else None,
        actual=int(version),
    )


def _malformed(name: str) -> ProblemError:
    return ProblemError(
        400, f'{name} must be * or a list of entity tags in quotes, such as "1767225600000000-3".'
    )


def _end(match: re.Match[str] | None) -> int:
    return match.end() if match else 0
