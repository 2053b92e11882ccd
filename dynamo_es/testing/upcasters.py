"""`check_upcasters`: asserts that stored data of every schema version loads into its class."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

from dynamo_es.contracts.checks.arguments import check_kind
from dynamo_es.event_store.encryption.service import Encryption
from dynamo_es.event_store.event import Event, Snapshot, event_name
from dynamo_es.event_store.registry import EventRegistry, defined_classes
from dynamo_es.event_store.serde import SCHEMA, Serde
from dynamo_es.exceptions import EventStoreError, InputError
from dynamo_es.memory import MemoryKeyStorage
from dynamo_es.testing.differences import describe, matches
from dynamo_es.values import RawEvent, StreamId
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Sample: TypeAlias = "dict[str, Any] | tuple[dict[str, Any], Event] | list[Any]"
"""Stored data; or a tuple of the data and the event as which it loads; or a list of these."""

_STREAM: Final = StreamId(UUID(int=1), category="samples")
_THEN: Final = datetime(2020, 1, 1, tzinfo=UTC)


def check_upcasters(
    samples: Mapping[type[Event] | str, Mapping[int, Sample]],
    *,
    events: Iterable[type[Event]] | None = None,
    registry: EventRegistry | None = None,
) -> None:
    """Assert that stored data of every schema version loads into the current class.

    ::

        check_upcasters({
            Paid: {
                1: {"amount": 5},
                2: ({"cents": 500}, Paid(cents=500, currency="EUR")),
            },
        }, events=[Paid])

    It also stores each loaded event and loads it once more.

    Args:
        samples: for each class (or name, which may be an alias) and each schema version below the
            current one, the data as it was stored then. To check the resulting event, give a tuple
            of the data and the event. For several samples, give a list.
        events: the classes that must have samples; None: all event classes that are defined and
            have a schema version above 1.
        registry: finds event classes by name; None: all classes that are defined.

    Raises:
        AssertionError: a version without a sample, or a sample that does not load, or loads as
            another event. The text lists all of them.
        InputError: samples that do not have the form above.
        EventDefinitionError: a wrong class definition, such as one without an upcaster.
    """
    registry = EventRegistry() if registry is None else registry
    given = _given(samples, registry)
    wanted = _upcast_classes() if events is None else list(events)
    problems = []
    for kind in wanted:
        last = registry.kind_of(kind).schema_version
        have = {version for name, version, _ in given if registry.type_for_name(name) is kind}
        problems += [
            f"{kind.__qualname__}: schema version {version} has no sample."
            for version in range(1, last)
            if version not in have
        ]
    serde = Serde(registry, Encryption(MemoryKeyStorage()))
    for name, version, sample in given:
        if problem := _problem(serde, name, version, sample):
            problems.append(f"{name}, schema version {version}: {problem}")
    if problems:
        raise AssertionError("Stored events would not load:\n\n  " + "\n  ".join(problems))


def _given(
    samples: Mapping[type[Event] | str, Mapping[int, Sample]], registry: EventRegistry
) -> list[tuple[str, int, Any]]:
    found: list[tuple[str, int, Any]] = []
    for key, versions in samples.items():
        if isinstance(key, str):
            kind = registry.kind_named(key)
            if kind is None:
                raise InputError(f"samples: no event class has the name {shown(key, str)}.")
            name, last = key, kind.schema_version
        else:
            one = registry.kind_of(key)
            name, last = one.name, one.schema_version
        for version, sample in versions.items():
            if type(version) is not int or not 1 <= version <= last:
                raise InputError(
                    f"samples of {name}: a schema version must be an integer of 1 to {last}, not "
                    f"{shown(version)}."
                )
            each = sample if isinstance(sample, list) else [sample]
            found += [(name, version, one) for one in each]
    return found


def _problem(serde: Serde, name: str, version: int, sample: Any) -> str | None:
    data, expected = sample if isinstance(sample, tuple) else (sample, None)
    check_kind(f"A sample of {name}", data, dict)
    context = {} if version == 1 else {SCHEMA: version}
    raw = RawEvent(UUID(int=1), _STREAM, _THEN, name, data, context, 1)
    try:
        loaded = serde.deserialize(raw)
        again = serde.deserialize(serde.serialize(loaded, _STREAM)).event
    except EventStoreError as error:
        return str(error)
    if not matches(loaded.event, again):
        table = describe([loaded.event], [again])
        return f"loads as another event after it is stored again.\n\n{table}\n"
    if expected is not None and not matches(expected, loaded.event):
        return f"loads as another event.\n\n{describe([expected], [loaded.event])}\n"
    return None


def _upcast_classes() -> list[type[Event]]:
    return sorted(
        (
            kind
            for kind in defined_classes()
            if not issubclass(kind, Snapshot) and kind.__schema_version__ > 1
        ),
        key=event_name,
    )
