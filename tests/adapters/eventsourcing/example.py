"""An application of `eventsourcing`. Nothing in it knows where events are stored."""

from __future__ import annotations

from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event


class Dog(Aggregate):
    """A dog and its tricks."""

    @event("Registered")
    def __init__(self, name: str) -> None:
        self.name = name
        self.tricks: list[str] = []

    @event("TrickAdded")
    def add_trick(self, trick: str) -> None:
        """Learn a trick."""
        self.tricks.append(trick)


class DogSchool(Application[UUID]):
    """Dogs learn tricks here."""

    is_snapshotting_enabled = True

    def register_dog(self, name: str) -> UUID:
        """Take in a dog."""
        dog = Dog(name)
        self.save(dog)
        return dog.id

    def add_trick(self, dog_id: UUID, trick: str) -> None:
        """Teach a dog a trick."""
        dog: Dog = self.repository.get(dog_id)
        dog.add_trick(trick)
        self.save(dog)

    def remember_dog(self, dog_id: UUID) -> None:
        """Take a snapshot of a dog."""
        self.take_snapshot(dog_id)

    def get_tricks(self, dog_id: UUID) -> list[str]:
        """Return what a dog has learnt."""
        dog: Dog = self.repository.get(dog_id)
        return dog.tricks
