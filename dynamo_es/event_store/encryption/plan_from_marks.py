"""Makes the encryption plan of an event class from its marks: encrypted fields and subjects."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    Json,
    PlainSerializer,
    PydanticUserError,
    RootModel,
    SerializeAsAny,
    WrapSerializer,
)

from dynamo_es.event_store.encryption.annotations import (
    DICTS,
    LISTS,
    Holds,
    classes_of,
    marked_in_schema,
    peel,
    says,
    search,
    type_of_extras,
)
from dynamo_es.event_store.encryption.marks import DataSubject, Encrypted
from dynamo_es.event_store.encryption.masks import adapter_of, mask_as_json
from dynamo_es.event_store.encryption.plan import (
    Choice,
    Items,
    Leaf,
    ModelPlan,
    Node,
    Open,
    Places,
    Step,
    Values,
)
from dynamo_es.exceptions import EncryptedFieldError
from dynamo_es.forking import new_reentrant_lock

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_PLAN: Final = "__dynamo_es_encryption_plan__"
# Metadata of these classes gives a value another JSON form than that of its type.
_RESHAPING: Final = (PlainSerializer, WrapSerializer, Json, SerializeAsAny)

_NESTED: Final = "it has an encrypted value inside another one: mark only one of them."
_UNSEEN: Final = (
    "pydantic's schema has a mark of encryption that its annotations do not show, so the value "
    "could not be encrypted: mark the field itself."
)

_lock = new_reentrant_lock()


def has_encrypted_fields(model: type[BaseModel]) -> bool:
    """Return whether a class has encrypted values, at any depth; errors: see `encrypted_fields`."""
    return encrypted_fields(model).has_encrypted_fields


def encrypted_fields(model: type[BaseModel]) -> ModelPlan:
    """Return the encryption plan of a class. Each class's plan is made once.

    Args:
        model: an event class, or any model.

    Raises:
        EncryptedFieldError: a mark is in a place that cannot be encrypted.
    """
    plan: ModelPlan | None = model.__dict__.get(_PLAN)
    if plan is None:
        with _lock:
            reading = _Reading()
            try:
                plan = reading.model(model)
            except RecursionError:
                raise EncryptedFieldError(
                    model.__qualname__,
                    "*",
                    "a type in it contains itself, so encrypted fields in it cannot be found: "
                    "make it a model.",
                ) from None
            # Kept only in the class, so that a class that was defined in a function can be
            # collected.
            for done in reading.plans.values():
                setattr(done.model, _PLAN, done)
    return plan


class _Reading:
    """Reads the marks of a class and of the classes in its types. A model may contain itself."""

    def __init__(self) -> None:
        self.plans: dict[type[BaseModel], ModelPlan] = {}

    def model(self, model: type[BaseModel]) -> ModelPlan:
        known: ModelPlan | None = self.plans.get(model) or model.__dict__.get(_PLAN)
        if known is not None:
            return known
        found: set[Any] = set()
        holds = search(model, found)
        plan = ModelPlan(
            model, Holds.MARKS in holds, Holds.ANYTHING in holds, classes_of(found - {model})
        )
        self.plans[model] = plan
        if not plan.has_encrypted_fields and marked_in_schema(model.__pydantic_core_schema__):
            raise EncryptedFieldError(model.__qualname__, "*", _UNSEEN)
        if plan.has_encrypted_fields:
            self._read(plan)
        return plan

    def _read(self, plan: ModelPlan) -> None:
        model, name = plan.model, plan.model.__qualname__
        decorators = model.__pydantic_decorators__
        if decorators.model_serializers:
            raise EncryptedFieldError(
                name, "*", "a model_serializer hides where its encrypted fields are: remove it."
            )
        plan.subject = _subject_of(model)
        if Holds.MARKS in search(type_of_extras(model)):
            raise EncryptedFieldError(
                name, "__pydantic_extra__", "extra fields cannot be encrypted: declare the field."
            )
        for computed, details in model.model_computed_fields.items():
            if Holds.MARKS in search(details.return_type):
                raise EncryptedFieldError(
                    name, computed, "a computed field cannot be encrypted: remove the mark."
                )
        reshaped = {
            target
            for entry in decorators.field_serializers.values()
            for target in entry.info.fields
        }
        for field, info in model.model_fields.items():
            label = (name, field)
            node = self._node(info.annotation, list(info.metadata), label, model)
            if node is None or isinstance(node, Open):
                _check_unseen(info, label, model)
            if node is None:
                continue
            if not isinstance(node, Leaf | Open) and (field in reshaped or "*" in reshaped):
                raise EncryptedFieldError(
                    *label,
                    "a field_serializer hides where the encrypted values in it are: remove it, or "
                    "encrypt the whole field.",
                )
            key = info.serialization_alias or info.alias or field
            plan.steps.append(
                Step(
                    field,
                    None if issubclass(model, RootModel) else key,
                    node,
                    may_miss=isinstance(node, Open)
                    or bool(info.exclude)
                    or getattr(info, "exclude_if", None) is not None,
                )
            )

    def _node(
        self, kind: Any, metadata: list[Any], label: tuple[str, str], model: type[BaseModel]
    ) -> Node | None:
        whole = Annotated[(kind, *metadata)] if metadata else kind
        kind, more = peel(kind)
        metadata = [*metadata, *more]
        marks = _marks(metadata, label)
        found: set[Any] = set()
        holds = search(kind, found)
        if marks:
            if len(marks) > 1 or Holds.MARKS in holds:
                raise EncryptedFieldError(*label, _NESTED)
            return _leaf(marks[0], whole, label, model)
        if Holds.MARKS not in holds:
            return _unmarked(label, holds, metadata, found)
        if says(metadata, *_RESHAPING):
            raise EncryptedFieldError(
                *label,
                "a serializer hides where the encrypted values in it are: remove it, or "
                "encrypt the whole field.",
            )
        return self._inside(kind, whole, label, model)

    def _inside(
        self, kind: Any, whole: Any, label: tuple[str, str], model: type[BaseModel]
    ) -> Node:
        origin, arguments = get_origin(kind), get_args(kind)
        if origin in (Union, UnionType):
            return self._union(arguments, whole, label, model)
        if origin is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):  # noqa: PLR2004
            return Places(label, tuple(self._node(one, [], label, model) for one in arguments))
        if origin in LISTS or origin is tuple:
            return Items(label, self._known(arguments[0], label, model))
        if origin in DICTS:
            key, value = arguments
            if Holds.MARKS in search(key):
                raise EncryptedFieldError(
                    *label, "the keys of a dict cannot be encrypted: encrypt the whole field."
                )
            keys = self._node(key, [], label, model)
            return Values(
                label,
                self._known(value, label, model),
                keys if isinstance(keys, Open) else None,
            )
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return self.model(kind)
        raise _unsupported(label, kind)

    def _known(self, kind: Any, label: tuple[str, str], model: type[BaseModel]) -> Node:
        node = self._node(kind, [], label, model)
        if node is None:
            raise _unsupported(label, kind)
        return node

    def _union(
        self, branches: tuple[Any, ...], whole: Any, label: tuple[str, str], model: type[BaseModel]
    ) -> Node:
        marked = [branch for branch in branches if Holds.MARKS in search(branch)]
        if len(marked) > 1:
            raise EncryptedFieldError(
                *label,
                "several branches of a union have encrypted values, but the stored data does not "
                "say which branch it is: mark one branch only, or encrypt the whole field.",
            )
        kind, metadata = peel(marked[0])
        if marks := _marks(metadata, label):
            if len(marks) > 1 or Holds.MARKS in search(kind):
                raise EncryptedFieldError(*label, _NESTED)
            return _leaf(marks[0], whole, label, model, nullable=NoneType in branches)
        branch = self._known(marked[0], label, model)
        if isinstance(branch, Choice | Leaf):
            # The branch is an alias of another union, which this plan cannot express.
            raise _unsupported(label, kind)
        rest: Any = Union
        others = self._node(
            rest[tuple(one for one in branches if one is not marked[0])], [], label, model
        )
        return Choice(branch, others)


def _unmarked(
    label: tuple[str, str], holds: Holds, metadata: list[Any], found: set[Any]
) -> Open | None:
    if Holds.ANYTHING in holds or says(metadata, SerializeAsAny):
        return Open(label)
    classes = classes_of(found)
    return Open(label, classes) if classes else None


def _marks(metadata: list[Any], label: tuple[str, str]) -> list[Encrypted]:
    if Encrypted in [one for one in metadata if isinstance(one, type)]:
        raise EncryptedFieldError(*label, "write Encrypted(mask_value=…), with a mask.")
    return [one for one in metadata if isinstance(one, Encrypted)]


def _leaf(
    mark: Encrypted,
    kind: Any,
    label: tuple[str, str],
    model: type[BaseModel],
    *,
    nullable: bool = False,
) -> Leaf:
    subject = mark.subject_field
    if subject is not None:
        if subject not in model.model_fields:
            raise EncryptedFieldError(
                *label, f"subject_field names {subject!r}, which is not a field."
            )
        _refuse_secret_subject(model, subject)
    return Leaf(*label, mask_as_json(mark.mask_value, kind, label, model), subject, nullable)


def _subject_of(model: type[BaseModel]) -> str | None:
    name = model.__qualname__
    found = []
    for field, info in model.model_fields.items():
        direct = list(info.metadata)
        kind, more = peel(info.annotation)
        direct += more
        if get_origin(kind) in (Union, UnionType):
            branches = [one for one in get_args(kind) if one is not NoneType]
            if len(branches) == 1:
                kind, more = peel(branches[0])
                direct += more
        if any(one is DataSubject for one in direct):
            found.append(field)
            _refuse_secret_subject(model, field)
        elif _mentions_subject(kind):
            raise EncryptedFieldError(
                name, field, "DataSubject marks a field, not a part of one: mark the field itself."
            )
    if len(found) > 1:
        raise EncryptedFieldError(
            name, found[1], f"a class has one DataSubject, and {found[0]} is marked already."
        )
    return found[0] if found else None


def _mentions_subject(kind: Any) -> bool:
    kind, metadata = peel(kind)
    return any(one is DataSubject for one in metadata) or any(
        _mentions_subject(one) for one in get_args(kind)
    )


def _refuse_secret_subject(model: type[BaseModel], field: str) -> None:
    info = model.model_fields[field]
    if Holds.MARKS in search(Annotated[(info.annotation, *info.metadata, None)]):
        raise EncryptedFieldError(
            model.__qualname__,
            field,
            "it holds the subject's id, which is stored in clear to find the key: "
            "it cannot be encrypted itself.",
        )


def _check_unseen(info: FieldInfo, label: tuple[str, str], model: type[BaseModel]) -> None:
    """Raise `EncryptedFieldError` if only pydantic's schema of a field shows a mark."""
    kind = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    try:
        schema = adapter_of(kind, model).core_schema
    except PydanticUserError as error:
        raise EncryptedFieldError(
            *label, f"it cannot be checked for encrypted values: {error.message}"
        ) from error
    if marked_in_schema(schema):
        raise EncryptedFieldError(*label, _UNSEEN)


def _unsupported(label: tuple[str, str], kind: Any) -> EncryptedFieldError:
    return EncryptedFieldError(
        *label,
        f"encrypted values inside {kind!r} cannot be found again: encrypt the whole field, or use "
        "models, lists, tuples, sets, dicts and one branch of a union.",
    )
