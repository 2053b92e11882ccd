"""Puts secrets, such as pydantic's SecretStr, into the JSON of fields that will be encrypted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, RootModel
from pydantic_core import to_jsonable_python

from dynamo_es.event_store.comparison import SECRETS
from dynamo_es.event_store.encryption.plan import Place
from dynamo_es.event_store.encryption.plan_from_marks import encrypted_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.event_store.encryption.plan import Leaf, ModelPlan
    from dynamo_es.event_store.event import Event, Json


def reveal_secrets(event: Event, data: Json) -> Json | None:
    """Return an event's JSON in which encrypted fields have their secrets in place of asterisks.

    Args:
        event: the event.
        data: JSON of the event, from pydantic; it does not change.

    Returns:
        The JSON; None if no encrypted field has a secret.
    """
    try:
        plan = encrypted_fields(type(event))
        return _reveal(plan, event, data) if plan.has_encrypted_fields else None
    except Exception:  # noqa: BLE001 - the caller reports the first problem
        return None


def _reveal(plan: ModelPlan, event: Event, data: Json) -> Json | None:
    marked: list[str] = []

    def note(_: Leaf, pointer: str, __: str | None, ___: Any) -> str:
        marked.append(pointer)
        return ""

    place = Place("", None, event, note, encrypted_fields)
    plan.seal(event, data, place)
    walk = _Walk(tuple(marked))
    revealed: Json = walk.reveal(event, data, place)
    return revealed if walk.found else None


class _Walk:
    """Walks a value and its JSON side by side."""

    def __init__(self, marked: tuple[str, ...]) -> None:
        self._marked = marked
        self.found = False

    def reveal(self, value: Any, data: Any, place: Place) -> Any:
        if isinstance(value, SECRETS):
            return self._secret(value, data, place)
        if isinstance(value, RootModel):
            return self.reveal(value.root, data, place)
        if isinstance(data, dict):
            if isinstance(value, BaseModel):
                place = place._replace(owner=value)
            revealed = dict(data)
            for key, member in _members(value, data):
                if key in data:
                    revealed[key] = self.reveal(member, data[key], place.below(key))
            return revealed
        entries = isinstance(value, Sequence | AbstractSet) or hasattr(value, "maxlen")
        if isinstance(data, list) and entries and len(value) == len(data):
            return [
                self.reveal(one, json, place.below(index))
                for index, (one, json) in enumerate(zip(value, data, strict=True))
            ]
        return data

    def _secret(self, value: Any, data: Any, place: Place) -> Any:
        pointer = place.pointer
        if not any(pointer == one or pointer.startswith(f"{one}/") for one in self._marked):
            return data
        config = place.owner.model_config
        try:
            text = to_jsonable_python(
                value.get_secret_value(),
                bytes_mode=config.get("ser_json_bytes", "utf8"),
                by_alias=True,
                round_trip=True,
            )
        except ValueError:
            # Keep the asterisks, so that `find_difference` refuses the event.
            return data
        self.found = True
        return text


def _members(value: Any, data: Json) -> Iterator[tuple[str, Any]]:
    """Yield the members of a value, by their keys in its JSON object."""
    named = type(value).model_fields if isinstance(value, BaseModel) else None
    named = named or getattr(value, "__pydantic_fields__", None)
    if named is not None:
        for name, info in named.items():
            key = info.serialization_alias or info.alias or name
            yield key, getattr(value, name, None)
        yield from (getattr(value, "__pydantic_extra__", None) or {}).items()
    elif isinstance(value, Mapping):
        if len(value) == len(data):
            yield from zip(data, value.values(), strict=True)
    elif is_dataclass(value):
        for one in fields(value):
            yield one.name, getattr(value, one.name, None)
