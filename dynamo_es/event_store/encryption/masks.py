"""Masks: the values that encrypted fields have after their key was deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import PydanticUserError, TypeAdapter
from pydantic_core import from_json, to_json

from dynamo_es.contracts.checks.payload import NotJsonError, check_json
from dynamo_es.exceptions import EncryptedFieldError

if TYPE_CHECKING:
    from pydantic import BaseModel


def adapter_of(kind: Any, model: type[BaseModel]) -> TypeAdapter[Any]:
    """Return an adapter that validates and serializes a type as if it were a field of a model."""
    config = {
        name: model.model_config[name]
        for name in ("strict", "arbitrary_types_allowed")
        if name in model.model_config
    }
    try:
        return TypeAdapter(kind, config=config or None)  # type: ignore[arg-type]
    except PydanticUserError:
        return TypeAdapter(kind)


def mask_as_json(value: Any, kind: Any, label: tuple[str, str], model: type[BaseModel]) -> Any:
    """Return a mask as JSON; raise unless it can be loaded as a value of the field."""
    try:
        adapter = adapter_of(kind, model)
        try:
            check_json(value)
        except NotJsonError:
            value = adapter.dump_python(
                adapter.validate_python(value), mode="json", by_alias=True, round_trip=True
            )
            check_json(value)
        text = to_json(value)
        adapter.validate_json(text)
    except Exception as error:
        raise EncryptedFieldError(
            *label,
            f"its mask_value {value!r} is not of the field's type, so masked events could not be "
            f"loaded: {error}",
        ) from error
    return from_json(text)
