"""The factory that makes the recorders for ``eventsourcing``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    ProcessRecorder,
)
from eventsourcing.utils import resolve_topic, strtobool

from dynamo_es import environment
from dynamo_es.adapters.eventsourcing.dcb import DynamoDCBRecorder
from dynamo_es.adapters.eventsourcing.errors import translated
from dynamo_es.adapters.eventsourcing.recorders import (
    DynamoAggregateRecorder,
    DynamoApplicationRecorder,
    DynamoProcessRecorder,
)
from dynamo_es.adapters.eventsourcing.settings import Runtime, category_of
from dynamo_es.adapters.eventsourcing.snapshots import DynamoSnapshotRecorder
from dynamo_es.adapters.eventsourcing.tracking import DynamoTrackingRecorder
from dynamo_es.adapters.eventsourcing.versions import DCBInfrastructureFactory
from dynamo_es.contracts.boundaries.strategy import boundary_stream

if TYPE_CHECKING:
    from typing import Any

    from eventsourcing.utils import Environment, EnvType

_EVENTS = "events"


class DynamoFactory(
    InfrastructureFactory[DynamoTrackingRecorder],
    DCBInfrastructureFactory[DynamoTrackingRecorder],
):
    """Makes recorders that use the tables that an application's environment names.

    It is for applications of aggregates and for DCB applications.

    Args:
        env: the settings; the docstring of the package lists them.

    Raises:
        InterfaceError: a setting is missing or wrong.
    """

    CREATE_TABLE: ClassVar = environment.CREATE_TABLE.name

    aggregate_recorder_class: ClassVar = DynamoAggregateRecorder
    application_recorder_class: ClassVar = DynamoApplicationRecorder
    tracking_recorder_class: ClassVar = DynamoTrackingRecorder
    process_recorder_class: ClassVar = DynamoProcessRecorder

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        with translated():
            self.runtime = Runtime.of(self.env)
        self._created = False

    def aggregate_recorder(self, purpose: str = _EVENTS) -> AggregateRecorder:
        """Return a recorder of events or, for another purpose, of snapshots."""
        self._create_tables()
        category = category_of(self.env.name, purpose)
        if purpose != _EVENTS:
            return DynamoSnapshotRecorder(self.runtime, category)
        return self.aggregate_recorder_class(self.runtime, category)

    def application_recorder(self) -> ApplicationRecorder:
        """Return a recorder of the application's events and notifications."""
        made = self._class(self.APPLICATION_RECORDER_TOPIC, self.application_recorder_class)
        self._create_tables()
        recorder: ApplicationRecorder = made(self.runtime, category_of(self.env.name, _EVENTS))
        return recorder

    def tracking_recorder(
        self, tracking_recorder_class: type[DynamoTrackingRecorder] | None = None
    ) -> DynamoTrackingRecorder:
        """Return a tracking recorder.

        Args:
            tracking_recorder_class: a subclass of `DynamoTrackingRecorder`; None: the class that
                ``TRACKING_RECORDER_TOPIC`` names or, if unset, `DynamoTrackingRecorder`.
        """
        made = tracking_recorder_class or self._class(
            self.TRACKING_RECORDER_TOPIC, self.tracking_recorder_class
        )
        self._create_tables()
        return made(self.runtime, self.env.name)

    def process_recorder(self) -> ProcessRecorder:
        """Return a recorder of events and tracking records."""
        made = self._class(self.PROCESS_RECORDER_TOPIC, self.process_recorder_class)
        self._create_tables()
        name = self.env.name
        recorder: ProcessRecorder = made(self.runtime, category_of(name, _EVENTS), name)
        return recorder

    def dcb_recorder(self) -> DynamoDCBRecorder:
        """Return a recorder of the tagged events of a DCB application."""
        self._create_tables()
        runtime = self.runtime
        return DynamoDCBRecorder(
            # The position of such an event is its version, so the events need no position in the
            # log.
            runtime.unnumbered,
            boundary_stream(self.env.name or _EVENTS),
            runtime.poll_interval,
            runtime.clock,
        )

    def _class(self, topic_setting: str, usual: type[Any]) -> type[Any]:
        topic = self.env.get(topic_setting)
        if not topic:
            return usual
        found: type[Any] = resolve_topic(topic)
        if not issubclass(found, usual):
            raise TypeError(f"{topic_setting} must name a {usual.__name__}, not {topic}.")
        return found

    def _create_tables(self) -> None:
        """Create the tables once, unless ``CREATE_TABLE`` is false."""
        if self._created or not strtobool(self.env.get(self.CREATE_TABLE, "yes")):
            return
        from dynamo_es.dynamodb.tables.create import create_tables

        with translated():
            create_tables(self.runtime.client(), self.runtime.config)
        self._created = True
