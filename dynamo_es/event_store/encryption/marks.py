"""What an event class says of its fields: which are encrypted, and whose data they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

SCHEMA_MARK: Final = "dynamo_es_encrypted"
"""Key in the metadata of pydantic's schema of what is marked."""


@dataclass(frozen=True)
class Encrypted:
    """Marks a field whose value is stored encrypted, with the key of its data subject.

    ::

        class CustomerRegistered(Event):
            customer_id: Annotated[str, DataSubject]
            email: Annotated[str, Encrypted(mask_value="[erased]")]

    Attributes:
        mask_value: stands in the field's place when the subject's key is deleted; has to be of
            the field's type.
        subject_field: name of the field, in the same class, with the subject's id; None: the
            one marked `DataSubject`.
    """

    mask_value: Any
    subject_field: str | None = None

    def __get_pydantic_core_schema__(self, *arguments: Any) -> Any:
        """Mark pydantic's schema as well, so that it shows wherever the mark stands."""
        # Source and handler; the source is `self` where the class stands in the place of a mark.
        handler = arguments[-1]
        source = arguments[0] if len(arguments) > 1 else self
        schema = dict(handler(source))
        schema["metadata"] = {**(schema.get("metadata") or {}), SCHEMA_MARK: True}
        return schema

    # A mask may be a list or a dict, and what `Annotated` holds has to have a hash.
    def __hash__(self) -> int:
        return hash((type(self), self.subject_field))


class _DataSubject:
    __slots__ = ()

    def __repr__(self) -> str:
        return "DataSubject"

    def __reduce__(self) -> str:
        return "DataSubject"


DataSubject: Final = _DataSubject()
"""Marks the field that holds the id of the person whose data the encrypted fields hold."""
