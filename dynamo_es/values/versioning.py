"""The three ways to append: at an explicit version, at any version, or without versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

from dynamo_es.exceptions import InvalidVersioningError
from dynamo_es.wording import shown


class StoredVersion(int):
    """The version of a stream after an append: an integer with its generation.

    Attributes:
        generation: generation of the stream that holds the events.
        repeated: whether the events were stored before, so that this append wrote nothing.
    """

    generation: int
    repeated: bool

    def __new__(cls, version: int, generation: int, *, repeated: bool = False) -> Self:
        """Return the version as an integer with its generation."""
        self = super().__new__(cls, version)
        self.generation = generation
        self.repeated = repeated
        return self

    def __getnewargs_ex__(self) -> tuple[Any, ...]:
        return (int(self), self.generation), {"repeated": self.repeated}


class Versioning:
    """Base of the three ways to append; see `ExplicitVersioning`, `ANY_VERSION`, `NO_VERSIONING`.

    Compare with ``isinstance`` or ``is``, never by truthiness: version 0 is a version.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ExplicitVersioning(Versioning):
    """Append only if the stream is at this version.

    Attributes:
        expected_version: version of the last stored event, 1-based; 0: the stream must not exist.
        generation: generation of that version, from a loaded event (`RawEvent.generation`) or an
            append (`StoredVersion.generation`), 1 or more. The append is then refused if the stream
            was deleted and created again since, even at the same version. None: the generation of
            ``expected_version`` if that is a `StoredVersion`; else any generation.

    Raises:
        InvalidVersioningError: the version is not an integer of 0 or more; or the generation is not
            an integer of 1 or more, contradicts the `StoredVersion`, or comes with version 0.
    """

    expected_version: int
    generation: int | None = None

    def __post_init__(self) -> None:
        if type(self.expected_version) is StoredVersion:
            self._take_apart(self.expected_version)
        version, generation = self.expected_version, self.generation
        if type(version) is not int or version < 0:
            raise InvalidVersioningError(
                "An expected version must be an integer of 0 (no stream yet) or more, "
                f"not {shown(version)}."
            )
        if generation is None:
            return
        if type(generation) is not int or generation < 1:
            raise InvalidVersioningError(
                "A generation must be an integer of 1 or more, or None, not "
                f"{shown(generation)}: take it from a loaded event."
            )
        if version == 0:
            raise InvalidVersioningError(
                "At expected version 0 the stream does not exist, so it has no generation: "
                f"leave out the generation {shown(generation)}."
            )

    def _take_apart(self, stored: StoredVersion) -> None:
        if self.generation is not None and self.generation != stored.generation:
            raise InvalidVersioningError(
                f"The StoredVersion is of generation {stored.generation!r}, not "
                f"{self.generation!r}: leave out the generation."
            )
        object.__setattr__(self, "expected_version", int(stored))
        if stored != 0:
            object.__setattr__(self, "generation", stored.generation)


def versioning_of(expected_version: int | Versioning) -> Versioning:
    """Return the versioning for an expected version: an integer becomes `ExplicitVersioning`."""
    if isinstance(expected_version, int):
        return ExplicitVersioning(expected_version)
    return expected_version


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
"""Append after the last event, at any version."""

NO_VERSIONING: Final[Versioning] = _NoVersioning()
"""Append to a stream without versions, whose events have the version ``None``."""
