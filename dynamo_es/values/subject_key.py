"""`SubjectKey`: the key that encrypts one person's data in events."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Final, Self

from dynamo_es.exceptions import InputError
from dynamo_es.wording import shown

SECRET_BYTES: Final = 32
_ID: Final = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class SubjectKey:
    """The key of a data subject.

    Attributes:
        id: 16 random hexadecimal characters; a new key of a subject whose key was deleted has
            another id.
        secret: 32 bytes, for AES-256; ``repr`` does not show them.

    Raises:
        InputError: the id or the secret has another form.
    """

    id: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not _ID.fullmatch(self.id):
            raise InputError(f"A key's id must be 16 hexadecimal characters, not {shown(self.id)}.")
        if not isinstance(self.secret, bytes) or len(self.secret) != SECRET_BYTES:
            raise InputError(f"A key's secret must be {SECRET_BYTES} bytes.")

    @classmethod
    def random(cls) -> Self:
        """Return a new key with random bytes from the operating system."""
        return cls(secrets.token_hex(8), secrets.token_bytes(SECRET_BYTES))
