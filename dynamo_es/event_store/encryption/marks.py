"""What an event class says of its fields: which are encrypted, and whose data they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final


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
