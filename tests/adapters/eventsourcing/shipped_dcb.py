"""The test cases that ``eventsourcing`` ships for DCB recorders, of 9.5 and of 10."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynamo_es import MemoryBackend
from dynamo_es.adapters.eventsourcing import DynamoDCBRecorder
from dynamo_es.adapters.eventsourcing.versions import IS_10
from dynamo_es.contracts.boundaries.strategy import boundary_stream
from tests.adapters.eventsourcing.counters import DynamoEventCounters
from tests.adapters.eventsourcing.shipped import OnTables

if TYPE_CHECKING or not IS_10:
    from eventsourcing.dcb.tests import DCBRecorderTestCase
    from eventsourcing.tests.projection import (
        TaggedDecisionCountersProjectionTestCase as DecisionCountersProjectionTestCase,
    )
else:
    from eventsourcing.dcb.tests import DcbRecorderTestCase as DCBRecorderTestCase
    from eventsourcing.tests.projection import DecisionCountersProjectionTestCase


class DCBRecorderCase(OnTables, DCBRecorderTestCase):
    def test_append_read(self) -> None:
        self._test_append_read(self.tables.dcb_recorder())

    def test_append_subscribe(self) -> None:
        self._test_append_subscribe(self.tables.dcb_recorder())


class DCBRecorderInMemoryCase(DCBRecorderTestCase):
    def setUp(self) -> None:
        backend = MemoryBackend()
        self.addCleanup(backend.close)
        self.recorder = DynamoDCBRecorder(backend.storage, boundary_stream("school"), 0.2)

    def test_append_read(self) -> None:
        self._test_append_read(self.recorder)

    def test_append_subscribe(self) -> None:
        self._test_append_subscribe(self.recorder)


class DecisionProjectionCase(OnTables, DecisionCountersProjectionTestCase):
    view_class = DynamoEventCounters

    def setUp(self) -> None:
        super().setUp()
        self.env: dict[str, Any] = {  # type: ignore[misc]
            **self.tables.env,
            "MAPPER_TOPIC": "eventsourcing.dcb.msgpack:MessagePackMapper",  # for 9.5
        }


CASES = (DCBRecorderCase, DecisionProjectionCase)
