"""What an append expects of the stream's version: a closed set of three."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dynamo_es.exceptions import InvalidVersioningError


class Versioning:
    """Base of the three ways to append; see `ExplicitVersioning`, `ANY_VERSION`, `NO_VERSIONING`.

    Compare with ``isinstance`` or ``is``; never by truthiness: version 0 is a version.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ExplicitVersioning(Versioning):
    """The stream's version must be exactly this one.

    Attributes:
        expected_version: version of the last stored event, 1-based; 0 means that the
            stream must not exist.

    Raises:
        InvalidVersioningError: not an integer of 0 or more.
    """

    expected_version: int

    def __post_init__(self) -> None:
        version = self.expected_version
        if type(version) is not int or version < 0:
            raise InvalidVersioningError(
                f"An expected version is an integer of 0 (no stream yet) or more, not {version!r}."
            )


class _AnyVersion(Versioning):
    __slots__ = ()

    def __repr__(self) -> str:
        return "ANY_VERSION"

    def __reduce__(self) -> str:
        return "ANY_VERSION"


class _NoVersioning(Versioning):
    __slots__ = ()

    def __repr__(self) -> str:
        return "NO_VERSIONING"

    def __reduce__(self) -> str:
        return "NO_VERSIONING"


ANY_VERSION: Final[Versioning] = _AnyVersion()
"""Append at the head, whatever its version is."""

NO_VERSIONING: Final[Versioning] = _NoVersioning()
"""The stream has no versions: its events carry ``None``."""
