"""The test cases that ``eventsourcing`` ships for libraries that store its events.

A class in ``test_shipped.py`` runs each case on an engine, and says how to make the engine.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar
from unittest import TestCase, mock
from uuid import UUID, uuid4

from eventsourcing.tests.application import ApplicationTestCase, ExampleApplicationTestCase
from eventsourcing.tests.persistence import (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    InfrastructureFactoryTestCase,
    NonInterleavingNotificationIDsBaseCase,
    ProcessRecorderTestCase,
    TrackingRecorderTestCase,
)
from eventsourcing.tests.projection import (
    AggregateEventCountersProjectionTestCase,
    EventCountersViewTestCase,
    EventSourcedProjectionTestCase,
)
from eventsourcing.utils import Environment

from dynamo_es.adapters.eventsourcing import (
    DynamoAggregateRecorder,
    DynamoApplicationRecorder,
    DynamoProcessRecorder,
    DynamoTrackingRecorder,
    Factory,
)
from tests.adapters.eventsourcing.counters import DynamoEventCounters
from tests.adapters.eventsourcing.engine import MODULE, Tables

if TYPE_CHECKING:
    from eventsourcing.persistence import AggregateRecorder


class OwnApplicationRecorder(DynamoApplicationRecorder):
    """A recorder of an application's own."""


class OwnProcessRecorder(DynamoProcessRecorder):
    """A process recorder of an application's own."""


class OnTables(TestCase):
    """A case with tables of its own."""

    endpoint_url: ClassVar[str]
    tables: Tables

    def setUp(self) -> None:
        self.tables = Tables(self.endpoint_url)
        self.addCleanup(self.tables.close)
        super().setUp()


class InEnvironment(OnTables):
    """A case whose applications are configured by the process's environment alone."""

    def setUp(self) -> None:
        super().setUp()
        patched = mock.patch.dict(os.environ, self.tables.env)
        patched.start()
        self.addCleanup(patched.stop)


class AggregateRecorderCase(OnTables, AggregateRecorderTestCase):
    recorder_supports_idempotent_appends = True

    def create_recorder(self) -> AggregateRecorder:
        return self.tables.aggregate_recorder()


class SnapshotRecorderCase(OnTables, AggregateRecorderTestCase):
    recorder_supports_idempotent_appends = True

    def create_recorder(self) -> AggregateRecorder:
        return self.tables.aggregate_recorder("snapshots")


class ApplicationRecorderCase(OnTables, ApplicationRecorderTestCase[DynamoApplicationRecorder]):
    recorder_supports_idempotent_appends = True

    def create_recorder(self) -> DynamoApplicationRecorder:
        return self.tables.application_recorder()

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TextIdsCase(ApplicationRecorderCase):
    INITIAL_VERSION = 0

    def new_originator_id(self) -> UUID | str:
        return f"noun/{uuid4()}"


class TrackingRecorderCase(OnTables, TrackingRecorderTestCase):
    def create_recorder(self) -> DynamoTrackingRecorder:
        return self.tables.tracking_recorder()


class ProcessRecorderCase(OnTables, ProcessRecorderTestCase):
    def create_recorder(self) -> DynamoProcessRecorder:
        return self.tables.process_recorder()


class NonInterleavingCase(OnTables, NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> DynamoApplicationRecorder:
        return self.tables.application_recorder()


class FactoryCase(OnTables, InfrastructureFactoryTestCase[Factory]):
    def setUp(self) -> None:
        self.env = Environment(env=Tables(self.endpoint_url).env)
        super().setUp()
        self.env.update(self.tables.env)

    def expected_factory_class(self) -> type[Factory]:
        return Factory

    def expected_aggregate_recorder_class(self) -> type[DynamoAggregateRecorder]:
        return DynamoAggregateRecorder

    def expected_application_recorder_class(self) -> type[DynamoApplicationRecorder]:
        return DynamoApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[DynamoTrackingRecorder]:
        return DynamoTrackingRecorder

    def application_recorder_subclass(self) -> type[DynamoApplicationRecorder]:
        return OwnApplicationRecorder

    def process_recorder_subclass(self) -> type[DynamoProcessRecorder]:
        return OwnProcessRecorder

    def tracking_recorder_subclass(self) -> type[DynamoTrackingRecorder]:
        return DynamoEventCounters

    def expected_process_recorder_class(self) -> type[DynamoProcessRecorder]:
        return DynamoProcessRecorder


class ExampleApplicationCase(InEnvironment, ExampleApplicationTestCase):
    expected_factory_topic = f"{MODULE}.factory:DynamoFactory"


class ApplicationCase(InEnvironment, ApplicationTestCase):
    """Applications in general."""


class EventCountersViewCase(OnTables, EventCountersViewTestCase):
    def construct_event_counters_view(self) -> DynamoEventCounters:
        view = self.tables.factory("eventcounters").tracking_recorder(DynamoEventCounters)
        assert isinstance(view, DynamoEventCounters)
        return view


class AggregateProjectionCase(OnTables, AggregateEventCountersProjectionTestCase):
    view_class = DynamoEventCounters

    def setUp(self) -> None:
        super().setUp()
        self.env: dict[str, Any] = self.tables.env  # type: ignore[misc]


class EventSourcedProjectionCase(OnTables, EventSourcedProjectionTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.env: dict[str, Any] = self.tables.env  # type: ignore[misc]


CASES = (
    AggregateRecorderCase,
    SnapshotRecorderCase,
    ApplicationRecorderCase,
    TextIdsCase,
    TrackingRecorderCase,
    ProcessRecorderCase,
    NonInterleavingCase,
    FactoryCase,
    ExampleApplicationCase,
    ApplicationCase,
    EventCountersViewCase,
    AggregateProjectionCase,
    EventSourcedProjectionCase,
)
