"""What types are made of: marks of encryption at any depth, and what stands around them."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Collection, Mapping, MutableMapping, MutableSequence, MutableSet
from collections.abc import Sequence as AbstractSequence
from collections.abc import Set as AbstractSet
from dataclasses import is_dataclass
from enum import Flag, auto
from typing import Annotated, Any, Final, ForwardRef, Literal, TypeVar, get_args, get_origin
from typing import get_type_hints as type_hints

from pydantic import BaseModel, PydanticUndefinedAnnotation, SerializeAsAny

from dynamo_es.event_store.encryption.marks import Encrypted
from dynamo_es.exceptions import EncryptedFieldError

LISTS: Final = frozenset(
    {
        list,
        set,
        frozenset,
        deque,
        AbstractSequence,
        AbstractSet,
        Collection,
        MutableSequence,
        MutableSet,
    }
)
"""Types whose values are lists in JSON, in the order of their iteration."""

DICTS: Final = frozenset({dict, OrderedDict, defaultdict, Mapping, MutableMapping})
"""Types whose values are objects in JSON, in the same order."""

BARE: Final = LISTS | DICTS | {tuple, object}
"""Types that, as they are, say nothing of what is in them."""

_QUALIFIERS: Final = (".Required", ".NotRequired", ".ReadOnly", ".ClassVar", ".Final")


class Holds(Flag):
    """What is found in a type, at any depth."""

    NOTHING = 0
    MARKS = auto()
    """Something is marked `Encrypted`."""
    ANYTHING = auto()
    """A value may be of any type, which may have marks of its own."""


def search(kind: Any, seen: set[Any] | None = None) -> Holds:
    """Return what is in a type, at any depth, in models, dataclasses and typed dicts too.

    Args:
        kind: the type.
        seen: classes that were searched already.

    Raises:
        EncryptedFieldError: a type in it cannot be resolved, so nobody knows.
    """
    seen = set() if seen is None else seen
    kind, metadata = peel(kind)
    holds = Holds.NOTHING
    if any(isinstance(one, Encrypted) or one is Encrypted for one in metadata):
        holds |= Holds.MARKS
    if says(metadata, SerializeAsAny):
        holds |= Holds.ANYTHING
    if isinstance(kind, str | ForwardRef):
        name = str(getattr(kind, "__forward_arg__", kind))
        raise _unresolved(name, "it is not defined yet")
    origin = get_origin(kind)
    bare = origin is None and isinstance(kind, type) and kind in BARE
    if bare or kind is Any or isinstance(kind, TypeVar):
        holds |= Holds.ANYTHING
    elif origin is not Literal:
        for one in kind if isinstance(kind, list | tuple) else get_args(kind):
            holds |= search(one, seen)
        for one in (kind, origin):
            if isinstance(one, type) and one not in seen:
                seen.add(one)
                holds |= _search_class(one, seen)
    return holds


def _search_class(kind: type, seen: set[Any]) -> Holds:
    holds = Holds.NOTHING
    inside: list[Any] = []
    if issubclass(kind, BaseModel) and kind is not BaseModel:
        if not kind.__pydantic_complete__:
            try:
                kind.model_rebuild()
            except PydanticUndefinedAnnotation as error:
                raise _unresolved(kind.__qualname__, error) from error
        config = kind.model_config
        if config.get("extra") == "allow" or config.get("polymorphic_serialization"):
            holds |= Holds.ANYTHING
        inside = [details.return_type for details in kind.model_computed_fields.values()]
        inside.append(type_of_extras(kind))
    if hasattr(kind, "__pydantic_fields__"):
        inside += [
            Annotated[(info.annotation, *info.metadata, None)]
            for info in kind.__pydantic_fields__.values()
        ]
    elif is_dataclass(kind) or hasattr(kind, "__total__") or hasattr(kind, "_fields"):
        try:
            inside += type_hints(kind, include_extras=True).values()
        except Exception as error:
            raise _unresolved(kind.__qualname__, error) from error
    for one in inside:
        holds |= search(one, seen)
    return holds


def _unresolved(name: str, why: object) -> EncryptedFieldError:
    return EncryptedFieldError(
        name,
        "*",
        f"a type cannot be resolved ({why}), so whether it has encrypted fields is not known. "
        "Define it at the top of a module, or call model_rebuild() of the class when it is there.",
    )


def type_of_extras(model: type[BaseModel]) -> Any:
    """Return the type that a model declares for fields it does not name; None if it does not."""
    for base in model.__mro__[: model.__mro__.index(BaseModel)]:
        declared = vars(base).get("__annotations__", {}).get("__pydantic_extra__")
        if declared is not None:
            hints = type("Hints", (), {"__annotations__": {"extras": declared}})
            hints.__module__ = base.__module__
            return type_hints(hints, include_extras=True)["extras"]
    return None


def peel(kind: Any) -> tuple[Any, list[Any]]:
    """Return a type without `Annotated`, aliases and new types, and what they said of it."""
    metadata: list[Any] = []
    while True:
        origin = get_origin(kind)
        if origin is Annotated:
            metadata += kind.__metadata__
            kind = kind.__origin__
        elif hasattr(kind, "__supertype__"):
            kind = kind.__supertype__
        elif origin is None and hasattr(kind, "__value__"):
            kind = kind.__value__
        elif origin is not None and hasattr(origin, "__value__"):
            kind = origin.__value__[get_args(kind)]
        elif repr(origin).endswith(_QUALIFIERS):
            kind = get_args(kind)[0]
        else:
            return kind, metadata


def says(metadata: list[Any], *kinds: type) -> bool:
    """Whether one of these classes, or an instance of one, is in what is said of a type."""
    return any(isinstance(one, kinds) or one in kinds for one in metadata)
