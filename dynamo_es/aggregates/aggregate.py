"""What an aggregate is derived from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from dynamo_es.event_store.event import Snapshot
from dynamo_es.event_store.wrapped import WrappedEvent, copy_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.event_store.event import Event


class Aggregate:
    """State of one stream: changed by its events only, and the place to decide on new ones.

    ::

        class Account(Aggregate):
            category = "account"

            def __init__(self) -> None:
                self.balance = 0

            def deposit(self, amount: int) -> None:
                if amount <= 0:
                    raise ValueError("a deposit is above 0")
                self._emit(Deposited(amount=amount))

            def __apply__(self, event: Event) -> None:
                match event:
                    case Deposited(amount=amount):
                        self.balance += amount

    Attributes:
        category: category of the streams of this class.
    """

    category: ClassVar[str | None] = None

    # Not set in __init__, which need not be called.
    _pending: list[WrappedEvent[Any]]
    _stored_version: int = 0
    _snapshot_version: int = 0

    def __apply__(self, event: Event) -> None:
        """Change the state as an event says. Never refuses: it has happened."""
        raise NotImplementedError(f"{type(self).__qualname__} has to define __apply__(event).")

    def __snapshot__(self) -> Snapshot:
        """Return the state, for a repository that takes snapshots."""
        raise NotImplementedError(
            f"{type(self).__qualname__} has to define __snapshot__() to have snapshots taken."
        )

    def __restore__(self, state: Snapshot) -> None:
        """Take the state of a snapshot; by default it is applied as an event is."""
        self.__apply__(state)

    @property
    def __changes__(self) -> list[Event]:
        """The events emitted and not stored so far; to change them changes nothing."""
        return [copy_of(wrapped.event) for wrapped in self._pending_events()]

    @property
    def stored_version(self) -> int:
        """Version of the stream as loaded or saved last; 0: it does not exist."""
        return self._stored_version

    def _emit(self, event: Event) -> None:
        """Apply an event, and keep it to be stored as it is now.

        Raises:
            EventDefinitionError: it cannot be copied.
        """
        # The state may take parts of the event, and change them.
        kept = copy_of(event)
        self.__apply__(event)
        # Its identity is made once: saving again after a failure stores nothing twice.
        self._pending_events().append(WrappedEvent(kept))

    def _pending_events(self) -> list[WrappedEvent[Any]]:
        if "_pending" not in self.__dict__:
            self._pending = []
        return self._pending


def replay(aggregate: Aggregate, history: Iterable[WrappedEvent[Any]]) -> None:
    """Bring an aggregate to the state that the events of its stream lead to."""
    for wrapped in history:
        if isinstance(wrapped.event, Snapshot):
            aggregate.__restore__(wrapped.event)
            aggregate._snapshot_version = wrapped.version or 0  # noqa: SLF001 - of its own room
        else:
            aggregate.__apply__(wrapped.event)
        aggregate._stored_version = wrapped.version or 0  # noqa: SLF001
