"""An application of `eventsourcing` 10. Nothing in it knows where events are stored."""

# mypy checks with 9.5, which has none of the classes.
# mypy: disable-error-code="import-not-found, misc"

from __future__ import annotations

from eventsourcing.domain import triggers
from eventsourcing.pydantic import (
    Aggregate,
    AggregatesApplication,
    AggregateSnapshot,
    AggregateState,
    Decision,
)


class DogState(AggregateState):
    """What a snapshot of a dog holds."""

    name: str
    tricks: list[str]


class Dog(Aggregate):
    """A dog and its tricks."""

    class Registered(Decision):
        """A dog joined."""

        name: str

    class TrickAdded(Decision):
        """A dog learnt a trick."""

        trick: str

    class Snapshot(AggregateSnapshot):
        """A dog as it was."""

        state: DogState

    @triggers(Registered)
    def __init__(self, name: str) -> None:
        self.name = name
        self.tricks: list[str] = []

    @triggers(TrickAdded)
    def add_trick(self, trick: str) -> None:
        """Learn a trick."""
        self.tricks.append(trick)


class DogSchool(AggregatesApplication):
    """Dogs learn tricks here."""

    is_snapshotting_enabled = True

    def register_dog(self, name: str) -> str:
        """Take in a dog."""
        dog = Dog(name)
        self.save(dog)
        return dog.id

    def add_trick(self, dog_id: str, trick: str) -> None:
        """Teach a dog a trick."""
        dog = self.repository.get(dog_id, Dog)
        dog.add_trick(trick)
        self.save(dog)

    def remember_dog(self, dog_id: str) -> None:
        """Take a snapshot of a dog."""
        self.take_snapshot(dog_id, Dog)

    def get_tricks(self, dog_id: str) -> list[str]:
        """Return what a dog has learnt."""
        return self.repository.get(dog_id, Dog).tricks
