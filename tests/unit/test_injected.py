"""Clocks, sleeps and other injected functions that would never run are refused at once."""

# Wrong types on purpose.
# mypy: disable-error-code="arg-type"

import asyncio

import pytest

from dynamo_es import DynamoBackend, DynamoConfig, MemoryBackend
from dynamo_es.dynamodb.maintenance.verify import verify
from dynamo_es.dynamodb.table_stream.poller import StreamPoller
from dynamo_es.dynamodb.tables.create import create_tables, delete_tables
from dynamo_es.event_store.encryption.service import Encryption
from dynamo_es.exceptions import AsynchronousFunctionError, InputError
from dynamo_es.memory.key_storage import MemoryKeyStorage
from dynamo_es.observability.emf import EmfMetrics
from dynamo_es.outbox import Outbox
from dynamo_es.projections.projector import Projector
from dynamo_es.subscriptions.log_subscriptions import LogSubscriptions


def the_constructors():
    """Return calls that take a function by the name of its parameter."""
    config = DynamoConfig(events_table="e", log_table="l", keys_table="k")
    log = MemoryBackend().log
    return {
        "DynamoBackend clock": lambda one: DynamoBackend(config, clock=one),
        "DynamoBackend monotonic": lambda one: DynamoBackend(config, monotonic=one),
        "DynamoBackend sleep": lambda one: DynamoBackend(config, sleep=one),
        "MemoryBackend clock": lambda one: MemoryBackend(clock=one),
        "LogSubscriptions sleep": lambda one: LogSubscriptions(log, sleep=one),
        "LogSubscriptions monotonic": lambda one: LogSubscriptions(log, monotonic=one),
        "create_tables sleep": lambda one: create_tables(None, config, sleep=one),
        "delete_tables sleep": lambda one: delete_tables(None, config, sleep=one),
        "StreamPoller sleep": lambda one: StreamPoller(config, print, print, sleep=one),
        "StreamPoller wait": lambda one: StreamPoller(config, print, print, wait=one),
        "verify clock": lambda one: verify(config, print, clock=one),
        "verify on_progress": lambda one: verify(config, print, on_progress=one),
        "EmfMetrics clock": lambda one: EmfMetrics(clock=one),
        "EmfMetrics write": lambda one: EmfMetrics(write=one),
        "Outbox clock": lambda one: Outbox(None, log, print, clock=one),
        "Outbox new_id": lambda one: Outbox(None, log, print, new_id=one),
        "Projector clock": lambda one: Projector(
            "a", print, cursors=None, parked=None, event_store=print, clock=one
        ),
        "Encryption clock": lambda one: Encryption(MemoryKeyStorage(), clock=one),
    }


@pytest.mark.parametrize("name", the_constructors())
def test_clock_or_sleep_that_would_never_run_is_refused(name):
    parameter = name.split()[1]
    with pytest.raises(AsynchronousFunctionError, match=f"{parameter} is asynchronous"):
        the_constructors()[name](asyncio.sleep)
    with pytest.raises(InputError, match=f"{parameter} must be callable, not int"):
        the_constructors()[name](5)
