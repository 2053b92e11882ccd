"""What callers send and get: the same for both fronts, and independent of them."""

from __future__ import annotations

import re
from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Final, Literal
from uuid import uuid4

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, TypeAdapter

from dynamo_es.http import ProblemError

if TYPE_CHECKING:
    from accounts.domain import Account

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
"""What servers put in place of bytes that are not UTF-8."""
MOST_BYTES: Final = 16 * 1024
"""Of the body of a request. A command has less than one kilobyte."""


def _check_visible(text: str) -> str:
    if not text.isprintable() or not text.strip() or REPLACEMENT in text:
        raise ValueError("must be visible characters of Unicode")
    return text


Name = Annotated[
    str, StringConstraints(min_length=1, max_length=100), AfterValidator(_check_visible)
]
AccountName = Annotated[Name, StringConstraints(pattern="^[^/]*$")]
Cents = Annotated[int, Field(strict=True, ge=-(10**12), le=10**12)]
"""Neither 1.9, nor true, nor "5". Whether it may be negative is a rule of the account."""

NAME: Final = TypeAdapter[str](Name)
ACCOUNT_NAME: Final = TypeAdapter[str](AccountName)

_CORRELATION_ID: Final = re.compile(r"[A-Za-z0-9._:=-]{1,64}")


class Command(BaseModel):
    """A command to an account, as the body of a request."""

    @abstractmethod
    def decide(self, account: Account) -> None:
        """Let the account decide."""


class Open(Command):
    """Open an account."""

    owner: Name

    def decide(self, account: Account) -> None:
        """Let the account decide."""
        account.open(self.owner)


class Deposit(Command):
    """Put money in."""

    amount: Cents

    def decide(self, account: Account) -> None:
        """Let the account decide."""
        account.deposit(self.amount)


class Withdraw(Command):
    """Take money out."""

    amount: Cents

    def decide(self, account: Account) -> None:
        """Let the account decide."""
        account.withdraw(self.amount)


COMMANDS: Final[dict[str, type[Command]]] = {
    "open": Open,
    "deposit": Deposit,
    "withdraw": Withdraw,
}

Kind = Literal["opened", "deposited", "withdrawn"]


class Done(BaseModel):
    """The account after a command."""

    balance: int
    version: int


class Balance(BaseModel):
    """An account, as the read model knows it."""

    account: str
    owner: str
    balance: int
    version: int
    etag: str


class Entry(BaseModel):
    """An event of an account, with the balance after it."""

    version: int
    kind: Kind
    amount: int
    balance: int
    at: str


class Activity(BaseModel):
    """An event of any account."""

    account: str
    kind: Kind
    amount: int
    at: str


def correlation_id_of(sent: str | None, request_id: str | None = None) -> str:
    """Return the id that a request, its log lines and its events share.

    Args:
        sent: the caller's ``X-Correlation-Id``; it is used if it is short and plain.
        request_id: the server's id of the request, if it has one.
    """
    if sent is not None and _CORRELATION_ID.fullmatch(sent):
        return sent
    return request_id or str(uuid4())


def too_large() -> ProblemError:
    """Return the reply to a request whose body is too large."""
    return ProblemError(413, f"A body has at most {MOST_BYTES} bytes. Send one command at a time.")
