"""Plans: where a class has encrypted values in its JSON, and the walk that encrypts them.

A plan has the structure of the JSON that pydantic writes for an event. The walk visits the event
and its JSON side by side, because only the event shows to which branch of a union a value belongs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from uuid import UUID

from dynamo_es.event_store.encryption.hidden import have_subclasses, refuse_marked
from dynamo_es.exceptions import EncryptedFieldError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic import BaseModel


class Sealer(Protocol):
    """Encrypts one value."""

    def __call__(self, leaf: Leaf, pointer: str, subject: str | None, value: Any, /) -> str:
        """Return the text that replaces the value.

        Args:
            leaf: the mark of the value.
            pointer: JSON pointer to the value.
            subject: id of the data subject; None: not known.
            value: the value, as JSON.
        """


class Place(NamedTuple):
    """A place in a walk through an event.

    Attributes:
        pointer: JSON pointer to the place (RFC 6901).
        subject: id of the data subject at this place; None: not known.
        owner: the model object that has the field.
        seal: encrypts a value.
        plan_of: returns the plan of a class.
    """

    pointer: str
    subject: str | None
    owner: BaseModel
    seal: Sealer
    plan_of: Callable[[type[BaseModel]], ModelPlan]

    def is_marked(self, model: type[BaseModel]) -> bool:
        """Return whether a model has encrypted fields."""
        return self.plan_of(model).has_encrypted_fields

    def below(self, step: str | int) -> Place:
        """Return the place of a member or an entry of the value at this place."""
        text = str(step).replace("~", "~0").replace("/", "~1")
        return self._replace(pointer=f"{self.pointer}/{text}")


class Node(ABC):
    """A part of a plan: the rule for one value."""

    __slots__ = ()

    @abstractmethod
    def seal(self, value: Any, data: Any, place: Place) -> Any:
        """Return the JSON of a value with its marked parts encrypted; change neither of them.

        Raises:
            EncryptedFieldError: the JSON does not have the form that the class declares.
        """

    def fits(self, value: Any) -> bool:
        """Return whether a value of a union belongs to this branch."""
        raise NotImplementedError

    def leaf_at(self, steps: Sequence[str]) -> Leaf | None:  # noqa: ARG002 - others do
        """Return the mark at the steps of a JSON pointer; None if there is none."""
        return None


@dataclass(frozen=True, slots=True)
class Leaf(Node):
    """A value that is encrypted as a whole.

    Attributes:
        event: name of the class that has the mark.
        field: name of the field.
        mask: JSON that replaces the value when the key is deleted.
        subject_field: field of the same class that holds the subject's id; None: not named.
        nullable: whether None stays in clear, because the mark is on another branch of a union.
    """

    event: str
    field: str
    mask: Any
    subject_field: str | None = None
    nullable: bool = False

    def seal(self, value: Any, data: Any, place: Place) -> Any:
        """Return sealed JSON; see `Node.seal`."""
        if self.nullable and value is None:
            return data
        subject = place.subject
        if self.subject_field is not None:
            subject = subject_text(getattr(place.owner, self.subject_field, None))
        return place.seal(self, place.pointer, subject, data)

    def leaf_at(self, steps: Sequence[str]) -> Leaf | None:
        """Return a mark; see `Node.leaf_at`."""
        return None if steps else self


@dataclass(frozen=True, slots=True)
class Items(Node):
    """A list, tuple or set whose entries all have the same type."""

    label: tuple[str, str]
    entry: Node

    def seal(self, value: Any, data: Any, place: Place) -> Any:
        """Return sealed JSON; see `Node.seal`."""
        if not self.fits(value) or not isinstance(data, list) or len(value) != len(data):
            raise unlike(self.label, value)
        return [
            self.entry.seal(one, json, place.below(index))
            for index, (one, json) in enumerate(zip(value, data, strict=True))
        ]

    def fits(self, value: Any) -> bool:
        """Return whether a value is of this kind; see `Node.fits`."""
        return isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping)

    def leaf_at(self, steps: Sequence[str]) -> Leaf | None:
        """Return a mark; see `Node.leaf_at`."""
        return self.entry.leaf_at(steps[1:]) if steps else None


@dataclass(frozen=True, slots=True)
class Places(Node):
    """A tuple that declares a type for each index."""

    label: tuple[str, str]
    entries: tuple[Node | None, ...]

    def seal(self, value: Any, data: Any, place: Place) -> Any:
        """Return sealed JSON; see `Node.seal`."""
        if not self.fits(value) or not isinstance(data, list) or len(data) != len(self.entries):
            raise unlike(self.label, value)
        return [
            json if node is None else node.seal(one, json, place.below(index))
            for index, (node, one, json) in enumerate(zip(self.entries, value, data, strict=True))
        ]

    def fits(self, value: Any) -> bool:
        """Return whether a value is of this kind; see `Node.fits`."""
        return isinstance(value, tuple) and len(value) == len(self.entries)

    def leaf_at(self, steps: Sequence[str]) -> Leaf | None:
        """Return a mark; see `Node.leaf_at`."""
        if not steps or not steps[0].isdecimal() or int(steps[0]) >= len(self.entries):
            return None
        node = self.entries[int(steps[0])]
        return None if node is None else node.leaf_at(steps[1:])


@dataclass(frozen=True, slots=True)
class Values(Node):
    """The values of a dict. Its keys are checked too if they may have encrypted fields."""

    label: tuple[str, str]
    entry: Node
    key: Open | None = None

    def seal(self, value: Any, data: Any, place: Place) -> Any:
        """Return sealed JSON; see `Node.seal`."""
        # Different keys, such as 1 and "1", may become the same key in JSON.
        if not self.fits(value) or not isinstance(data, dict) or len(value) != len(data):
            raise unlike(self.label, value)
        if self.key is not None:
            for one in value:
                self.key.seal(one, None, place)
        return {
            key: self.entry.seal(one, json, place.below(key))
            for one, (key, json) in zip(value.values(), data.items(), strict=True)
        }

    def fits(self, value: Any) -> bool:
        """Return whether a value is of this kind; see `Node.fits`."""
        return isinstance(value, Mapping)

    def leaf_at(self, steps: Sequence[str]) -> Leaf | None:
        """Return a mark; see `Node.leaf_at`."""
        return self.entry.leaf_at(steps[1:]) if steps else None


@dataclass(frozen=True, slots=True)
class Choice(Node):
    """A union of which one branch contains encrypted values."""

    branch: Node
    others: Node | None

    def seal(self, value: Any, data: Any, place: Place) -> Any:
        """Return sealed JSON; see `Node.seal`."""
        if self.branch.fits(value):
            return self.branch.seal(value, data, place)
        return data if self.others is None else self.others.seal(value, data, place)

    def leaf_at(self, steps: Sequence[str]) -> Leaf | None:
        """Return a mark; see `Node.leaf_at`."""
        return self.branch.leaf_at(steps)


@dataclass(frozen=True, slots=True)
class Open(Node):
    """A value that may hold an object with encrypted fields, which `seal` refuses.

    Attributes:
        label: names of the class and the field that hold the value.
        classes: the classes in its type, whose subclasses may have encrypted fields; None: it may
            be of any type.
    """

    label: tuple[str, str]
    classes: tuple[type, ...] | None = None

    def seal(self, value: Any, data: Any, place: Place) -> Any:
        """Return sealed JSON; see `Node.seal`."""
        if self.classes is None or have_subclasses(self.classes):
            refuse_marked(value, self.label, place.is_marked)
        return data


@dataclass(slots=True)
class Step:
    """A field of a model.

    Attributes:
        name: name of the attribute.
        key: key in the JSON object; None: the JSON of the model is that of this field (a
            `RootModel`).
        node: the plan for its value.
        may_miss: whether the JSON may lack the field.
    """

    name: str
    key: str | None
    node: Node
    may_miss: bool


@dataclass(slots=True, eq=False)
class ModelPlan(Node):
    """The encrypted fields of a model.

    Attributes:
        model: the class.
        subject: attribute that holds the id of the subject; None: the class marks none.
        steps: the fields to encrypt or to check.
        has_encrypted_fields: whether the model has encrypted values, at any depth.
        is_open: whether the model may hold a value of any type.
        classes: the other classes in its types; a subclass of one may have encrypted fields.
    """

    model: type[BaseModel]
    has_encrypted_fields: bool = False
    is_open: bool = False
    classes: tuple[type, ...] = ()
    subject: str | None = None
    steps: list[Step] = field(default_factory=list)

    def seal(self, value: Any, data: Any, place: Place) -> Any:  # noqa: C901 - one rule a line
        """Return sealed JSON; see `Node.seal`."""
        if not isinstance(value, self.model):
            raise unlike((self.model.__qualname__, "*"), value)
        plan = self if type(value) is self.model else place.plan_of(type(value))
        subject = place.subject
        if plan.subject is not None:
            subject = subject_text(getattr(value, plan.subject, None))
        place = place._replace(owner=value, subject=subject)
        if plan.is_open:
            for name, extra in (value.model_extra or {}).items():
                refuse_marked(extra, (plan.model.__qualname__, name), place.is_marked)
        sealed = data
        for step in plan.steps:
            member = getattr(value, step.name)
            if step.key is None:
                return step.node.seal(member, data, place)
            if not isinstance(data, dict):
                raise unlike((plan.model.__qualname__, step.name), value)
            if step.key not in data:
                # If the type is the base class, the JSON of a subclass has only the base's fields.
                if step.may_miss or (plan is not self and not self.has(step.key)):
                    continue
                raise unlike((plan.model.__qualname__, step.name), value)
            new = step.node.seal(member, data[step.key], place.below(step.key))
            if new is not data[step.key]:
                if sealed is data:
                    sealed = data.copy()
                sealed[step.key] = new
        return sealed

    def may_hide(self) -> bool:
        """Return whether a value may hold encrypted fields that the class does not declare."""
        return self.is_open or have_subclasses(self.classes)

    def has(self, key: str) -> bool:
        """Return whether a field with this key must be encrypted or checked."""
        return any(step.key == key for step in self.steps)

    def fits(self, value: Any) -> bool:
        """Return whether a value is of this kind; see `Node.fits`."""
        return isinstance(value, self.model)

    def leaf_at(self, steps: Sequence[str]) -> Leaf | None:
        """Return a mark; see `Node.leaf_at`."""
        for step in self.steps:
            if step.key is None:
                return step.node.leaf_at(steps)
            if steps and step.key == steps[0]:
                return step.node.leaf_at(steps[1:])
        return None


def unlike(label: tuple[str, str], value: Any) -> EncryptedFieldError:
    """Return the error for a value whose JSON does not have the form of its type."""
    return EncryptedFieldError(
        *label,
        f"the JSON of this {type(value).__name__} does not have the form of its type, so its "
        "encrypted values cannot be found. Do not build it without validation, and do not "
        "serialize it in another way.",
    )


def subject_text(value: Any) -> str | None:
    """Return the id of a subject as text; None if the value is not an id."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return str(value) or None
    if isinstance(value, UUID) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    return None
