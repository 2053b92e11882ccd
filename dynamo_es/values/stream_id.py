"""Stream ids: a category, and a UUID that you give or that a name derives."""

from __future__ import annotations

from typing import Any, ClassVar, Self
from uuid import UUID, uuid4, uuid5

from dynamo_es.exceptions import IncompatibleUuidAndName, InvalidStreamIdError
from dynamo_es.wording import shown


class StreamUUID(UUID):
    """The UUID of a stream, optionally derived from its name.

    Args:
        uuid: the UUID; with ``name``, the one that the name derives.
        name: text that derives the UUID (``uuid5`` in ``NAMESPACE``).
        from_hex: the UUID as hexadecimal text, with or without hyphens.

    Without arguments, you get a random UUID. ``StreamUUID(name="ann")`` is the same UUID in every
    process.

    Raises:
        IncompatibleUuidAndName: the name derives another UUID.
        InvalidStreamIdError: the name is not Unicode text, ``uuid`` is not a UUID, or ``from_hex``
            is not hexadecimal text.

    Source: the namespace is python-event-sourcery's, so both libraries derive the same ids.
    """

    NAMESPACE: ClassVar[UUID] = UUID("3a24a3ee-d33d-4266-93ab-7d8e256a6d44")

    __slots__ = ("name",)
    name: str | None

    def __init__(
        self,
        uuid: UUID | None = None,
        name: str | None = None,
        from_hex: str | None = None,
    ) -> None:
        if from_hex is not None and uuid is None:
            uuid = _parse_hex(from_hex)
        derived = None if name is None else self._derive(name)
        given = uuid or derived or uuid4()
        if not isinstance(given, UUID):
            raise InvalidStreamIdError(f"uuid must be a UUID, not {shown(given)}.")
        super().__init__(int=given.int)
        object.__setattr__(self, "name", name)
        if name is not None and derived is not None and derived.int != given.int:
            raise IncompatibleUuidAndName(received=UUID(int=given.int), expected=derived, name=name)

    @classmethod
    def _derive(cls, name: str) -> UUID:
        if not isinstance(name, str):
            raise InvalidStreamIdError(f"name must be text, not {shown(name)}.")
        try:
            return uuid5(cls.NAMESPACE, name)
        except UnicodeEncodeError as error:
            raise InvalidStreamIdError(
                f"The stream name {shown(name, str)} holds a lone surrogate, which is not "
                "text: replace it."
            ) from error

    def __repr__(self) -> str:
        return f"{type(self).__name__}(hex={self!s}, name={self.name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (UUID(int=self.int), self.name)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


class StreamId(StreamUUID):
    """Identity of a stream within its tenant: ``StreamId(name="ann", category="account")``.

    The category and the UUID identify the stream; the name only derives the UUID.

    Args:
        uuid: UUID of the stream; see `StreamUUID`.
        name: text that derives the UUID; see `StreamUUID`.
        from_hex: the UUID as hexadecimal text; see `StreamUUID`.
        category: the kind of aggregate that the stream is about, such as ``account``; any text.
            None (the default): no category, which differs from the empty text.
    """

    __slots__ = ("category",)
    category: str | None

    def __init__(
        self,
        uuid: UUID | None = None,
        name: str | None = None,
        from_hex: str | None = None,
        category: str | None = None,
    ) -> None:
        super().__init__(uuid, name, from_hex)
        if category is not None and not isinstance(category, str):
            raise InvalidStreamIdError(f"category must be text, not {shown(category)}.")
        object.__setattr__(self, "category", category)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(hex={self!s}, name={self.name!r}, category={self.category!r})"
        )

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StreamId):
            return self.int == other.int and self.category == other.category
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self.category, self.int))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (UUID(int=self.int), self.name, None, self.category)


def _parse_hex(text: str) -> UUID:
    try:
        return UUID(hex=text)
    except (ValueError, AttributeError, TypeError) as error:
        raise InvalidStreamIdError(
            "from_hex must be 32 hexadecimal digits, with or without hyphens, not "
            f"{shown(text, str)}."
        ) from error
