"""The key that encrypts what events hold of one person: the subject's."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Final, Self

from dynamo_es.exceptions import InputError

SECRET_BYTES: Final = 32
_ID: Final = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class SubjectKey:
    """The key of a data subject.

    Attributes:
        id: 16 hexadecimal characters; random, so that a key made after the deletion of
            another one of the same subject is told from it.
        secret: 32 bytes, for AES-256; not shown by ``repr``.

    Raises:
        InputError: of another form.
    """

    id: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not _ID.fullmatch(self.id):
            raise InputError(f"A key's id is 16 hexadecimal characters, not {self.id!r}.")
        if not isinstance(self.secret, bytes) or len(self.secret) != SECRET_BYTES:
            raise InputError(f"A key's secret is {SECRET_BYTES} bytes.")

    @classmethod
    def random(cls) -> Self:
        """Return a new key, from the operating system's source of randomness."""
        return cls(secrets.token_hex(8), secrets.token_bytes(SECRET_BYTES))
