"""Upcasters: functions that turn stored data of one schema version into the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pydantic_core import from_json, to_json

from dynamo_es.contracts.checks.functions import refuse_asynchronous
from dynamo_es.contracts.error_texts import redacted
from dynamo_es.event_store.event import Json
from dynamo_es.exceptions import EventDefinitionError, NewerSchemaError, UnreadableEventError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamo_es.event_store.event import Event
    from dynamo_es.values import RawEvent

Upcaster: TypeAlias = Callable[[Json], Json]

_FROM_VERSION: Final = "__upcasts_from__"


def upcaster(*, from_version: int) -> Callable[[Upcaster], Upcaster]:
    """Mark a static method of an event class as the upcaster from a schema version to the next.

    The method takes stored JSON of that version, which it may change, and returns JSON of the next
    version. Upcasters are called one after the other up to ``__schema_version__``. For an example
    see `Event`.

    Args:
        from_version: schema version that the method takes, 1 or more.

    Raises:
        AsynchronousFunctionError: the method is asynchronous or a generator.
    """

    def mark(step: Upcaster) -> Upcaster:
        function = step.__func__ if isinstance(step, staticmethod) else step
        refuse_asynchronous(function, "An upcaster")
        setattr(function, _FROM_VERSION, from_version)
        # Static, because pydantic leaves static methods as they are.
        marked: Any = staticmethod(function)
        return marked  # type: ignore[no-any-return]

    return mark


def upcasters_of(event: type[Event]) -> dict[int, Upcaster]:
    """Return the upcasters of a class and its bases, by the schema version that they take."""
    steps: dict[int, Upcaster] = {}
    for base in reversed(event.__mro__):
        for member in vars(base).values():
            function = member.__func__ if isinstance(member, staticmethod) else None
            version = getattr(function, _FROM_VERSION, None)
            if function is not None and version is not None:
                steps[version] = function
    return steps


def checked_upcasters(event: type[Event], version: int) -> dict[int, Upcaster]:
    """Return the upcasters of a class, one for each version below its schema version.

    Raises:
        EventDefinitionError: an upcaster is missing, or one takes a version that is too high.
    """
    steps = upcasters_of(event)
    if missing := sorted(set(range(1, version)) - steps.keys()):
        raise EventDefinitionError(
            f"{event.__qualname__} has schema version {version}, but no upcaster from "
            f"{', '.join(map(str, missing))}: mark a static method of the class with "
            f"@upcaster(from_version={missing[0]})."
        )
    if beyond := sorted(steps.keys() - set(range(1, version))):
        raise EventDefinitionError(
            f"{event.__qualname__} has schema version {version}, but an upcaster from "
            f"{', '.join(map(str, beyond))}: raise __schema_version__, or remove the upcaster."
        )
    return steps


def upcast(
    raw: RawEvent, data: Json, stored: int, present: int, upcasters: Mapping[int, Upcaster]
) -> Json:
    """Return stored data in the present schema of its class.

    Args:
        raw: the stored event, for messages.
        data: data of the event, decrypted; it does not change.
        stored: schema version of the data.
        present: schema version of the class.
        upcasters: the upcaster from each lower schema version, by that version.

    Raises:
        NewerSchemaError: the class here is older than the data.
        UnreadableEventError: an upcaster failed, or did not return a dict.
    """
    if stored > present:
        raise NewerSchemaError(raw.stream_id, raw.version, raw.name, stored=stored, known=present)
    lifted: Json = from_json(to_json(data))
    for version in range(stored, present):
        failure = None
        try:
            lifted = upcasters[version](lifted)
        except Exception as error:  # noqa: BLE001 - an upcaster's error may quote the event
            failure = redacted(error)
        if failure is not None:
            raise UnreadableEventError(
                raw.stream_id,
                raw.version,
                raw.name,
                f"its upcaster from schema version {version} failed: {failure}.",
            ) from failure
        if not isinstance(lifted, dict):
            raise UnreadableEventError(
                raw.stream_id,
                raw.version,
                raw.name,
                f"its upcaster from schema version {version} must return a dict, not "
                f"{type(lifted).__name__}.",
            )
    return lifted
