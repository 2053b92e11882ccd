"""`Encrypted` and `DataSubject`, which mark the fields of event classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

SCHEMA_MARK: Final = "dynamo_es_encrypted"
"""Key in the metadata of pydantic's schema of a marked type."""


@dataclass(frozen=True)
class Encrypted:
    """Marks a field whose value is stored encrypted, with the key of its data subject.

    ::

        class CustomerRegistered(Event):
            customer_id: Annotated[str, DataSubject]
            email: Annotated[str, Encrypted(mask_value="[erased]")]

    Attributes:
        mask_value: value that the field has after the subject's key is deleted. It must fit the
            field's type.
        subject_field: name of the field of the same class that holds the subject's id; None: the
            field that is marked `DataSubject`.
    """

    mask_value: Any
    subject_field: str | None = None

    def __get_pydantic_core_schema__(self, *arguments: Any) -> Any:
        """Mark pydantic's schema, so that a mark is found anywhere within a type."""
        # pydantic passes source and handler; only the handler if the mark is the class itself.
        handler = arguments[-1]
        source = arguments[0] if len(arguments) > 1 else self
        schema = dict(handler(source))
        schema["metadata"] = {**(schema.get("metadata") or {}), SCHEMA_MARK: True}
        return schema

    # `Annotated` needs a hash, but a mask may be a list or a dict.
    def __hash__(self) -> int:
        return hash((type(self), self.subject_field))


class _DataSubject:
    __slots__ = ()

    def __repr__(self) -> str:
        return "DataSubject"

    def __reduce__(self) -> str:
        return "DataSubject"


DataSubject: Final = _DataSubject()
"""Marks the field that holds the id of the person whom the encrypted fields are about."""
