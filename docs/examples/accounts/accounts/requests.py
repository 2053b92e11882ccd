"""What callers send and get: the same for both fronts, and independent of them."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, TypeAdapter

if TYPE_CHECKING:
    from accounts.domain import Account

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
"""What servers put in place of bytes that are not UTF-8."""


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


class Activity(BaseModel):
    """An event, as the read model knows it."""

    account: str
    event: str
