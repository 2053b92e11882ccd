"""What an append expects of the stream's version: a closed set of three."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

from dynamo_es.exceptions import InvalidVersioningError


class StoredVersion(int):
    """The version that an append brought its stream to: an integer that knows where it was seen.

    Attributes:
        generation: number of the stream's generation that the events are stored in.
        repeated: whether the events were stored already, and this append wrote nothing.
    """

    generation: int
    repeated: bool

    def __new__(cls, version: int, generation: int, *, repeated: bool = False) -> Self:
        """Return a version of a stream's generation."""
        self = super().__new__(cls, version)
        self.generation = generation
        self.repeated = repeated
        return self

    def __getnewargs_ex__(self) -> tuple[Any, ...]:
        return (int(self), self.generation), {"repeated": self.repeated}


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
        generation: the generation that the version was seen in, from what was loaded
            (`RawEvent.generation`) or appended (`StoredVersion.generation`). The append is then
            refused if the stream was deleted and created again since, even where the version is
            the same. None: the caller does not know.

    Raises:
        InvalidVersioningError: a version that is no integer of 0 or more, a generation that is
            no integer of 1 or more, or a generation with version 0.
    """

    expected_version: int
    generation: int | None = None

    def __post_init__(self) -> None:
        version, generation = self.expected_version, self.generation
        if type(version) not in (int, StoredVersion) or version < 0:
            raise InvalidVersioningError(
                f"An expected version is an integer of 0 (no stream yet) or more, not {version!r}."
            )
        if generation is None:
            return
        if type(generation) is not int or generation < 1:
            raise InvalidVersioningError(
                f"A generation is an integer of 1 or more, or None, not {generation!r}: take it "
                "from what you loaded."
            )
        if version == 0:
            raise InvalidVersioningError(
                "Expected version 0 means that the stream does not exist, so it has no "
                f"generation: leave out {generation!r}."
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
