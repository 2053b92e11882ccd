"""Makes new tables on an engine with DynamoDB's API, named by an application's environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from eventsourcing.utils import Environment

from dynamo_es.adapters.eventsourcing import (
    DynamoApplicationRecorder,
    DynamoDCBRecorder,
    DynamoProcessRecorder,
    DynamoTrackingRecorder,
    Factory,
)
from dynamo_es.adapters.eventsourcing.versions import (
    ALL_IDS_ARE_TEXT,
    DCBAppendCondition,
    DCBQuery,
    DCBQueryItem,
    make_dcb_event,
    make_stored_event,
)
from dynamo_es.dynamodb.tables.create import delete_tables
from tests.conftest import ENDPOINT_VARIABLE
from tests.engine import LOCAL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from eventsourcing.persistence import AggregateRecorder

    from dynamo_es.adapters.eventsourcing.settings import Runtime

MODULE = "dynamo_es.adapters.eventsourcing"

ENGINES = {"moto": "moto:tests"}
"""Endpoints at hand, by the names of their engines."""

if endpoint := os.environ.get(ENDPOINT_VARIABLE):
    ENGINES[LOCAL] = endpoint


def events(originator_id: UUID | str, *versions: int, state: bytes = b'{"a":1}') -> list[Any]:
    """Return events of an originator, one of each version."""
    return [make_stored_event(originator_id, v, f"topic{v}", state, None, {}) for v in versions]


def new_id() -> Any:
    """Return the id of an originator: a UUID, or the text of one where all ids are text."""
    return str(uuid4()) if ALL_IDS_ARE_TEXT else uuid4()


def tagged(
    name: str, *tags: str, uuid: UUID | None = None, metadata: dict[str, str] | None = None
) -> Any:
    """Return a tagged event."""
    return make_dcb_event(name, b'{"a":1}', tags, uuid or uuid4(), metadata or {})


def query(*tags: str, types: Sequence[str] = ()) -> DCBQuery:
    """Return a query with one item."""
    return DCBQuery([DCBQueryItem(list(types), list(tags))])


def unless(condition: DCBQuery, after: int | None = None) -> DCBAppendCondition:
    """Return the condition that no event after a position matches a query."""
    return DCBAppendCondition(condition, after)


def sent(recorder: Any) -> list[str]:
    """Return the list that the names of all further requests are added to.

    Args:
        recorder: a recorder or a factory.
    """
    names: list[str] = []
    client = recorder.runtime.client()
    client.meta.events.register("before-call.dynamodb", lambda model, **_: names.append(model.name))
    return names


class Tables:
    """Tables of one test: made by the first recorder, deleted with `close`."""

    def __init__(self, endpoint_url: str, **settings: str) -> None:
        prefix = f"es-{uuid4().hex}"
        self.env = {
            "PERSISTENCE_MODULE": MODULE,
            "DYNAMO_ES_EVENTS_TABLE": f"{prefix}-events",
            "DYNAMO_ES_LOG_TABLE": f"{prefix}-log",
            "DYNAMO_ES_ENDPOINT_URL": endpoint_url,
            "DYNAMO_ES_REGION": "us-east-1",
            # Threads by the dozen, on an engine that serves one write at a time.
            "DYNAMO_ES_READ_TIMEOUT": "30",
            "DYNAMO_ES_RETRY_DEADLINE": "60",
            "CREATE_TABLE": "y",
            "DYNAMO_ES_POLL_INTERVAL": "0.2",
            **settings,
        }
        self._runtime: Runtime | None = None
        # Any will do, but the SDK signs nothing without; real ones are left alone.
        os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
        os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")

    def factory(self, name: str = "", **settings: str) -> Factory:
        factory = Factory(Environment(name, {**self.env, **settings}))
        self._runtime = factory.runtime
        return factory

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        return self.factory().aggregate_recorder(purpose)

    def application_recorder(self) -> DynamoApplicationRecorder:
        recorder = self.factory().application_recorder()
        assert isinstance(recorder, DynamoApplicationRecorder)
        return recorder

    def tracking_recorder(self) -> DynamoTrackingRecorder:
        return self.factory().tracking_recorder()

    def process_recorder(self) -> DynamoProcessRecorder:
        recorder = self.factory().process_recorder()
        assert isinstance(recorder, DynamoProcessRecorder)
        return recorder

    def dcb_recorder(self, name: str = "", **settings: str) -> DynamoDCBRecorder:
        return self.factory(name, **settings).dcb_recorder()

    def close(self) -> None:
        # Making a client takes longer than most tests.
        runtime = self._runtime or self.factory().runtime
        delete_tables(runtime.client(), runtime.config)
